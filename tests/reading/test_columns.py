"""Names of columns: cleaned, unique, and found regardless of case and blanks."""

import json

import pytest

from utils.errors import DataError
from utils.reading import columns
from utils.reading.columns import find_column, find_requested_column, unique_names
from utils.reading.read_frame import read_frame


def test_header_names_are_cleaned_and_unique(read):
    frame = read("a.csv", "\ufeff id , Text,text,\n1,a,b,c\n")
    assert list(frame.columns) == ["id", "Text", "text.1", "Unnamed: 3"]


@pytest.mark.parametrize(
    ("names", "unique"),
    [
        (["a", "a", "A ", "a"], ["a", "a.1", "A.2", "a.3"]),
        (["a", "a.1", "a", "a"], ["a", "a.1", "a.2", "a.3"]),
        (["a.1", "a", "a", "a.1"], ["a.1", "a", "a.2", "a.1.1"]),
        (["", "", "Unnamed: 0"], ["Unnamed: 0", "Unnamed: 1", "Unnamed: 0.1"]),
    ],
    ids=["repeated", "numbered_before", "numbered_first", "empty"],
)
def test_repeated_names_get_the_next_free_number(names, unique):
    assert unique_names(names) == unique


def test_the_names_of_many_columns_are_compared_once_each(monkeypatch):
    calls = []
    monkeypatch.setattr(columns, "column_key", lambda name: calls.append(name) or name)
    assert unique_names(["x"] * 3000)[-1] == "x.2999"
    assert len(calls) < 5 * 3000


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


WIDE = ",".join(f"k{number}" for number in range(9000))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "," * 20_000 + "\n1\n"),
        ("a.csv", f"{WIDE}\n" + "1\n" * 2000),
        ("a.tsv", WIDE.replace(",", "\t") + "\n" + "1\n" * 2000),
        ("a.json", json.dumps([{f"k{number}": 1 for number in range(20_000)}])),
        ("a.jsonl", "".join(f'{{"k{number}": 1}}\n' for number in range(9000))),
        ("a.json", json.dumps([{f"k{number}": 1} for number in range(9000)])),
    ],
    ids=["a line of commas", "short rows", "short rows with tabs", "an object", "keys of lines", "keys of objects"],
)
@pytest.mark.timeout(20)
def test_columns_that_fill_the_memory_are_refused(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match="columns"):
        read_frame([tmp_path / name])


def test_wide_and_sparse_tables_are_read(tmp_path):
    (tmp_path / "a.jsonl").write_text("".join(f'{{"text": "a", "k{number % 300}": 1}}\n' for number in range(3000)))
    assert read_frame([tmp_path / "a.jsonl"])[0].shape == (3000, 301)
