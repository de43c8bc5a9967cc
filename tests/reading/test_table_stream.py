"""Tables that are read row by row: cells to the character, the rows of the whole-file reader, bounded memory."""

import gzip
import tracemalloc
from pathlib import Path

import pytest

from utils.errors import DataError
from utils.reading.delimited.cells import CsvDialect
from utils.reading.read_frame import read_frame
from utils.reading.table_stream import dialect_of_output, open_table


@pytest.fixture
def table(tmp_path):
    """Open a file of this name and content."""

    def make(name: str, content: str | bytes, **options):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return open_table(str(path), **options)

    return make


def cells(table) -> list[list[str]]:
    return [row for _, row in table.rows()]


def test_rows_have_the_number_of_the_line_that_they_start_in(table):
    found = table("a.csv", 'text,label\n"two\nlines",1\n\nlast,0\n')
    assert (found.columns, found.count) == (["text", "label"], 2)
    assert list(found.rows()) == [(2, ["two\nlines", "1"]), (5, ["last", "0"])]
    assert list(found.rows()) == list(found.rows())


def test_cells_stay_to_the_character(table):
    content = ' Text ,"a ""b""",n\r\n"x\ny\r\nz", 1.0 ,00\r\n5" nail,"q"r,\x85\u2028\n"a,b",,"\t"\r\n'
    assert (found := table("a.csv", content)).columns == [" Text ", 'a "b"', "n"]
    assert cells(found) == [["x\ny\r\nz", " 1.0 ", "00"], ['5" nail', '"q"r', "\x85\u2028"], ["a,b", "", "\t"]]
    assert found.dialect == CsvDialect(",", True, "\r\n", False)


def test_quotes_in_tab_separated_text_are_text_unless_they_enclose(table):
    assert cells(table("a.tsv", 'text\tlabel\n"Good" film\t1\n"unclosed\t0\n')) == [
        ['"Good" film', "1"],
        ['"unclosed', "0"],
    ]
    quoted = table("b.tsv", '"text"\t"label"\n"a\tb\nc"\t"1"\n')
    assert (quoted.columns, cells(quoted)) == (["text", "label"], [["a\tb\nc", "1"]])


def test_a_quoted_file_is_known_where_the_sample_ends_inside_a_cell(table):
    row = '"a ""long""\nlong\nlong text"\t"1"\n'
    found = table("a.tsv", '"text"\t"label"\n' + row * 40_000)
    assert found.count == 40_000
    assert all(row == ['a "long"\nlong\nlong text', "1"] for row in cells(found))


@pytest.mark.parametrize(
    ("name", "content", "columns", "rows"),
    [
        ("a.csv", "text;label\na,b;1\n", ["text", "label"], [["a,b", "1"]]),
        ("a.csv", "text\tlabel\na,b\t1\n", ["text", "label"], [["a,b", "1"]]),
        ("a.csv", "\ufefftext,label\né,1\n", ["text", "label"], [["é", "1"]]),
        ("a.csv", "text,label\né,1\n".encode("utf-16"), ["text", "label"], [["é", "1"]]),
        ("a.csv", "text,label\ra,1\rb,0\r", ["text", "label"], [["a", "1"], ["b", "0"]]),
        ("a.csv.gz", gzip.compress(b"text,label\na,1\n", mtime=0), ["text", "label"], [["a", "1"]]),
        ("a.txt", "one\r\n\r\n two, 2\n", ["text"], [["one"], [" two, 2"]]),
        ("a.jsonl", '{"text": "a", "n": 1}\n{"text": null, "n": 2.50}\n', ["text", "n"], [["a", "1"], ["", "2.50"]]),
    ],
)
def test_forms_that_people_have(table, name, content, columns, rows):
    found = table(name, content)
    assert (found.columns, cells(found), found.count) == (columns, rows, len(rows))


def test_without_a_header_the_first_line_is_data(table):
    found = table("a.txt", "good\t1\nbad\t0\n", header=False)
    assert (found.columns, cells(found), found.count) == (["0", "1"], [["good", "1"], ["bad", "0"]], 2)


@pytest.mark.parametrize(
    ("content", "warning"),
    [
        ("text\nle café était très bon\n".encode("cp1252"), "read as cp1252, which is a guess"),
        (
            "text\nà été\n".encode() * 3 + b"un \xe9t\xe9\n",
            "1 lines are not UTF-8, the first is line 7; read as cp1252",
        ),
    ],
)
def test_other_encodings_are_read_as_the_whole_file_reader_does(table, tmp_path, caplog, content, warning):
    found = cells(table("a.csv", content))
    assert warning in caplog.text
    assert found == read_frame([tmp_path / "a.csv"])[0].to_numpy().tolist()


def test_an_encoding_that_shows_late_is_found(table, caplog):
    found = table("a.csv", b"text\n" + b"plain ascii text\n" * 100_000 + "le café était très bon\n".encode("cp1252"))
    assert list(found.rows())[-1] == (100_002, ["le café était très bon"])
    assert "which is a guess" in caplog.text


def test_short_rows_are_filled_and_counted(table, caplog):
    found = table("a.csv", "text,label\na,1\nb\nc\n")
    assert cells(found) == [["a", "1"], ["b", ""], ["c", ""]]
    assert [record.getMessage().partition("a.csv")[2] for record in caplog.records] == [
        ": 2 rows lack cells, which are read as empty; the first is line 3"
    ]


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("a.csv", "text,label\na,1\nb,0,new\n", "line 3: 3 cells, but the first line has 2"),
        ("a.tsv", 'text\nan "a\tb"\n', "line 2: 2 cells, but the first line has 1"),
        ("a.csv", 'text,label,id\na,1,2\n"open,0\nb,1,3\n', "line 3: the quote that opens a cell here is not closed"),
        ("a.csv", "text,label\n", "holds no rows"),
        ("a.csv", "\n \n", "is empty"),
        ("a.txt", "", "is empty"),
        ("a.csv", b"\x89PNG\r\n\x1a\n\0", "is not text: it looks like a PNG image"),
        ("a.csv", "text\né\n".encode("utf-16")[:-1], "is not complete utf-16"),
        ("a.csv.gz", gzip.compress(b"text\na\n" * 99, mtime=0)[:-9], "is not a complete gzip file"),
        ("a.csv.gz", b"text\na\n", "is not a complete gzip file"),
        ("a.csv", b"x" * (1 << 24), "line 1 is longer than"),
        ("a.xyz", "text\n", "not supported"),
    ],
)
def test_bad_files_are_refused_when_they_are_opened(table, name, content, problem):
    with pytest.raises(DataError) as caught:
        table(name, content)
    assert problem in caught.value.problem
    assert name in caught.value.problem


def test_a_missing_file(tmp_path):
    (tmp_path / "reviews.csv").write_text("text\na\n")
    with pytest.raises(DataError, match="does not exist") as caught:
        open_table(str(tmp_path / "review.csv"))
    assert "reviews.csv" in caught.value.hint


@pytest.mark.parametrize(
    ("source", "output", "dialect", "delimiter", "quoting"),
    [
        ("a.csv", "b.csv", CsvDialect(";"), ";", True),
        ("a.csv", "b.csv", CsvDialect("\t", False), "\t", False),
        ("a.tsv", "b.tsv", CsvDialect("\t", False), "\t", False),
        ("a.txt", "b.csv", CsvDialect("\t", False), ",", True),
        ("a.tsv", "b.csv", CsvDialect("\t", False), ",", True),
        ("a.csv", "b.tsv", CsvDialect(","), "\t", True),
        ("a.csv.gz", "b.csv", CsvDialect(";"), ";", True),
        ("a.jsonl", "b.csv", CsvDialect(), ",", True),
    ],
)
def test_the_output_is_written_as_the_input_unless_its_name_ends_otherwise(source, output, dialect, delimiter, quoting):
    found = dialect_of_output(Path(output), source, dialect)
    assert (found.delimiter, found.quoting) == (delimiter, quoting)


def test_memory_does_not_grow_with_the_file(tmp_path):
    path = tmp_path / "large.csv"
    row = '7,"' + 'a text of some words, with ""quotes"" ' * 25 + '\nand a second line",0\n'
    path.write_text("id,text,label\n" + row * 10_000)  # 10 MB, of which 1 MB is looked at to recognize the form

    tracemalloc.start()
    found = open_table(str(path))
    assert sum(len(cells) == 3 for _, cells in found.rows()) == found.count == 10_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 6_000_000
