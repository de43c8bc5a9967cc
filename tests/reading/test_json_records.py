"""JSON and JSON Lines: shapes, values as the file spells them, and what is wrong with a file."""

import pandas as pd
import pytest
from frames import rows

from utils.reading import json_records


def test_json_values_as_the_file_spells_them(read):
    content = """[{"id": 1234567890123456789, "x": 1e5, "y": 1.10, "yes": true, "no": false, "none": null, "nan": NaN},
        {"id": "007", "text": "caf\\u00e9 \\ud83d\\ude00", "nested": {"a": [1, 2.5, null], "é": {}}, "e": ""}]"""
    frame = read("a.json", content)
    first, second = ({k: v for k, v in row.items() if not pd.isna(v)} for row in frame.to_dict("records"))
    assert first == {"id": "1234567890123456789", "x": "1e5", "y": "1.10", "yes": "true", "no": "false"}
    assert second == {"id": "007", "text": "café 😀", "nested": '{"a":[1,2.5,null],"é":{}}', "e": ""}
    assert list(frame.columns) == ["id", "x", "y", "yes", "no", "none", "nan", "text", "nested", "e"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", '[{"text": "x", "n": 1}, {"n": 2, "text": "y"}]'),
        ("a.json", '{"text": ["x", "y"], "n": [1, 2]}'),
        ("a.json", '{"data": [{"text": "x", "n": 1}, {"text": "y", "n": 2}]}'),
        ("a.json", '{"meta": {"count": 2}, "data": [{"text": "x", "n": 1}, {"text": "y", "n": 2}]}'),
        ("a.json", '{"text": "x", "n": 1}\n{"text": "y", "n": 2}\n'),
        ("a.jsonl", '{"text": "x", "n": 1}\r\n\r\n{"text": "y", "n": 2}'),
        ("a.ndjson", '\ufeff{"text": "x", "n": 1}\n{"text": "y", "n": 2}\n'),
        ("a.jsonl", '[{"text": "x", "n": 1},\n {"text": "y", "n": 2}]'),
    ],
)
def test_shapes_of_json(read, name, content):
    assert read(name, content).to_dict("list") == {"text": ["x", "y"], "n": ["1", "2"]}


def test_one_object_is_one_row(read):
    assert read("a.json", '{"text": "x", "n": 1}').to_dict("list") == {"text": ["x"], "n": ["1"]}
    assert read("a.jsonl", '{"text": "x", "media": [{"k": 1}]}').to_dict("list") == {
        "text": ["x"], "media": ['[{"k":1}]'],
    }  # fmt: skip


def test_keys_that_come_late_or_go_missing_are_null_elsewhere(read):
    frame = read("a.jsonl", '{"a": "1"}\n{"b": "2\u2028\u0085"}\n{"a": "3", "b": ""}\n')
    assert rows(frame) == [["1", None], [None, "2\u2028\u0085"], ["3", ""]]


def test_half_a_surrogate_pair_becomes_a_replacement_character(read):
    frame = read("a.jsonl", r'{"text": "caf\u00e9 \ud83d", "list": ["\ude00"]}')
    assert rows(frame) == [["café \ufffd", '["\ufffd"]']]


def test_invalid_json_names_line_and_column(fails):
    error = fails("a.json", '[{"text": "x"},\n {"text": y}]')
    assert "line 2, column 11" in error.problem
    assert "cut off" in fails("a.json", '[{"text": "x"},\n {"te').hint
    assert "cut off" in fails("a.json", '[{"text": "x"},').hint
    assert "nested" in fails("a.json", "[" * 100_000).problem


def test_broken_line_of_jsonl(fails):
    error = fails("a.jsonl", '{"text": "x"}\n\n{"text": \n{"text": "z"}\n')
    assert "line 3, column" in error.problem
    assert "last line" not in error.problem


@pytest.mark.parametrize("name", ["a.jsonl", "a.json"])
def test_broken_last_line_of_jsonl_is_an_error_too(fails, name):
    error = fails(name, '{"text": "x"}\n{"text": "y"}\n{"text": "z\n')
    assert "line 3" in error.problem
    assert "last line" in error.problem
    assert "delete line 3" in error.hint


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("a.json", '["x", "y"]', "element 1 of the list is a text"),
        ("a.json", '[{"text": "x"}, 3]', "element 2 of the list is a number"),
        ("a.json", '"x"', "a text"),
        ("a.json", '{"a": {"b": 1}, "c": 2}', "an object"),
        ("a.json", '{"a": [1], "b": [1, 2]}', "different lengths"),
        ("a.jsonl", '{"text": "x"}\n[1]\n', "line 2: a list"),
        ("a.json", '[1]\n{"text": "x"}\n', "line 1: a list"),
    ],
)
def test_json_without_objects(fails, name, content, found):
    error = fails(name, content)
    assert found in error.problem
    assert "list of objects" in error.hint


def test_a_line_too_long_for_a_row_is_refused(fails, monkeypatch):
    monkeypatch.setattr(json_records, "LONGEST_LINE", 30)
    problem = fails("a.jsonl", '{"text": "a"}\n{"text": "a text of many words"}\n').problem
    assert "a.jsonl, line 2 is longer than 30 bytes" in problem
