"""Texts inside objects and lists: their paths, and the cells at a path."""

import json

import pandas as pd
import pytest

from utils.reading.nested import find_path, join_pieces, nested_cells, nested_paths, parse_nested
from utils.reading.read_frame import read_frame


@pytest.fixture
def frame_of(tmp_path):
    """Return the frame of rows written as JSON Lines."""

    def read(*rows):
        path = tmp_path / "a.jsonl"
        path.write_text("\n".join(map(json.dumps, rows)))
        return read_frame([path])[0]

    return read


@pytest.mark.parametrize(
    ("rows", "paths", "path", "cells"),
    [
        (
            [{"post": {"uri": "at://1", "record": {"text": "We sang"}}}, {"post": {"record": {"langs": ["en", "fr"]}}}],
            ["post.uri", "post.record.text", "post.record.langs[]"],
            "post.record.text",
            ["We sang", None],
        ),
        (
            [{"id": 1, "media": [{"uri": "a.jpg", "title": ""}, {"title": "Snow"}, {"title": "Snow"}]}, {"id": 2}],
            ["media[].uri", "media[].title"],
            "media[].title",
            ["Snow", None],
        ),
        (
            [{"text": "plain"}, {"text": ["See ", {"type": "link", "text": "a.example"}, " now"]}, {"text": ""}],
            ["text"],
            "text",
            ["plain", "See a.example now", ""],
        ),
        (
            [{"content": [{"type": "text", "text": "What?"}, {"type": "image_url", "image_url": {"url": "a"}}]}],
            ["content"],
            "content",
            ["What?"],
        ),
        ([{"user": {"verified": True}}, {"user": {"verified": False}}], ["user.verified"], "user.verified", None),
        ([{"langs": ["en"]}, {"langs": []}], ["langs[]"], "langs", ["en", None]),
        ([{"a": {"b": {"c": 1.50}}}], ["a.b.c"], "a.b", ['{"c":1.5}']),
        ([{"a": True, "b": 1, "c": "x"}], [], "c", ["x"]),
    ],
)
def test_paths_of_nested_values_and_their_cells(frame_of, rows, paths, path, cells):
    frame = frame_of(*rows)
    assert nested_paths(frame) == paths
    assert nested_cells(frame, path) == (cells or ["true", "false"])


def test_names_in_a_path_are_compared_like_those_of_columns(frame_of):
    frame = frame_of({"Post": {"Full Text": "hello", "n": 1}})
    assert nested_cells(frame, "post.fulltext") == ["hello"]
    assert nested_cells(frame, "post.other") == nested_cells(frame, "other") == [None]


def test_a_column_whose_own_name_has_dots():
    assert find_path(["post.record", "post"], "post.record.text") == ("post.record", ["text"])


def test_cells_of_csv_as_json_or_as_pandas_writes_them():
    cells = ["{'text': \"it's\", 'n': None}", '{"text": "so", "n": 2}', ""]
    frame = pd.DataFrame({"a": cells, "b": ["[1] is a footnote", "[sic]", "{so}"]}, dtype="str")
    assert nested_paths(frame) == ["a.text", "a.n"]
    assert nested_cells(frame, "a.text") == ["it's", "so", None]


def test_marked_cells_are_found_among_many_texts(frame_of):
    frame = frame_of(*[{"text": "plain"}] * 50, {"text": ["a ", {"type": "bold", "text": "b"}]})
    assert nested_paths(frame, sample=10) == ["text"]


@pytest.mark.parametrize("cell", ["hello", "[photo] hello", "[sic]", "{", "[", "[a](b)", "{1, 2}", "[" * 5000 + "]"])
def test_other_texts_are_not_nested(cell):
    assert parse_nested(cell) is None


@pytest.mark.parametrize(
    ("pieces", "text"),
    [
        (["a", {"type": "bold", "text": "b"}], "ab"),
        ([{"type": "plain", "text": "a "}, {"type": "link", "text": "b"}], "a b"),
        ([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "a\nb"),
        (["a", "b"], None),
        ([{"text": "a"}], None),
        ([{"type": "photo", "url": "a"}], None),
        ([{"type": ["x"], "text": "a"}], None),
        ([{"type": "text", "text": {"value": "a"}}], None),
        (["a", 1], None),
        ([], None),
    ],
)
def test_pieces_of_one_text(pieces, text):
    assert join_pieces(pieces) == text
