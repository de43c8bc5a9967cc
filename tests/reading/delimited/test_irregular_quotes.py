"""The quote that closes a cell whose quotes are not doubled, and that finding it in a long line takes no time."""

import random

import pytest

from utils.reading.delimited.cells import CsvDialect, split_rows
from utils.reading.delimited.irregular_quotes import QUOTES, _closing_quote


def closing_quote(line: str, start: int, dialect: CsvDialect) -> int | None:
    """The definition: the first odd number of quotes before a delimiter, or else the first quotes before one."""
    doubtful = []
    for quotes in QUOTES.finditer(line, start):
        if line[quotes.end() :] in ("", "\r") or line.startswith(dialect.delimiter, quotes.end()):
            is_escaped = dialect.backslash and quotes.start() > 0 and line[quotes.start() - 1] == "\\"
            if len(quotes[0]) % 2 and not is_escaped:
                return quotes.end() - 1
            doubtful.append(quotes.end() - 1)
    return doubtful[0] if doubtful else None


def test_closing_quotes_are_the_first_ones_before_a_delimiter():
    chance = random.Random(3)
    for _ in range(5000):
        line = "".join(chance.choice('""",,a\\\r ') for _ in range(chance.randrange(12)))
        dialect, start = CsvDialect(backslash=chance.random() < 0.5), chance.randrange(len(line) + 1)
        assert _closing_quote(line, start, dialect) == closing_quote(line, start, dialect), (line, start, dialect)


@pytest.mark.timeout(20)  # minutes, where every quote is looked for to the end of the line, or the rest is copied
@pytest.mark.parametrize("unit", ['"x,"', ',"a""', '\\"'], ids=["closed", "doubled", "escaped"])
def test_a_line_of_a_million_quotes_is_read(unit):
    line = '1,"' + unit * (1_000_000 // len(unit))
    rows = list(split_rows(iter([(1, line)]), CsvDialect(backslash="\\" in unit), "a.csv", "\n"))
    assert len(rows) == 1
