"""One row of a table becomes a real emoji with a description of it, or a reason to drop the row."""

import pytest

from utils.errors import DataError
from utils.preprocessing.emoji.resolve import (
    EMOJI_REPAIRED,
    SPREADSHEET,
    UNUSABLE_EMOJI_REASONS,
    RawEmojiRow,
    resolve_row,
)
from utils.preprocessing.usable_rows import UnusableRowError


def row_of(text="", description="a name", code_points="", **more):
    return resolve_row(RawEmojiRow(text, description, "a.csv, row 7", code_points, "codes", **more))


@pytest.mark.parametrize(
    ("text", "code_points", "expected", "changes"),
    [
        ("😀", "", "😀", ()),
        ("", "1F600", "😀", ()),
        ("☹", "2639 FE0F", "☹️", ()),
        ("☹️", "2639", "☹️", ()),
        ("ðŸ˜€", "1F600", "😀", (EMOJI_REPAIRED,)),
        ("â˜¹ï¸", "", "☹️", (EMOJI_REPAIRED,)),
        ("☹", "2.639E+03", "☹️", (SPREADSHEET,)),
    ],
)
def test_the_emoji_of_a_row(text, code_points, expected, changes):
    row = row_of(text, code_points=code_points)
    assert (row.emoji, row.changes) == (expected, changes)


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"text": "😀", "code_points": "1F601"}, "emoji and code points differ"),
        ({"text": "😀", "code_points": "1F600 200D 1F525"}, "emoji and code points differ"),
        ({"text": "😀", "code_points": "n/a"}, "unreadable code points"),
        ({"code_points": "0041"}, "code points of no emoji"),
        ({"text": "not an emoji", "code_points": "1F600"}, "no emoji"),
        ({"text": "ðŸ??", "code_points": "1F600"}, "mojibake for an emoji"),
        ({"description": "no such thing"}, "neither emoji nor code points, and no known name"),
        ({"text": "😀", "description": ""}, "no description"),
        ({"text": "😀", "description": ":__:"}, "no description"),
        ({"text": "😀", "description": "😂 😂"}, "description is an emoji"),
        ({"text": "☹️", "description": "☹"}, "description is an emoji"),
        ({"text": "☹️", "description": "a ☹ face"}, "description contains its emoji"),
        ({"text": "😀", "description": "it is u+1f600"}, "description contains its emoji"),
    ],
)
def test_why_a_row_is_unusable(cells, reason):
    with pytest.raises(UnusableRowError) as caught:
        row_of(**cells)
    assert str(caught.value) == reason
    assert reason in UNUSABLE_EMOJI_REASONS


@pytest.mark.parametrize(
    ("cell", "description"),
    [
        (":man_farmer:", "man farmer"),
        ("  Côte d’Ivoire ", "Côte d’Ivoire"),
        ("flag: CÃ´te dâ€™Ivoire", "flag: Côte d’Ivoire"),
        ("snake_case: kept", "snake_case: kept"),
        ("laughing like 😂", "laughing like 😂"),
        ("1", "1"),
    ],
)
def test_descriptions_are_normalized(cell, description):
    assert row_of("😀", cell).description == description


def test_a_spreadsheets_number_alone_is_an_error():
    with pytest.raises(DataError) as caught:
        row_of("", code_points="2.6E+10")
    assert caught.value.problem.startswith("a.csv, row 7, column 'codes': '2.6E+10' is not a code point; a spreadsheet")
