"""Compressed files, a .zip of one table, and what is piped in."""

import bz2
import gzip
import hashlib
import io
import json
import lzma
import os
import sys
import zipfile

import pandas as pd
import pytest

from utils.errors import DataError, UsageError
from utils.reading import compressed
from utils.reading.compressed import on_disk
from utils.reading.read_frame import files_of, read_frame
from utils.reading.table_stream import open_table

CSV = b"text,label\nx,1\ny,0\n"
EXPECTED = {"text": ["x", "y"], "label": ["1", "0"]}


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


@pytest.fixture
def pipe(monkeypatch):
    """Let another program write these bytes to stdin."""
    return lambda content: monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv.gz", gzip.compress(CSV)),
        ("a.csv.bz2", bz2.compress(CSV)),
        ("a.csv.xz", lzma.compress(CSV)),
        ("a.zip", zipped({"data/reviews.csv": CSV})),
        ("a.zip", zipped({"README.md": b"#", "LICENSE.txt": b"MIT", "__MACOSX/._a.csv": b"x", "a.csv": CSV})),
        ("a.ZIP", zipped({"a.json": json.dumps(EXPECTED).encode()})),
        ("a.zip", zipped({"a.parquet": pd.DataFrame(EXPECTED).to_parquet()})),
        ("tweets.zip", zipped({"tweets.csv": CSV, "index.html": b"<html>"}, zipfile.ZIP_STORED)),
    ],
    ids=["gzip", "bzip2", "xz", "zip", "zip with a licence", "zip of JSON", "zip of Parquet", "zip with a page"],
)
def test_compressed_tables(read, tmp_path, name, content):
    assert read(name, content).to_dict("list") == EXPECTED
    table = open_table(str(tmp_path / name))
    assert [cells for _, cells in table.rows()] == [["x", "1"], ["y", "0"]]


def test_a_zip_is_named_with_its_table_and_hashed_as_it_is(tmp_path):
    (tmp_path / "a.zip").write_bytes(zipped({"data/b.csv": CSV}))
    _, (source,) = read_frame([tmp_path / "a.zip"])
    assert source.path == f"{tmp_path / 'a.zip'}: data/b.csv"
    assert source.sha256 == hashlib.sha256((tmp_path / "a.zip").read_bytes()).hexdigest()


def test_a_zip_of_several_tables_names_them(fails):
    error = fails("a.zip", zipped({"train.csv": CSV, "test.csv": CSV}))
    assert "a.zip holds 2 files: train.csv, test.csv" in error.problem
    assert "unpack" in error.hint


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (zipped({"a.csv": CSV}, zipfile.ZIP_LZMA), "a method that is not supported, lzma"),
        (zipped({"a.csv": CSV}, zipfile.ZIP_STORED).replace(b"x,1", b"x,2"), "not a complete zip file: Bad CRC-32"),
        (zipped({"a.csv": CSV})[:-9], "is a damaged zip file, or only the beginning of one"),
        (zipped({"image.png": b"x"}), "holds no tweets file of X"),
    ],
    ids=["method", "checksum", "cut off", "no table"],
)
def test_a_zip_that_cannot_be_read(fails, content, problem):
    assert problem in fails("a.zip", content).problem


BOMB = b"text\n" + b"a word\n" * 30_000


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.zip", zipped({"a.csv": BOMB})),
        ("a.csv.gz", gzip.compress(BOMB)),
        ("a.txt.bz2", bz2.compress(BOMB)),
        ("a.txt.xz", lzma.compress(BOMB)),
        ("a.parquet", pd.DataFrame({"text": ["a word"] * 300_000}).to_parquet()),
    ],
    ids=["zip", "gzip", "bzip2", "xz", "parquet"],
)
def test_a_file_that_grows_beyond_reason_is_refused(fails, monkeypatch, name, content):
    monkeypatch.setattr(compressed, "ALWAYS_ALLOWED", 10_000)
    error = fails(name, content)
    assert "of memory, from" in error.problem
    assert "if you trust the file" in error.hint


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.txt", "a.json"])
def test_a_device_or_a_pipe_is_no_file(tmp_path, name):
    (tmp_path / name).symlink_to("/dev/zero")
    os.mkfifo(tmp_path / f"fifo-{name}")
    for path in (tmp_path / name, tmp_path / f"fifo-{name}"):
        with pytest.raises(DataError, match="is a device or a pipe, not a file") as caught:
            read_frame([path])
        assert "--data_path -" in caught.value.hint


def test_a_damaged_file_names_its_format(fails):
    assert "not a complete bzip2 file" in fails("a.csv.bz2", bz2.compress(CSV)[:-5]).problem
    assert "not a complete xz file" in fails("a.csv.xz", lzma.compress(CSV)[:-5]).problem


def test_the_zip_files_of_a_folder_are_skipped(tmp_path, caplog):
    (tmp_path / "a.csv").write_bytes(CSV)
    (tmp_path / "a.zip").write_bytes(zipped({"a.csv": CSV}))
    assert len(read_frame([tmp_path])[0]) == 2
    assert "skipped a.zip" in caplog.text


PIPED = {
    "CSV": CSV,
    "CSV in UTF-16": CSV.decode().encode("utf-16"),
    "TSV": CSV.replace(b",", b"\t"),
    "semicolons": CSV.replace(b",", b";"),
    "JSON": json.dumps(EXPECTED).encode(),
    "JSON Lines": b'{"text": "x", "label": 1}\n{"text": "y", "label": 0}\n',
    "a list": b'\n [\n{"text": "x", "label": 1}, {"text": "y", "label": 0}]',
    "Parquet": pd.DataFrame(EXPECTED).to_parquet(),
    "gzip": gzip.compress(CSV),
    "xz": lzma.compress(CSV),
    "zip": zipped({"a.csv": CSV}),
}


@pytest.mark.parametrize("content", PIPED.values(), ids=PIPED)
def test_compressed_input_from_a_pipe_is_recognized(pipe, content):
    pipe(content)
    frame, (source,) = read_frame(["-"])
    assert frame.to_dict("list") == EXPECTED
    assert source.path.startswith("stdin")
    assert source.sha256 == hashlib.sha256(content).hexdigest()
    assert [cells for _, cells in open_table("-").rows()] == [["x", "1"], ["y", "0"]]  # read again


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("text\nHello there, you\nno comma here\n", {"text": ["Hello there, you", "no comma here"]}),
        ("Hello there, you\nno comma\n\n", {"text": ["Hello there, you", "no comma"]}),
        ("[photo] so nice\n{really} so\n", {"text": ["[photo] so nice", "{really} so"]}),
        ("so good;1\nso bad;0\nfine;1\nno;0\n", {"text": ["so good", "so bad", "fine", "no"], "label": list("1010")}),
        ("one line", {"text": ["one line"]}),
        ('"text"\n"one, two"\n"three ""four"""\n', {"text": ["one, two", 'three "four"']}),
        ('[\n "one, two",\n "so good"\n]', {"text": ["one, two", "so good"]}),
        ('["so nice" he said]\nok\n', {"text": ['["so nice" he said]', "ok"]}),
    ],
)
def test_texts_that_are_piped_in(pipe, content, expected):
    pipe(content.encode())
    assert read_frame(["-"])[0].to_dict("list") == expected


def test_errors_name_stdin(pipe):
    pipe(b"id,text\n1,a\n2,b\n3,c\n4,d\n5,e\n6,f\n7,g\n8,h\n9,i\n10,j\n11,k,1\n")
    with pytest.raises(DataError, match=r"stdin, line 12: 3 cells, but the first line has 2"):
        read_frame(["-"])


def test_nothing_is_piped_in(pipe, monkeypatch):
    pipe(b"")
    with pytest.raises(DataError, match="stdin is empty"):
        read_frame(["-"])
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    for stdin in (None, terminal):
        monkeypatch.setattr(sys, "stdin", stdin)
        with pytest.raises(UsageError, match="nothing is piped in"):
            read_frame(["-"])


def test_stdin_is_copied_once(pipe):
    pipe(CSV)
    assert files_of("-") == ["stdin"]
    assert on_disk("stdin") == on_disk("stdin")
    assert on_disk("stdin").read_bytes() == CSV


@pytest.mark.timeout(20)
@pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".zip", ".parquet", ".jsonl"])
def test_a_device_is_never_read_whatever_its_name_says(tmp_path, ending):
    (tmp_path / f"a{ending}").symlink_to("/dev/zero")
    with pytest.raises(DataError, match="a device or a pipe"):
        read_frame([tmp_path / f"a{ending}"])
