"""The rows of a JSON file: pandas' forms, wrappers of sites, and ambiguous files."""

import json

import pandas as pd
import pytest

ROWS = [{"text": "x, y", "n": 1}, {"text": "z", "n": 2}, {"text": "w", "n": 3}]
EXPECTED = {"text": ["x, y", "z", "w"], "n": ["1", "2", "3"]}


@pytest.mark.parametrize("orient", ["records", "split", "index", "columns", "table"])
def test_forms_of_pandas(read, orient):
    assert read("a.json", pd.DataFrame(ROWS).to_json(orient=orient)).to_dict("list") == EXPECTED


def test_forms_of_pandas_without_names(read):
    frame = read("a.json", pd.DataFrame(ROWS).to_json(orient="values"))
    assert frame.to_dict("list") == {"0": EXPECTED["text"], "1": EXPECTED["n"]}
    assert read("a.json", '[["text", "n"], ["x, y", 1], ["z", 2], ["w", 3]]').to_dict("list") == EXPECTED


def test_rows_by_ids_that_are_no_numbers(read):
    by_id = {f"id-{row['n']}": row for row in ROWS}
    assert read("a.json", json.dumps(by_id)).to_dict("list") == EXPECTED
    assert read("a.json", json.dumps({"posts": by_id, "version": 2})).to_dict("list") == EXPECTED
    by_column = {name: {f"id-{row['n']}": row[name] for row in ROWS} for name in ROWS[0]}
    assert read("a.json", json.dumps(by_column)).to_dict("list") == EXPECTED


USERS = [{"id": 7, "name": "ann"}]
REDDIT = {"kind": "Listing", "data": {"after": None, "children": [{"kind": "t3", "data": row} for row in ROWS]}}
WRAPPED = {
    "Telegram": {"name": "Chat", "type": "public_channel", "id": 1, "messages": ROWS},
    "a list of values beside it": {"tags": ["a", "b"], "items": ROWS, "page": {"total": 3}},
    "a shorter list beside it": {"accounts": USERS, "statuses": ROWS, "hashtags": []},
    "X": {"data": ROWS, "includes": {"users": USERS, "tweets": ROWS}, "meta": {"result_count": 3}},
    "two levels": {"responseHeader": {"status": 0}, "response": {"numFound": 3, "docs": ROWS}},
    "three levels": {"data": {"user": {"posts": ROWS}}},
    "four levels": {"data": {"viewer": {"posts": {"edges": ROWS}}}},
    "Reddit": REDDIT,
    "Reddit, a thread": [{"kind": "Listing", "data": {"children": REDDIT["data"]["children"][:1]}},
                         {"kind": "Listing", "data": {"children": REDDIT["data"]["children"][1:]}}],
    "splits": {"train": ROWS[:2], "test": ROWS[2:]},
    "Telegram, an account": {
        "about": "your data", "profile_pictures": USERS,
        "chats": {"about": "all", "list": [{"id": 1, "messages": ROWS[:1]}, {"id": 2, "messages": ROWS[1:]}]},
    },
    "JSON-LD": {"@context": [{"text": "y"}], "orderedItems": ROWS},
}  # fmt: skip


@pytest.mark.parametrize("value", WRAPPED.values(), ids=WRAPPED)
def test_the_rows_inside_a_wrapper(read, value):
    assert read("a.json", json.dumps(value)).to_dict("list") == EXPECTED


def test_which_list_is_read_is_logged(read, caplog):
    caplog.set_level("INFO")
    read("a.json", json.dumps({"users": USERS, "posts": ROWS}))
    assert "a.json: the rows are the objects in 'posts'; not those in 'users'" in caplog.text


def test_one_post_is_a_row_and_its_parts_are_not(read):
    post = {"text": "x", "media": [{"url": "a"}, {"url": "b"}], "user": {"urls": [{"u": 1}]}}
    assert read("a.json", json.dumps(post, indent=1))["text"].tolist() == ["x"]


def test_two_lists_that_could_be_the_rows(fails):
    value = {"users": [{"id": 7, "name": "ann"}] * 2, "posts": ROWS}
    assert "two lists of objects could be the rows: 3 in 'posts' and 2 in 'users'" in (
        fails("a.json", json.dumps(value)).problem
    )


@pytest.mark.parametrize(
    ("name", "indent", "between"),
    [
        (name, indent, between)
        for name in ("a.json", "a.jsonl")
        for indent in (None, 2)
        for between in ("", "\n", "\n\n")
        if name == "a.json" or indent or between  # JSON Lines have one object per line
    ],
)
def test_objects_one_after_another(read, name, indent, between):
    content = between.join(json.dumps(row, indent=indent) for row in ROWS)
    assert read(name, content).to_dict("list") == EXPECTED


def test_the_fault_of_objects_one_after_another_is_named(fails):
    assert "line 5, column 6" in fails("a.json", '{\n "a": 1\n}\n{\n "a" 2\n}\n').problem
    assert "line 3, column 1" in fails("a.json", '{\n "a": 1,\n}\n').problem
    assert "line 1, column" in fails("a.json", '// note\n[{"a": 1}]').problem


def test_a_list_of_rows_of_different_lengths(fails):
    assert "list 2 holds 1 values, but the first one holds 2" in fails("a.json", '[["a", 1], ["b"]]').problem


TEXTS = [f"The boat number {number} came home late" for number in ["one", "two", "three", "four"]]


@pytest.mark.parametrize("orient", ["index", "records"])
def test_one_column_of_texts(read, orient):
    assert read("a.json", pd.Series(TEXTS).to_json(orient=orient)).to_dict("list") == {"text": TEXTS}


def test_a_longer_list_without_texts_is_not_read(read, caplog):
    caplog.set_level("INFO")
    views = [
        {"date": f"2024-01-{day:02}", "link": f"https://a.example/see-this-video-now/{day}"} for day in range(1, 30)
    ]
    value = {"views": {"list": views}, "comments": {"list": [{"comment": text} for text in TEXTS]}}
    assert read("a.json", json.dumps(value)).to_dict("list") == {"comment": TEXTS}
    assert "the rows are the objects in 'comments.list'; not those in 'views.list'" in caplog.text
