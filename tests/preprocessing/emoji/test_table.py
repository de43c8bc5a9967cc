"""Which pairs a table keeps: one form of every emoji, no repeats, and the package's further names."""

import pytest

from utils.errors import DataError
from utils.preprocessing.emoji.table import read_emoji_table


@pytest.fixture
def read(tmp_path):
    """Read a table of these lines: (description, emoji) of every pair, and the table."""

    def reading(*lines, **options):
        path = tmp_path / "emoji.csv"
        path.write_text("\n".join(["emoji,name,group", *lines]), encoding="utf-8")
        table, sources = read_emoji_table([str(path)], **options)
        return [(pair.description, pair.emoji) for pair in table.kept], table, sources

    return reading


def test_a_qualified_row_wins_over_an_earlier_variant(read):
    pairs, table, _ = read("☹,frowning face,a", "☹️,Frowning face,b", "😀,grin,c", "😀,grin!,c")
    assert pairs == [("Frowning face", "☹️"), ("grin", "😀")]
    assert table.kept[0].group == "b"
    assert table.dropped == {"unqualified or minimally-qualified variant": 1, "exact duplicate": 1}
    assert table.changed == {}


def test_the_longest_form_of_an_emoji_that_the_package_lacks(read):
    newer = "\U0001faff"
    pairs, table, _ = read(f"{newer},new thing,a", f"{newer}\ufe0f,newest thing,a")
    assert pairs == [("new thing", f"{newer}\ufe0f"), ("newest thing", f"{newer}\ufe0f")]
    assert table.changed == {
        "brought to the fully-qualified form": 1,
        "emoji newer than the emoji package, kept as they are": 2,
    }


def test_names_of_the_package_follow_with_the_group_of_their_emoji(read):
    pairs, table, sources = read("😀,grinning face,faces", aliases=["en", "fr"])
    assert pairs == [("grinning face", "😀"), ("grinning", "😀"), ("visage rieur", "😀")]
    assert [(pair.group, pair.language) for pair in table.kept] == [("faces", None), ("faces", "en"), ("faces", "fr")]
    assert [source.rows for source in sources] == [1, 2]


def test_a_table_without_a_usable_row(read):
    with pytest.raises(DataError) as caught:
        read("x,letter,a", "😀,,a")
    assert caught.value.problem == "all 2 rows were dropped: 1 no description, 1 no emoji"
