"""The rows that read_frame reads from files and folders, and its errors for unreadable ones."""

import codecs
import csv
import gzip
import hashlib
import io
import json
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from frames import checked, rows
from pyarrow import parquet

from utils.errors import DataError
from utils.reading.read_frame import NOT_TEXT, read_frame

SAMPLES = Path(__file__).parent.parent.parent / "data" / "samples"


@pytest.mark.parametrize("start", [0, 1])
def test_unnamed_running_index_is_dropped(read, start):
    frame = read("scrape.csv", f",0,1,2,3\n{start},2021-01-01,77,hello,ann\n{start + 1},2021-01-02,78,you,bob\n")
    assert frame.to_dict("list") == {
        "0": ["2021-01-01", "2021-01-02"], "1": ["77", "78"], "2": ["hello", "you"], "3": ["ann", "bob"],
    }  # fmt: skip


def test_unnamed_column_that_is_no_index_is_kept(read):
    assert read("a.csv", ",text\n5,a\n9,b\n").to_dict("list") == {"Unnamed: 0": ["5", "9"], "text": ["a", "b"]}


def test_bytes_literals_are_decoded(read, caplog):
    cells = [r"b'caf\xc3\xa9 \xe2\x80\xa6'", r"""b"it's \xf0\x9f\x98\x80\n\d" """.strip()]
    frame = read("a.csv", pd.DataFrame({"id": ["1", "2"], "text": cells}).to_csv(index=False))
    assert frame["text"].tolist() == ["café …", "it's 😀\n\\d"]
    assert "2 of 2 cells" in caplog.text


def test_a_text_that_starts_like_a_bytes_literal_is_left_alone(read):
    texts = ["b'hello'", "some text", "more", "b'"]
    assert read("a.csv", "text\n" + "\n".join(texts)).to_dict("list") == {"text": texts}


def test_a_cut_bytes_literal_stays_as_it_is(read):
    texts = [f"b'number {n}'" for n in range(19)] + [r"b'cut \xe2\x8"]
    assert read("a.csv", "text\n" + "\n".join(texts))["text"].tolist()[-2:] == ["number 18", r"b'cut \xe2\x8"]


def test_parquet_values_as_text(read):
    table = pd.DataFrame(
        {
            "id": pd.array([2**60 + 1, None], dtype="Int64"),
            "text": ["été", None],
            "flag": [True, False],
            "score": [0.5, float("nan")],
            "price": [Decimal("1.10"), Decimal("2.00")],
            "tags": [["a", "b"], []],
        },
        index=[5, 9],
    )
    assert rows(read("a.parquet", table.to_parquet())) == [
        [str(2**60 + 1), "été", "true", "0.5", "1.10", '["a","b"]'],
        [None, None, "false", None, "2.00", "[]"],
    ]


@pytest.mark.parametrize(
    ("name", "content"), [("a.csv.gz", "text\nx\n"), ("a.jsonl.gz", '{"text": "x"}'), ("a.TXT.GZ", "x")]
)
def test_gzipped_text(read, name, content):
    assert read(name, gzip.compress(content.encode())).to_dict("list") == {"text": ["x"]}


def test_cells_that_were_not_text_are_marked(tmp_path):
    first, second, third = (tmp_path / name for name in ("a.jsonl", "b.csv", "c.json"))
    first.write_text('{"x": "a", "y": "t"}\n{"x": ["a"], "y": "t"}\n{"x": true, "y": "t"}\n')
    second.write_text("X,y\ntrue,[1]\n")
    third.write_text('[{"y": {"a": 1}, "z": null}, {"y": 1.50, "z": 2}]')
    frame, _ = read_frame([first, second, third])
    assert frame["x"].tolist()[:4] == ["a", '["a"]', "true", "true"]
    assert frame["y"].tolist() == ["t", "t", "t", "[1]", '{"a":1}', "1.50"]
    assert frame.attrs[NOT_TEXT] == {"x": bytes([0, 1, 1, 0, 0, 0]), "y": bytes([0, 0, 0, 0, 1, 0])}
    assert read_frame([first])[0].attrs[NOT_TEXT] == {"x": bytes([0, 1, 1])}
    assert read_frame([second])[0].attrs[NOT_TEXT] == {}


def test_files_are_joined_by_column_name(tmp_path):
    (tmp_path / "a.csv").write_text("Tweet Text,id\nx,1\n")
    (tmp_path / "b.jsonl").write_text('{"id": 2, "tweet text": "y", "lang": "en"}\n{"id": 3}\n')
    paths = [str(tmp_path / "a.csv"), tmp_path / "b.jsonl"]
    frame, sources = read_frame(paths)
    assert list(frame.columns) == ["Tweet Text", "id", "lang"]
    assert rows(frame) == [["x", "1", None], ["y", "2", "en"], [None, "3", None]]
    assert list(frame.index) == [0, 1, 2]
    assert [source.path for source in sources] == [str(path) for path in paths]
    assert [source.rows for source in sources] == [1, 2]
    assert sources[0].sha256 == hashlib.sha256(b"Tweet Text,id\nx,1\n").hexdigest()


def test_folder_is_its_supported_files_by_name(tmp_path, caplog):
    for name, content in {"b.csv": "text\nb\n", "a.CSV": "text\na\n", "notes.md": "# no", ".hidden.csv": "x"}.items():
        (tmp_path / name).write_text(content)
    (tmp_path / "sub").mkdir()
    frame, sources = read_frame([tmp_path])
    assert frame["text"].tolist() == ["a", "b"]
    assert [source.path for source in sources] == [str(tmp_path / "a.CSV"), str(tmp_path / "b.csv")]
    assert "skipped notes.md, sub;" in caplog.text


def test_missing_file_names_its_neighbours(tmp_path):
    (tmp_path / "tweets.csv").write_text("text\nx\n")
    with pytest.raises(DataError) as caught:
        read_frame([tmp_path / "twets.csv"])
    assert "does not exist" in checked(caught.value, "twets.csv").problem
    assert str(tmp_path / "tweets.csv") in caught.value.hint


def test_missing_folder_and_impossible_name():
    for path in ("no/such/folder/a.csv", "a" * 5000 + ".csv"):
        with pytest.raises(DataError) as caught:
            read_frame([path])
        checked(caught.value, path)


def test_unreadable_file(tmp_path):
    path = tmp_path / "secret.csv"
    path.write_text("text\nx\n")
    path.chmod(0)
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(65534)
    try:
        with pytest.raises(DataError) as caught:
            read_frame([path])
    finally:
        if is_root:
            os.seteuid(0)
    assert "Permission denied" in checked(caught.value, "secret.csv").problem


def test_folder_without_supported_files(tmp_path):
    (tmp_path / "a.xlsx").write_text("x")
    with pytest.raises(DataError) as caught:
        read_frame([tmp_path])
    assert ".jsonl" in checked(caught.value, str(tmp_path)).hint


def test_unsupported_kind(fails):
    for name in ("a.xlsx", "a", "a.parquet.gz"):
        assert ".parquet" in fails(name, "x").hint


def test_parquet_texts_that_are_not_utf8(read, fails, caplog):
    texts = pa.array([b"caf\xe9", "café".encode(), None], pa.binary())
    texts = pa.StringArray.from_buffers(3, texts.buffers()[1], texts.buffers()[2], texts.buffers()[0])
    for column, name in ((texts, "a.parquet"), (pa.ListArray.from_arrays([0, 3], texts), "b.parquet")):
        content = io.BytesIO()
        parquet.write_table(pa.table({"text": column}), content)
        if name == "a.parquet":
            assert read(name, content.getvalue())["text"].tolist()[:2] == ["café", "café"]
            assert "column text: some of its texts are not UTF-8; read as cp1252" in caplog.text
        else:
            assert "column text: its texts are not UTF-8" in fails(name, content.getvalue()).problem


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.txt", "a.json", "a.jsonl", "a.parquet"])
@pytest.mark.parametrize("content", [b"", b" \r\n\t\n", codecs.BOM_UTF8])
def test_empty_file(fails, name, content):
    if not (name == "a.parquet" and content.strip()):
        assert "is empty" in fails(name, content).problem


def test_no_rows(fails):
    table = pd.DataFrame({"text": pd.Series([], dtype="str")}).to_parquet()
    for name, content in {"a.csv": "id,text\n\n", "a.json": "[]", "b.json": '{"text": []}', "a.parquet": table}.items():
        assert "no rows" in fails(name, content).problem


def test_cut_off_binary_formats(fails):
    table = pd.DataFrame({"text": ["x"] * 100}).to_parquet()
    assert "cut off" in fails("a.parquet", table[:-20]).hint
    assert "cut off" in fails("a.parquet", table[: len(table) // 2]).hint
    packed = gzip.compress(os.urandom(2000).hex().encode())
    assert "cut off" in fails("a.csv.gz", packed[:-50]).hint
    assert "gzip" in fails("a.csv.gz", b"text\nx\n").problem


def test_samples():
    english, french = read_frame([SAMPLES / "tweets.csv"])[0], read_frame([SAMPLES / "tweets_fr.jsonl"])[0]
    with (SAMPLES / "tweets.csv").open(encoding="utf-8", newline="") as file:
        assert english.to_dict("records") == list(csv.DictReader(file))
    assert len(english) == 61
    lines = (SAMPLES / "tweets_fr.jsonl").read_text(encoding="utf-8").strip().split("\n")
    assert french["rawContent"].tolist() == [json.loads(line)["rawContent"] for line in lines]
    assert french["inReplyToTweetId"].notna().sum() == 1
    assert len(french) == 10


def test_importing_reading_imports_nothing_slow():
    slow = {"pandas", "numpy", "pyarrow", "charset_normalizer"}
    code = f"import sys, utils.reading.read_frame; print({slow} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=SAMPLES.parent.parent
    )
    assert done.stdout == "set()\n"
