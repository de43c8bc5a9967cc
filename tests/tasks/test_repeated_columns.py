"""Columns with the same name: none is chosen as the text or the label unless the user gives its number."""

import json

import pyarrow
import pytest
from pyarrow import parquet

from utils.errors import DataError
from utils.preprocessing.conversations import read_conversations
from utils.preprocessing.emoji.sources import read_emoji_rows
from utils.results.columns_to_classify import open_table_to_classify
from utils.tasks.columns import RequestedColumns, read_rows
from utils.tasks.kinds import MULTILABEL
from utils.tasks.reviews import REVIEWS
from utils.tasks.tweets import TWEETS

SETS = REVIEWS.__class__(**{**vars(REVIEWS), "kind": MULTILABEL.name})
ROWS = [("good film, they say", "a", "b"), ("bad film, I am sure", "b", "a")]


def written(folder, name, header, rows=ROWS):
    delimiter = "\t" if name.endswith(".tsv") else ";"
    path = folder / name
    path.write_text("".join(delimiter.join(row) + "\n" for row in (header, *rows)))
    return str(path)


def cells_to_classify(path, requested):
    table, columns = open_table_to_classify(path, requested, header=True)
    return [(cells[columns.text], cells[columns.label]) for _, cells in table.rows()]


def cells_to_learn(path, requested):
    rows, _ = read_rows(REVIEWS, [path], requested)
    return list(zip(rows["text"], rows["label"], strict=True))


READERS = [cells_to_learn, cells_to_classify]


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("name", ["a.csv", "a.tsv"])
@pytest.mark.parametrize(
    ("header", "problem", "flag"),
    [
        (
            ["text", "label", "Label "],
            "2 columns are named 'label', numbers 1 and 2 counted from 0",
            "--label_column 1",
        ),
        (["text", "text", "label"], "2 columns are named 'text', numbers 0 and 1 counted from 0", "--text_column 0"),
    ],
)
def test_two_columns_of_the_chosen_name_are_an_error(tmp_path, read, name, header, problem, flag):
    path = written(tmp_path, name, header)
    key = flag.split("_")[0].removeprefix("--")
    for requested in (RequestedColumns(), RequestedColumns(**{key: key})):
        with pytest.raises(DataError) as caught:
            read(path, requested)
        assert caught.value.problem == f"{path}: {problem}"
        assert flag in caught.value.hint


@pytest.mark.parametrize("read", READERS)
def test_a_number_says_which_is_meant_and_columns_that_nobody_chose_may_share_a_name(tmp_path, read):
    path = written(tmp_path, "a.csv", ["text", "label", "label"])
    texts = [row[0] for row in ROWS]
    for number, labels in ((1, ["a", "b"]), (2, ["b", "a"])):
        assert read(path, RequestedColumns(label=str(number))) == list(zip(texts, labels, strict=True))
    rows = [(*row, "x", "y") for row in ROWS]
    path = written(tmp_path, "b.csv", ["text", "label", "more", "note", "note"], rows)
    assert read(path, RequestedColumns()) == [row[:2] for row in ROWS]


@pytest.mark.parametrize("read", READERS)
def test_keys_that_differ_in_case_alone_are_columns_of_one_name(tmp_path, read):
    path = tmp_path / "a.jsonl"
    rows = [{"text": text, "label": label, "Label": other} for text, label, other in ROWS]
    path.write_text("\n".join(map(json.dumps, rows)))
    with pytest.raises(DataError, match="2 columns are named 'label'"):
        read(str(path), RequestedColumns())


def test_rows_that_spell_a_key_differently_are_an_error_that_no_flag_answers(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"Text": "a film", "label": "a"}\n{"text": "a play", "label": "b"}\n')
    with pytest.raises(DataError) as caught:
        read_rows(REVIEWS, [str(path)], RequestedColumns())
    assert caught.value.problem == f"{path}: some rows call a column 'Text', others 'text'"
    assert caught.value.hint == "give it one name in all rows"


def test_columns_of_one_name_keep_their_spellings_in_the_output(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(json.dumps({"text": text, "By": "x", "by": "y", "BY": "z"}) for text, *_ in ROWS))
    table, _ = open_table_to_classify(str(path), RequestedColumns(), header=True)
    assert table.columns == ["text", "By", "by", "BY"]


def test_the_file_that_has_them_is_named(tmp_path):
    paths = [
        written(tmp_path, "a.csv", ["text", "label", "more"]),
        written(tmp_path, "b.csv", ["text", "label", "label"]),
    ]
    with pytest.raises(DataError) as caught:
        read_rows(REVIEWS, paths, RequestedColumns())
    assert caught.value.problem.startswith(paths[1])


def test_columns_of_0_and_1(tmp_path):
    header = ["text", "food", "food", "price"]
    path = written(tmp_path, "a.csv", header, [(text, "1", "0", "1") for text, *_ in ROWS])
    for read in (lambda asked: read_rows(SETS, [path], asked), lambda asked: open_table_to_classify(path, asked, True)):
        with pytest.raises(DataError, match="2 columns are named 'food', numbers 1 and 2"):
            read(RequestedColumns(label="food,price"))
    assert read_rows(SETS, [path], RequestedColumns(label="1,3"))[0]["label"].tolist() == [("food", "price")] * 2
    _, columns = open_table_to_classify(path, RequestedColumns(label="1,3"), header=True)
    assert columns.labels == {"food": 1, "price": 3}


def test_tweets_instructions_and_emoji(tmp_path):
    path = written(tmp_path, "tweets.csv", ["text", "text", "lang"])
    with pytest.raises(DataError, match="2 columns are named 'text'"):
        read_rows(TWEETS, [path], RequestedColumns())
    path = written(tmp_path, "answers.csv", ["instruction", "output", "output"])
    with pytest.raises(DataError, match="2 columns are named 'output'") as caught:
        read_conversations([path])
    assert "--columns output=1" in caught.value.hint
    [first, _] = read_conversations([path], columns={"output": "2"})[0].kept
    assert first.messages[-1]["content"] == "b"
    path = written(tmp_path, "emoji.csv", ["emoji", "name", "name"], [("😀", "grin", "smile")])
    with pytest.raises(DataError, match="2 columns are named 'name'"):
        read_emoji_rows([path])
    [row], _ = read_emoji_rows([path], text_column="2")
    assert row.description == "smile"


def test_parquet_and_keys_that_an_object_has_twice(tmp_path):
    path = str(tmp_path / "a.parquet")
    table = pyarrow.Table.from_arrays([pyarrow.array(["x"])] * 3, names=["text", "label", "label"])
    parquet.write_table(table, path)
    with pytest.raises(DataError) as caught:
        read_rows(REVIEWS, [path], RequestedColumns())
    assert caught.value.problem == f"{path}: several columns are named 'label'"
    for name, lines in (
        ("a.jsonl", ['{"text": "t", "label": "a"}', '{"text": "t", "label": "a", "label": "b"}']),
        ("a.json", ['[{"text": "t", "label": "a", "label": "b"}]']),
        ("c.json", ['[{"text": "t", "label": "b", "label": "a", "label": "b"}]']),
    ):
        (tmp_path / name).write_text("\n".join(lines))
        with pytest.raises(DataError) as caught:
            read_rows(REVIEWS, [str(tmp_path / name)], RequestedColumns())
        problem = "the key 'label' is there twice in one object, with different values: 'a' and 'b'"
        assert problem in caught.value.problem
        assert "cut off" not in caught.value.hint
    (tmp_path / "b.jsonl").write_text('{"text": "t", "label": "a", "label": "a"}')
    assert read_rows(REVIEWS, [str(tmp_path / "b.jsonl")], RequestedColumns())[0]["label"].tolist() == ["a"]
