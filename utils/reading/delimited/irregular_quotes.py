"""The cells of a row of delimited text whose quotes are not closed, or not doubled inside a cell.

Open `irregular_cells` first; `cells.py` reads regular rows.
"""

import re
from bisect import bisect_left
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from utils.reading.encodings import LONGEST_LINE

if TYPE_CHECKING:
    from utils.reading.delimited.cells import CsvDialect

NumberedLines = Iterator[tuple[int, str]]
ESCAPED = re.compile(r'\\(["\\])|""')
QUOTES = re.compile(r'"+')
# An inner quote after a word and before a blank or a point closes a quotation, which the first quote opens.
CLOSES_QUOTATION = re.compile(r"""(?<=\S)"(?=[\s.!?:)'…-])""")


@dataclass
class LinesAhead:
    """The lines to read, including some that were put back; `taken` are those that the present cell spans."""

    source: NumberedLines
    dialect: "CsvDialect"
    newline: str
    width: int | None  # the number of columns
    again: deque = field(default_factory=deque)
    taken: list = field(default_factory=list)

    def take(self) -> tuple[int, str] | None:
        line = self.again.popleft() if self.again else next(self.source, None)
        if line is not None:
            self.taken.append(line)
        return line

    def put_back(self) -> None:
        self.again.extendleft(reversed(self.taken))
        self.taken.clear()

    def are_rows(self) -> bool:
        """Return whether the lines taken have as many cells as there are columns."""
        return all(line.count(self.dialect.delimiter) == self.width - 1 for _, line in self.taken)


def irregular_cells(line: str, start: int, ahead: LinesAhead, before: int) -> list[str] | None:
    """The cells from `start`, where a quote opens one that it doesn't regularly close.

    In this order: the cell closes on this line, with quotes inside that are not doubled; the first quote is text, and
    the cell ends with the line, or before the delimiters that the other columns need; it closes on a line below. None
    if none of that gives, with the `before` cells on the left, a row of as many cells as there are columns.
    """
    ahead.put_back()
    dialect, width = ahead.dialect, ahead.width
    closed = _closed_cells(line, start, dialect)
    if width is None:
        return _text_cells(line, start, dialect.delimiter, None) if closed is None else closed
    wanted = width - before
    if closed is not None and len(closed) == wanted:
        return closed
    text = _text_cells(line, start, dialect.delimiter, wanted)
    if closed is None or len(text) != wanted:
        below = _cells_closed_below(line, start, ahead)
        if below is not None and len(below) == wanted and not (len(text) == wanted and ahead.are_rows()):
            ahead.taken.clear()
            return below
        ahead.put_back()
    return text if len(text) == wanted else None


def _closed_cells(line: str, start: int, dialect: "CsvDialect") -> list[str] | None:
    """The cells from `start`, each closed by the first quote before a delimiter; None if the first is not closed."""
    cells, end, delimiter = [], start, dialect.delimiter
    while end >= 0:
        is_quoted = line.startswith('"', start) and not _opens_quotation(line, start)
        closing = _closing_quote(line, start + 1, dialect) if is_quoted else None
        if closing is None and is_quoted and not cells:
            return None
        end = line.find(delimiter, start if closing is None else closing)
        if closing is None:
            cells.append(line[start:end] if end >= 0 else line[start:].removesuffix("\r"))
        else:
            cells.append(unescaped(line[start + 1 : closing], dialect))
        start = end + 1
    return cells


def _opens_quotation(line: str, start: int) -> bool:
    """Return whether the quote at `start` is part of the text: "Wow" she said."""
    inner = line.find('"', start + 1)
    return inner >= 0 and bool(CLOSES_QUOTATION.match(line, inner))


def _closing_quote(line: str, start: int, dialect: "CsvDialect") -> int | None:
    """The position of the quote that closes a cell whose quotes may not be doubled: one before a delimiter."""
    sure, doubtful = _quotes_before_delimiters(line, dialect)
    first, own = QUOTES.match(line, start), None  # perhaps the end of more quotes in a row, which is sure if odd
    if first and _is_before_delimiter(line, first.end(), dialect):
        own, start = first.end() - 1, first.end()
        if len(first[0]) % 2 and not _is_escaped(line, first.start(), dialect):
            return own
    places = (sure, bisect_left(sure, start)), (doubtful, bisect_left(doubtful, start))
    later, doubted = (quotes[place] if place < len(quotes) else None for quotes, place in places)
    return next((quote for quote in (later, own, doubted) if quote is not None), None)


@lru_cache(maxsize=2)  # all cells of a line ask, and looking for each to its end takes quadratic time
def _quotes_before_delimiters(line: str, dialect: "CsvDialect") -> tuple[list[int], list[int]]:
    """The quotes that close a cell for sure, one or three in a row, and those that may be doubled, or are escaped."""
    sure, doubtful = [], []
    for quotes in QUOTES.finditer(line):
        if _is_before_delimiter(line, quotes.end(), dialect):
            is_sure = len(quotes[0]) % 2 and not _is_escaped(line, quotes.start(), dialect)
            (sure if is_sure else doubtful).append(quotes.end() - 1)
    return sure, doubtful


def _is_before_delimiter(line: str, end: int, dialect: "CsvDialect") -> bool:
    rest = len(line) - end
    return not rest or (rest == 1 and line[end] == "\r") or line.startswith(dialect.delimiter, end)


def _is_escaped(line: str, start: int, dialect: "CsvDialect") -> bool:
    return dialect.backslash and line[start - 1 : start] == "\\"


def _text_cells(line: str, start: int, delimiter: str, wanted: int | None) -> list[str]:
    """The cells from `start`, of which the first is text; it holds the delimiters that are too many for the others."""
    line = line[start:].removesuffix("\r")
    end = line.find(delimiter)
    if end < 0:
        return [line]
    cells = [line[:end], *_later_cells(delimiter).findall(line, end)]
    if wanted is not None and (surplus := len(cells) - wanted) > 0:
        first = delimiter.join(cells[: surplus + 1])
        cells[: surplus + 1] = [first[1:-1] if first.endswith('"') else first]
    enclosed = [len(cell) > 1 and cell[0] == cell[-1] == '"' for cell in cells[1:]]
    others = zip(cells[1:], enclosed, strict=True)
    return [cells[0], *(cell[1:-1].replace('""', '"') if is_enclosed else cell for cell, is_enclosed in others)]


@cache
def _later_cells(delimiter: str) -> re.Pattern:
    end = re.escape(delimiter)
    return re.compile(f'{end}("(?:[^"]|"")*+"(?={end}|$)|[^{end}]*+)')


def _cells_closed_below(line: str, start: int, ahead: LinesAhead) -> list[str] | None:
    """The cells from `start`, of which the first is closed on a line below; None if another cell opens before that."""
    dialect, content, length = ahead.dialect, [line[start + 1 :]], 0
    while length <= LONGEST_LINE and (following := ahead.take()) is not None:
        _, line = following
        closing = _closing_quote(line, 0, dialect)
        opening = _opening_quote(dialect.delimiter).search(line)
        if opening and (closing is None or opening.start() < closing):
            return None
        if closing is not None:
            content.append(line[:closing])
            first = unescaped(ahead.newline.join(content), dialect)
            end = line.find(dialect.delimiter, closing)
            return [first, *(_closed_cells(line, end + 1, dialect) or [""] if end >= 0 else [])]
        content.append(line)
        length += len(line)
    return None


@cache
def _opening_quote(delimiter: str) -> re.Pattern:
    return re.compile(f'(?:^|{re.escape(delimiter)})"(?:"")*+(?=[^"\r{re.escape(delimiter)}])')


def unescaped(content: str, dialect: "CsvDialect") -> str:
    return ESCAPED.sub(lambda match: match[1] or '"', content) if dialect.backslash else content.replace('""', '"')
