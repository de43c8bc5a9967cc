"""The columns of text and label, by name, by number or by their cells."""

import csv
import json
import logging

import pytest

from utils.errors import DataError
from utils.results.columns_to_classify import open_table_to_classify
from utils.tasks.columns import RequestedColumns, read_rows
from utils.tasks.reviews import REVIEWS
from utils.tasks.tweets import TWEETS


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
    table, columns = open_table_to_classify(str(path), RequestedColumns(), header=True)
    assert (table.columns[columns.text], table.columns[columns.label]) == (text, label)
    cells = [cells for _, cells in table.rows()]
    assert [row[columns.text] for row in cells] == rows["text"].tolist()
    assert [row[columns.label] for row in cells] == rows["label"].tolist()
    assert caplog.text.count(f"the text is in column {text!r}, the label in column {label!r}") == 2


def test_a_table_to_classify_may_have_no_label(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("id,text\n1,good film\n2,bad film\n")
    _, columns = open_table_to_classify(str(path), RequestedColumns(), header=True)
    assert (columns.text, columns.label) == (1, None)


def test_lists_of_several_labels_stay_lists_and_are_found_by_their_name(tmp_path, caplog):
    path = tmp_path / "a.jsonl"
    labels = [["warm", "dear"], [], ["warm"]]
    rows = [{"text": f"text {number}", "labels": of_text} for number, of_text in enumerate(labels)]
    path.write_text("\n".join(map(json.dumps, rows)))
    for requested in (None, "labels"):
        table, columns = open_table_to_classify(str(path), RequestedColumns(label=requested), header=True)
        assert [json.loads(cells[columns.label]) for _, cells in table.rows()] == labels
    assert not [each for each in caplog.records if each.levelno >= logging.WARNING]


def test_a_column_with_lists_of_objects_is_not_taken_for_labels(tmp_path):
    path = tmp_path / "a.jsonl"
    rows = [{"text": f"text {number}", "labels": [{"name": "bug"}, {"name": "new"}]} for number in range(5)]
    path.write_text("\n".join(map(json.dumps, rows)))
    _, columns = open_table_to_classify(str(path), RequestedColumns(), header=True)
    assert columns.label is None


# Inside objects and lists ---------------------------------------------------------------------------------------------

TEXTS = [
    "We walked home along the wide river",
    "A small dog stole my lunch today",
    "Rain all week means soup and old films",
    "The tram was late again this morning",
]
OTHERS = [f"Somebody else said that {text} for sure" for text in TEXTS]
PIECES = [[text[:9], {"type": "bold", "text": text[9:]}] for text in TEXTS]


@pytest.fixture
def both_ways(tmp_path):
    """Write rows as JSON Lines, read them for training and for classifying; return texts, labels and the column."""

    def read(task, rows, text=None, label=None):
        path, requested = tmp_path / "a.jsonl", RequestedColumns(text, label)
        path.write_text("\n".join(map(json.dumps, rows)))
        trained, _ = read_rows(task, [str(path)], requested)
        table, columns = open_table_to_classify(str(path), requested, header=True)
        cells = [cells for _, cells in table.rows()]
        assert [row[columns.text] for row in cells] == trained["text"].tolist()
        assert {len(row) for row in cells} == {len(table.columns)}
        labels = None if columns.label is None else [row[columns.label] for row in cells]
        return trained["text"].tolist(), labels, table.columns[columns.text]

    return read


@pytest.mark.parametrize(
    ("path", "row"),
    [
        (
            "post.record.text",  # Bluesky's feed
            lambda text, other: {
                "post": {
                    "uri": "at://did:plc:abc/1",
                    "author": {"handle": "ann.example.org", "description": other},
                    "record": {"text": text, "langs": ["en"], "embed": {"images": [{"alt": other}]}},
                    "embed": {"record": {"value": {"text": other}}},
                },
                "reply": {"parent": {"record": {"text": other}}},
            },
        ),
        (
            "commit.record.text",
            lambda text, _: {"did": "did:plc:abc", "commit": {"rev": "a", "record": {"text": text}}},
        ),
        (
            "snippet.topLevelComment.snippet.textOriginal",
            lambda text, other: {
                "kind": "youtube#commentThread",
                "snippet": {"topLevelComment": {"snippet": {"textDisplay": f"<b>{text}</b>", "textOriginal": text}}},
                "replies": {"comments": [{"snippet": {"textOriginal": other}}]},
            },
        ),
        ("snippet.textDisplay", lambda text, _: {"id": "Ug1", "snippet": {"textDisplay": text, "likeCount": 1}}),
        ("media[].title", lambda text, _: {"media": [{"uri": "", "creation_timestamp": 1, "title": text}]}),
        ("data.body", lambda text, other: {"kind": "t1", "data": {"body": text, "author": "ann", "link_title": other}}),
        ("data[].post", lambda text, _: {"title": "Ann updated her status.", "data": [{"post": text}, {"update": 1}]}),
        ("data[].comment.comment", lambda text, _: {"data": [{"comment": {"comment": text, "author": "Ann Lee"}}]}),
        ("tweet.full_text", lambda text, _: {"tweet": {"full_text": text, "entities": {"hashtags": [{"text": "a"}]}}}),
        ("_source.text", lambda text, other: {"_id": "1", "_source": {"text": text, "user": {"description": other}}}),
        ("content", lambda text, _: {"role": "user", "content": [{"type": "text", "text": text}, {"type": "image"}]}),
        ("text", lambda text, _: {"_id": {"$oid": "5f1"}, "text": text}),
    ],
)
def test_the_text_inside_an_export(both_ways, path, row):
    rows = [row(text, other) for text, other in zip(TEXTS, OTHERS, strict=True)]
    assert both_ways(TWEETS, rows) == (TEXTS, None, path)
    assert both_ways(TWEETS, rows, text=path.replace("[]", "").upper())[0] == TEXTS


def test_a_text_is_a_string_or_a_list_of_pieces(both_ways):
    rows = [{"text": text if row % 2 else PIECES[row]} for row, text in enumerate(TEXTS)]
    rows += [{"text": ""}, {"text": {"odd": "object"}}]
    assert both_ways(TWEETS, rows) == ([*TEXTS, "", ""], None, "text")


def test_a_text_is_in_one_of_two_places(both_ways, caplog):
    caplog.set_level("INFO")
    rows = [{"media": [{"title": text}], "at": 1} for text in TEXTS]
    rows += [{"media": [{"title": ""}, {"title": ""}], "title": text} for text in OTHERS]
    assert both_ways(TWEETS, rows)[0] == [*TEXTS, *OTHERS]
    assert "is empty, the text is from column" in caplog.text


def test_the_label_inside_an_object(both_ways):
    rows = [
        {"content": {"label": text}, "rating": {"label": str(row % 2)}, "user": {"verified": row % 2 == 0}}
        for row, text in enumerate(TEXTS)
    ]
    assert both_ways(REVIEWS, rows, text="content.label") == (TEXTS, list("0101"), "content.label")
    labels = both_ways(REVIEWS, rows, text="content.label", label="user.verified")[1]
    assert labels == ["true", "false"] * 2


def test_the_label_in_a_list_beside_the_text(tmp_path):
    rows = [{"id": row, "text": text, "label": ["yes" if row % 2 else "no"]} for row, text in enumerate(TEXTS)]
    (tmp_path / "a.json").write_text(json.dumps(rows))
    found, _ = read_rows(REVIEWS, [str(tmp_path / "a.json")], RequestedColumns())
    assert (found["text"].tolist(), found["label"].tolist()) == (TEXTS, ["no", "yes"] * 2)


@pytest.mark.parametrize(
    ("row", "requested", "said"),
    [
        ({"comments": [{"text": TEXTS[0]}, {"text": TEXTS[1]}]}, None, "'comments[].text', several in a row"),
        ({"a": {"said": TEXTS[0]}, "b": {"said": OTHERS[0]}}, None, "texts are in 'a.said'; 'b.said'"),
        (
            {"a": {"said": TEXTS[0]}, "b": {"said": OTHERS[0]}},
            "a",
            "holds objects or lists; the texts inside are: 'a.s",
        ),
        (
            {"a": {"said": TEXTS[0]}},
            "a.thought",
            "there is no column 'a.thought'; the columns are: 'a'; the",
        ),
        ({"tags": ["so so good", "no no"]}, None, "no column looks like the text"),
    ],
)
def test_an_unclear_text_column_is_refused_with_the_paths(both_ways, row, requested, said):
    rows = [json.loads(json.dumps(row).replace("We", word)) for word in ("We", "They", "You")]
    with pytest.raises(DataError) as caught:
        both_ways(TWEETS, rows, text=requested)
    assert said in caught.value.problem
    assert "--text_column" in caught.value.hint


def test_objects_that_pandas_wrote_into_a_csv_file(tmp_path):
    path = tmp_path / "a.csv"
    csv_rows = [["id", "record"], *([number, str({"text": text, "n": None})] for number, text in enumerate(TEXTS))]
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(csv_rows)
    assert read_rows(TWEETS, [str(path)], RequestedColumns())[0]["text"].tolist() == TEXTS
    table, columns = open_table_to_classify(str(path), RequestedColumns(), header=True)
    assert table.columns == ["id", "record", "record.text"]
    assert [cells[columns.text] for _, cells in table.rows()] == TEXTS


# Files without names, and several files -------------------------------------------------------------------------------


def test_a_file_of_one_column_without_a_name_loses_no_row(tmp_path, caplog):
    path = tmp_path / "a.csv"
    path.write_text("\n".join(TEXTS))
    caplog.set_level("INFO")
    assert read_rows(TWEETS, [str(path)], RequestedColumns())[0]["text"].tolist() == TEXTS
    table, columns = open_table_to_classify(str(path), RequestedColumns(), header=True)
    assert [cells[columns.text] for _, cells in table.rows()] == TEXTS
    assert caplog.text.count("the first line names no known column") == 2


def write(folder, files):
    for name, content in files.items():
        (folder / name).write_text(content if isinstance(content, str) else "\n".join(map(json.dumps, content)))
    return [str(folder / name) for name in files]


def test_each_file_may_name_its_text_otherwise(tmp_path, caplog):
    files = {
        "a.csv": "id,text\n" + "".join(f"{number},{text}\n" for number, text in enumerate(TEXTS * 2)),
        "b.csv": "at,Your comment\n" + "".join(f"2020-01-0{day},{text}\n" for day, text in enumerate(OTHERS, 1)),
        "c.jsonl": [{"post": {"record": {"text": text}}} for text in TEXTS],
        "d.jsonl": [{"text": text, "lang": "en"} for text in OTHERS],
    }
    paths = write(tmp_path, files)
    caplog.set_level("INFO")
    rows, _ = read_rows(TWEETS, paths, RequestedColumns())
    assert rows["text"].tolist() == [*TEXTS, *TEXTS, *OTHERS, *TEXTS, *OTHERS]
    said = [line for line in caplog.messages if line.startswith("read")]
    assert said == [
        f"read 12 rows of {paths[0]} and 1 more; the text is in column 'text'",
        f"read 4 rows of {paths[1]}; the text is in column 'Your comment'",
        f"read 4 rows of {paths[2]}; the text is in column 'post.record.text'",
    ]


def test_a_file_without_text_beside_others_is_left_out_with_a_warning(tmp_path, caplog):
    paths = write(tmp_path, {"a.csv": "text\n" + "\n".join(TEXTS), "b.csv": "user,age\nann,5\nbob,6\n"})
    rows, _ = read_rows(TWEETS, paths, RequestedColumns())
    assert rows["text"].tolist() == [*TEXTS, "", ""]
    assert "b.csv: no column looks like the text of tweets" in caplog.text


def test_several_files_without_names(tmp_path, caplog):
    paths = write(tmp_path, {"a.csv": "\n".join(TEXTS), "b.csv": "\n".join(OTHERS), "c.jsonl": [{"text": TEXTS[0]}]})
    rows, _ = read_rows(TWEETS, paths, RequestedColumns())
    assert rows["text"].tolist() == [*TEXTS, *OTHERS, TEXTS[0]]
    (tmp_path / "d.csv").write_text("text\n" + "\n".join(TEXTS))
    rows, _ = read_rows(TWEETS, [*paths, str(tmp_path / "d.csv")], RequestedColumns())
    assert len(rows) == 3 + 3 + 1 + 4
    assert rows["text"].ne("").all()
    assert "a.csv, " in caplog.text
    assert "looks like data, but other files have names there" in caplog.text


def test_whole_texts_are_classified_in_a_column_of_their_own(tmp_path):
    path = tmp_path / "a.jsonl"
    cut = {
        "text": "the tram was late and so we wal… https://t.co/a",
        "note_tweet": {"text": "the tram was late and so we walked"},
    }
    path.write_text("\n".join(map(json.dumps, [cut, {"text": "good film", "note_tweet": None}])))
    table, columns = open_table_to_classify(str(path), RequestedColumns(), header=True)
    assert table.columns == ["text", "note_tweet", "whole_text"]
    assert [cells[columns.text] for _, cells in table.rows()] == ["the tram was late and so we walked", "good film"]
    assert [cells[0] for _, cells in table.rows()] == [cut["text"], "good film"]
    table, columns = open_table_to_classify(str(path), RequestedColumns(text="text"), header=True)
    assert (table.columns, columns.text) == (["text", "note_tweet"], 0)
