"""The cells of CSV, TSV and text files: dialects, quotes, short and long rows; and rows written like them."""

import csv
import io

import pandas as pd
import pytest
from frames import rows
from hypothesis import given, settings
from hypothesis import strategies as st

from utils.errors import DataError
from utils.reading.csv_rows import encode_rows
from utils.reading.delimited.cells import CsvDialect
from utils.reading.read_frame import read_frame
from utils.reading.table_stream import open_table


def test_csv_cells_are_never_converted(read):
    cells = ["1234567890123456789", "2639", "26E9", "1e5", "007", "NA", "null", "None", "nan", "", " x ", "true"]
    frame = read("a.csv", "n,cell\n" + "".join(f"{n},{cell}\n" for n, cell in enumerate(cells)))
    assert list(frame.columns) == ["n", "cell"]
    assert rows(frame) == [[str(n), cell] for n, cell in enumerate(cells)]


def test_only_newlines_outside_quotes_end_a_row(read):
    frame = read("a.csv", 'id,text\n1,"two\nlines"\n2,a\u2028b\u0085c\x0bd\x1ce\rf\n3,"say ""hi"", now"\n')
    assert rows(frame) == [["1", "two\nlines"], ["2", "a\u2028b\u0085c\x0bd\x1ce\rf"], ["3", 'say "hi", now']]


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_line_ends_of_every_system(read, line_end):
    content = "id,text\n\n1,one\n2,two\n"
    assert rows(read("a.csv", content.replace("\n", line_end))) == [["1", "one"], ["2", "two"]]


def test_a_megabyte_in_one_cell(read):
    long = 'é,"\n' * 250_000
    frame = read("a.csv", 'id,text\n1,"{}"\n2,short\n'.format(long.replace('"', '""')))
    assert rows(frame) == [["1", long], ["2", "short"]]


def test_without_header_the_first_line_is_data(read):
    frame = read("a.csv", "a,b\nc,d\n", header=False)
    assert list(frame.columns) == ["0", "1"]
    assert rows(frame) == [["a", "b"], ["c", "d"]]


TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n\t\x85\x1b"))


@given(st.lists(st.lists(TEXTS, min_size=2, max_size=2)))
@settings(max_examples=100, deadline=None)
def test_whatever_csv_writes_is_read_back(tmp_path_factory, cells):
    path = tmp_path_factory.getbasetemp() / "any.csv"
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows([["first", "second"], ["x", "y"], *cells])
    path.write_bytes(buffer.getvalue().encode())
    assert rows(read_frame([path])[0]) == [["x", "y"], *cells]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_delimiter_is_recognized_in_the_header(read, delimiter):
    content = '"a,b;c"|d\n1|x y\n2|z\n'.replace("|", delimiter)
    frame = read("a.csv", content)
    assert list(frame.columns) == ["a,b;c", "d"]
    assert rows(frame) == [["1", "x y"], ["2", "z"]]


def test_quotes_in_tab_separated_text_are_text(read):
    content = '"Wow" she said\t1\nit is "fine\t0\n"Great, really"\t1\nbad" it was\t0\n'
    expected = [['"Wow" she said', "1"], ['it is "fine', "0"], ['"Great, really"', "1"], ['bad" it was', "0"]]
    for name in ("a.tsv", "a.csv", "a.txt"):
        assert rows(read(name, content, header=False)) == expected


def test_a_quote_that_opens_and_one_that_closes_lines_below_are_text(read):
    content = 'text\tlabel\n"Wow, what\t1\na film"\t0\n'
    assert rows(read("a.tsv", content)) == [['"Wow, what', "1"], ['a film"', "0"]]


@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
@pytest.mark.parametrize("text", ["two\nlines", "a\ttab", 'say "hi"', "plain"])
def test_tab_separated_cells_quoted_by_pandas(read, quoting, text):
    expected = [["1", text], ["2", "plain"], ["3", 'a\n"b"\tc']]
    written = pd.DataFrame(expected, columns=["id", "text"]).to_csv(sep="\t", index=False, quoting=quoting)
    assert rows(read("a.tsv", written)) == expected


def test_txt_is_one_text_per_line_unless_tabs_divide_it(read):
    assert read("a.txt", "one text, here\n\n two\u2028\n\tthree\n").to_dict("list") == {
        "text": ["one text, here", " two\u2028", "\tthree"]
    }
    assert read("b.txt", "text\tlabel\ngood\t1\n").to_dict("list") == {"text": ["good"], "label": ["1"]}


def test_short_rows_are_filled_and_reported_by_line(read, caplog):
    frame = read("a.csv", 'text,label\n"two\nlines",1\nlast\n')
    assert rows(frame) == [["two\nlines", "1"], ["last", ""]]
    assert "1 rows lack cells" in caplog.text
    assert "line 4" in caplog.text


@pytest.mark.parametrize("name", ["a.csv", "a.tsv"])
def test_row_with_more_cells_than_the_header(fails, name):
    delimiter = "," if name == "a.csv" else "\t"
    content = '\nid|text\n1|"two\nlines"\n\n2|a|b\n'.replace("|", delimiter)
    if name == "a.tsv":
        content = content.replace('"two\nlines"', "one\n")
    problem = fails(name, content).problem
    assert "line 6: 3 cells, but the first line has 2" in problem


def test_quotes_inside_an_unquoted_cell_are_no_error(read):
    assert rows(read("a.csv", 'id,text\n1,5" screen\n2,a "b" c"\n')) == [["1", '5" screen'], ["2", 'a "b" c"']]


# One parser, for training and for use

TRICKY = {
    "quotes inside tabs": (
        "a.tsv",
        'text\tlabel\nthe "best" film\t1\n"Wow" she said\t0\n',
        [['the "best" film', "1"], ['"Wow" she said', "0"]],
    ),
    "doubled quotes": (
        "a.csv",
        'text,label\n"say ""hi"", now",1\n"""",0\n"",1\nsay ""no"",0\n',
        [['say "hi", now', "1"], ['"', "0"], ["", "1"], ['say ""no""', "0"]],
    ),
    "quotes that enclose tabs": ("a.tsv", '"text"\t"label"\n"a\tb\nc"\t"1"\n', [["a\tb\nc", "1"]]),
    "quotes inside that are not doubled": ("a.csv", 'text,label\n"a"b"c",1\n', [['a"b"c', "1"]]),
    "semicolons with commas": ("a.csv", "text;label\na, b, c;1\n,;0\n", [["a, b, c", "1"], [",", "0"]]),
    "a byte-order mark": ("a.csv", '\ufefftext,label\n"é",1\n', [["é", "1"]]),
    "a byte-order mark of UTF-16": ("a.csv", "text,label\né,1\n".encode("utf-16"), [["é", "1"]]),
    "blank lines": ("a.csv", "\n\ntext,label\n\n \t\na,1\r\n\r\n,\n", [["a", "1"], ["", ""]]),
    "short rows": ("a.csv", 'text,label,user\na,1\n"b"\n', [["a", "1", ""], ["b", "", ""]]),
    "carriage returns alone": ("a.csv", "text,label\ra,1\rb,0\r", [["a", "1"], ["b", "0"]]),
    "carriage returns in cells": ("a.csv", "text,label\na\rb,1\nc\r,0\n", [["a\rb", "1"], ["c\r", "0"]]),
    "NUL characters": ("a.csv", "text,label\na\0b,1\n", [["ab", "1"]]),
    "one text per line": ("a.txt", 'a, "b"\r\n\r\n"c\n', [['a, "b"'], ['"c']]),
}


@pytest.mark.parametrize(("name", "content", "expected"), TRICKY.values(), ids=TRICKY)
def test_training_and_classifying_read_the_same_cells(tmp_path, name, content, expected):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    table = open_table(str(path))
    assert [cells for _, cells in table.rows()] == rows(read_frame([path])[0]) == expected


@pytest.mark.parametrize(
    "content",
    [
        "text,label\na,1\nb,0,long row\n",
        'text,label,id\na,1,2\n"never closed,0\nb,1,3\n',
        'text,label\n"a\nb"c,1\n',
        "text,label\n",
    ],
    ids=["a long row", "a quote never closed", "text after a quote that closes a line below", "header only"],
)
def test_training_and_classifying_refuse_the_same_files(tmp_path, content):
    path = tmp_path / "a.csv"
    path.write_text(content)
    problems = []
    for read in (lambda: read_frame([path]), lambda: open_table(str(path))):
        with pytest.raises(DataError) as caught:
            read()
        problems.append(caught.value.problem)
    assert problems[0] == problems[1]


@pytest.mark.parametrize("line_end", ["\r\n", "\r"])
def test_line_ends_in_cells_are_normalized_for_training_and_kept_for_output(tmp_path, line_end):
    path = tmp_path / "a.csv"
    path.write_bytes('text,label\n"a\nb",1\n'.replace("\n", line_end).encode())
    assert rows(read_frame([path])[0]) == [["a\nb", "1"]]
    assert list(open_table(str(path)).rows()) == [(2, [f"a{line_end}b", "1"])]


# Written

CELL = st.text(st.sampled_from('ab" ,;\t\n\réß\x85\u2028😀'), max_size=6)


@settings(max_examples=150, deadline=None)
@given(
    rows=st.integers(2, 3).flatmap(lambda width: st.lists(st.lists(CELL, min_size=width, max_size=width), min_size=1)),
    delimiter=st.sampled_from(",\t"),
    line_end=st.sampled_from(["\n", "\r\n"]),
)
def test_written_cells_are_read_again(tmp_path_factory, rows, delimiter, line_end):
    path = tmp_path_factory.mktemp("tables") / ("a.csv" if delimiter == "," else "a.tsv")
    header = [f"column {number}" for number in range(len(rows[0]))]
    path.write_bytes(encode_rows([header, *rows], CsvDialect(delimiter, True, line_end)))
    assert [cells for _, cells in open_table(str(path)).rows()] == rows
    with path.open(encoding="utf-8", newline="") as file:
        assert next(csv.reader(file, delimiter=delimiter)) == header


def test_text_whose_quotes_are_text_is_written_as_it_was_read(tmp_path):
    content = 'text\tlabel\r\n"Good" film\t1\r\nan "open one\t0\r\n'
    path = tmp_path / "a.tsv"
    path.write_bytes(content.encode())
    table = open_table(str(path))
    assert encode_rows([table.columns, *(cells for _, cells in table.rows())], table.dialect) == content.encode()
