"""Names of columns: cleaned, unique, and found regardless of case and blanks."""

import pytest

from utils.reading.columns import find_column, find_requested_column


def test_header_names_are_cleaned_and_unique(read):
    frame = read("a.csv", "\ufeff id , Text,text,\n1,a,b,c\n")
    assert list(frame.columns) == ["id", "Text", "text.1", "Unnamed: 3"]


def test_find_column():
    columns = ["id", "\ufeffTweet Text ", "text", "TEXT"]
    assert find_column(columns, ["content", "tweettext", "text"]) == "\ufeffTweet Text "
    assert find_column(columns, ["text"]) == "text"
    assert find_column(columns, ["label"]) is None


@pytest.mark.parametrize(
    ("requested", "found"), [(" TEXT", "text"), ("2", "text"), ("1", "1"), ("7", None), ("txt", None)]
)
def test_a_column_is_requested_by_name_or_else_by_number(requested, found):
    assert find_requested_column(["id", "1", "text"], requested) == found
