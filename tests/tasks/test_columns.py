"""Which columns hold the text and the label, by name, by number or by their cells."""

import pytest

from utils.errors import DataError
from utils.tasks.columns import (
    RequestedColumns,
    choose_column,
    open_table_to_classify,
    read_rows,
)
from utils.tasks.reviews import REVIEWS
from utils.tasks.tweets import TWEETS


@pytest.mark.parametrize(
    ("columns", "requested", "chosen"),
    [
        (["id", "text"], None, "text"),
        (["id", " Tweet_Text\ufeff"], None, " Tweet_Text\ufeff"),
        (["id", "TEXT "], None, "TEXT "),
        (["content", "rawContent"], None, "rawContent"),
        (["content", "text"], None, "text"),
        (["0", "1", "2", "3"], None, "2"),
        (["whatever"], None, "whatever"),
        (["text", "Review"], "review", "Review"),
        (["text", "Review"], "1", "Review"),
        (["1", "text"], "1", "1"),
    ],
)
def test_the_text_column_is_recognized(columns, requested, chosen):
    assert choose_column("text", TWEETS, columns, requested) == chosen


@pytest.mark.parametrize(
    ("requested", "said"), [(None, "no column looks like the text of tweets"), ("txt", "there is no column 'txt'")]
)
def test_without_a_text_column_the_columns_are_listed(requested, said):
    with pytest.raises(DataError) as caught:
        choose_column("text", TWEETS, ["id", "my words"], requested)
    assert caught.value.problem == f"{said}; the columns are: 'id', 'my words'"
    assert caught.value.hint == "name it with --text_column"


@pytest.mark.parametrize(
    ("columns", "requested", "text", "chosen"),
    [
        (["Review", "Liked"], None, "Review", "Liked"),
        (["score", "text", "Label "], None, "text", "Label "),
        (["text", "anything"], None, "text", "anything"),
        (["label", "kind"], None, "label", "kind"),  # the column called label is the text that was asked for
        (["a", "b", "label"], "b", "a", "b"),
        (["a", "b", "label"], "1", "a", "b"),
    ],
)
def test_the_label_column_is_recognized(columns, requested, text, chosen):
    assert choose_column("label", REVIEWS, columns, requested, text) == chosen


def test_a_text_column_that_the_label_leaves():
    assert choose_column("text", REVIEWS, ["label", "said"], None, "label") == "said"


@pytest.mark.parametrize(
    ("content", "text", "label"),
    [
        ("Review,Liked\ngood film,1\nbad film,0\n", "Review", "Liked"),
        ("good film\t1\nbad film\t0\nfine film\t1\nweak film\t0\n", "0", "1"),
        ("2\tgood film\n0\tbad film\n2\tfine film\n0\tweak film\n", "1", "0"),  # "2" is no name of a column here
    ],
)
def test_training_and_classifying_choose_the_same_columns(tmp_path, caplog, content, text, label):
    path = tmp_path / "a.csv"
    path.write_text(content)
    caplog.set_level("INFO")
    rows, _ = read_rows(REVIEWS, [str(path)], RequestedColumns())
    table, (text_at, label_at) = open_table_to_classify(str(path), RequestedColumns(), header=True)
    assert (table.columns[text_at], table.columns[label_at]) == (text, label)
    cells = [cells for _, cells in table.rows()]
    assert [row[text_at] for row in cells] == rows["text"].tolist()
    assert [row[label_at] for row in cells] == rows["label"].tolist()
    assert caplog.text.count(f"the text is in column {text!r}, the label in column {label!r}") == 2


def test_a_table_to_classify_may_have_no_label(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("id,text\n1,good film\n2,bad film\n")
    _, positions = open_table_to_classify(str(path), RequestedColumns(), header=True)
    assert positions == (1, None)
