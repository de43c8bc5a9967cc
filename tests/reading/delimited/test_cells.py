"""Quotes that are not closed, or not doubled inside a cell: which cells they leave, and that no row is swallowed."""

import pytest
from frames import rows

from utils.reading.delimited.cells import CsvDialect, split_rows
from utils.reading.delimited.irregular_quotes import LinesAhead
from utils.reading.table_stream import open_table

GOOD = '1,"good, really",1\n'
IRREGULAR = {
    "not closed": ('2,"never closed,0\n', [["2", '"never closed', "0"]]),
    "not closed, before the next quote": ('2,"open,0\n3,"a, b",1\n', [["2", '"open', "0"], ["3", "a, b", "1"]]),
    "not closed, with delimiters": ('2,"never, closed, at all,0\n', [["2", '"never, closed, at all', "0"]]),
    "not closed, before quoted cells": ('"2","never, closed,"0"\n', [["2", '"never, closed', "0"]]),
    "two in a row": ('2,"a,0\n3,"b,1\n4,c,1\n', [["2", '"a', "0"], ["3", '"b', "1"], ["4", "c", "1"]]),
    "at the end": ('2,"end,', [["2", '"end', ""]]),
    "quotes inside": ('2,"She said "no" to me",0\n', [["2", 'She said "no" to me', "0"]]),
    "quotes inside, at the end": ('2,"She said "no"",0\n', [["2", 'She said "no"', "0"]]),
    "quotes inside, before a comma": ('2,"He said "no", and left",0\n', [["2", 'He said "no", and left', "0"]]),
    "quotes inside, over two lines": ('2,"a\nhe said "hi" to b",0\n', [["2", 'a\nhe said "hi" to b', "0"]]),
    "a quotation at the start": ('2,"Wow" she said,0\n', [["2", '"Wow" she said', "0"]]),
    "a quotation at either end": ('2,"Wow" she "said",0\n', [["2", '"Wow" she "said"', "0"]]),
    "closed far below by accident": (
        '2,"open,0\n3,b,1\n4,c,0\n5,five 5",1\n',
        [["2", '"open', "0"], ["3", "b", "1"], ["4", "c", "0"], ["5", 'five 5"', "1"]],
    ),
}


@pytest.mark.parametrize(("content", "expected"), IRREGULAR.values(), ids=IRREGULAR)
def test_irregular_quotes_lose_nothing_and_are_reported(read, tmp_path, caplog, content, expected):
    good = ["1", "good, really", "1"]
    content = "id,text,label\n" + GOOD + content
    if content.endswith("\n"):
        content, expected = content + GOOD, [*expected, good]
    assert rows(read("a.csv", content)) == [good, *expected]
    assert "rows have a quote that is not closed, or not doubled inside a cell: it is text; the first is line 3" in (
        caplog.text
    )
    assert [cells for _, cells in open_table(str(tmp_path / "a.csv")).rows()] == [good, *expected]


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ('id,text,label\n1,"fine\nso far",0\n2,"never closed\n3,x,0\n', 4),
        ('id,text,label\n1,"x\ny"z,0\n', 2),
        ('id,text,label\n1,"end', 2),
    ],
)
def test_a_row_that_no_reading_makes_complete_is_an_error(fails, content, line):
    assert f"line {line}: the quote" in fails("a.csv", content).problem


def test_regular_quotes_are_not_reported(read, caplog):
    content = 'id,text,label\n1,"a ""b"", c\nd",x\n2,5" nail,"y"\n3,"","z" \n4,"1, 2\n3, 4\n5, 6\n7, 8",z\n'
    assert rows(read("a.csv", content)) == [
        ["1", 'a "b", c\nd', "x"], ["2", '5" nail', "y"], ["3", "", "z "], ["4", "1, 2\n3, 4\n5, 6\n7, 8", "z"],
    ]  # fmt: skip
    assert not caplog.records


@pytest.mark.parametrize("line", ['{},"open,1', '{},"""open,1', "{},plain,1", '{},"",1', '{},"a, b",1', '{},5",1'])
def test_every_line_is_read_a_bounded_number_of_times(monkeypatch, line):
    taken = 0
    take = LinesAhead.take

    def counted(self):
        nonlocal taken
        taken += 1
        return take(self)

    monkeypatch.setattr(LinesAhead, "take", counted)
    lines = enumerate(['0,"open,1', *map(line.format, range(2000))], 1)
    found = list(split_rows(lines, CsvDialect(), "", "\n", 3))
    assert len(found) == 2001
    assert taken < 5 * 2001
