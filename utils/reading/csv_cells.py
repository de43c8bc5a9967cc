"""Split the lines of delimited text into rows of cells, whatever is wrong with their quotes.

A quote that is not closed, or not doubled inside a cell, is text, and never swallows the rows below. `split_rows` says
in which lines that happened. It reads every line a bounded number of times, however many quotes are not closed.
"""

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache

from utils.errors import DataError
from utils.reading.encodings import LONGEST_LINE

NumberedLines = Iterator[tuple[int, str]]
NumberedRow = tuple[int, list[str]]  # the number, from 1, of the line that the row starts in, and its cells
NO_DELIMITER = "\0"  # occurs in no text, since reading removes it
QUOTED_CONTENT = re.compile(r'[^"]*+(?:""[^"]*+)*+')
BACKSLASH_CONTENT = re.compile(r'[^"\\]*+(?:(?:""|\\.?)[^"\\]*+)*+')
ESCAPED = re.compile(r'\\(["\\])|""')
QUOTES = re.compile(r'"+')
# An inner quote after a word and before a blank or a point closes a quotation, which the first quote opens.
CLOSES_QUOTATION = re.compile(r"""(?<=\S)"(?=[\s.!?:)'…-])""")
# Lines times delimiters in a line that make it certain that the lines are rows and no text.
SWALLOWED = 8


@dataclass(frozen=True)
class CsvDialect:
    """How cells are written. Without `quoting`, quotes are text, and cells hold no delimiter and no line end."""

    delimiter: str = ","
    quoting: bool = True
    line_end: str = "\n"
    byte_order_mark: bool = False
    backslash: bool = False  # whether a quote inside a quoted cell is written \" (or doubled)
    blanks: bool = False  # whether a blank may stand between a delimiter and the quote that opens a cell


@dataclass
class _Lines:
    """The lines to read, of which some were put back; `taken` are those that the present cell spans."""

    source: NumberedLines
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


def split_rows(
    lines: NumberedLines,
    dialect: CsvDialect,
    path: str,
    newline: str,
    width: int | None = None,
    irregular: list[int] | None = None,
) -> Iterator[NumberedRow]:
    """Yield the cells of every row but blank lines.

    `width`, the number of columns, decides how to read a row whose quotes are not regular; the number of the line where
    it starts is added to `irregular`. Raises DataError where no reading gives a row of this width.
    """
    delimiter, quoting = dialect.delimiter, dialect.quoting
    blanks = " \r" if delimiter == "\t" else " \t\r"
    reader, irregular = _Lines(lines), [] if irregular is None else irregular
    for number, line in lines:
        if quoting and '"' in line:
            reader.again.append((number, line))
            while reader.again:  # what a quote that is not closed had taken is read again
                number, line = reader.again.popleft()
                if '"' in line:
                    yield number, _quoted_cells(number, line, reader, dialect, path, newline, width, irregular)
                elif line.strip(blanks):
                    yield number, line.removesuffix("\r").split(delimiter)
        elif line.strip(blanks):
            yield number, line.removesuffix("\r").split(delimiter)


def _quoted_cells(
    number: int,
    line: str,
    lines: _Lines,
    dialect: CsvDialect,
    path: str,
    newline: str,
    width: int | None,
    irregular: list[int],
) -> list[str]:
    """The cells of a row, some of them enclosed in quotes; the further lines that it spans are taken from `lines`."""
    delimiter = dialect.delimiter
    if line.startswith('"') and line.endswith(('"', '"\r')) and not dialect.backslash:
        cells = line.removesuffix("\r")[1:-1].split(f'"{delimiter}"')
        if 2 * len(cells) == line.count('"'):  # every cell is quoted and holds no quote
            return cells
    content_until = (BACKSLASH_CONTENT if dialect.backslash else QUOTED_CONTENT).match
    cells, start, row = [], 0, number
    while (quote := line.find('"', start)) >= 0:
        if (end := line.rfind(delimiter, start, quote)) >= 0:
            cells += line[start:end].split(delimiter)
            start = end + 1
        if quote > start and not (dialect.blanks and line[start:quote].isspace()):
            end = line.find(delimiter, quote)
            cells.append(line[start:end] if end >= 0 else line[start:].removesuffix("\r"))
        else:
            opening, opened_in, start, before, length = number, line, quote + 1, [], 0
            lines.taken.clear()
            while (closing := content_until(line, start).end()) == len(line):
                before.append(line[start:] + newline)
                length += len(before[-1])
                following = None if length > LONGEST_LINE else lines.take()
                if following is None:
                    break
                (number, line), start = following, 0
            end = line.find(delimiter, closing + 1)
            rest = line[closing + 1 : end] if end >= 0 else line[closing + 1 :].removesuffix("\r")
            if closing == len(line) or rest.strip(" ") or _swallows_rows(opened_in, lines.taken, delimiter, width):
                irregular.append(row)
                others = _irregular_cells(opened_in, quote, lines, dialect, newline, width, len(cells))
                if others is None:
                    raise _not_closed(path, opening)
                return cells + others
            content = "".join(before) + line[start:closing]
            cells.append((_unescaped(content, dialect) if '"' in content or dialect.backslash else content) + rest)
        if end < 0:
            return cells
        start = end + 1
    return cells + line[start:].removesuffix("\r").split(delimiter)


def _swallows_rows(line: str, taken: list[tuple[int, str]], delimiter: str, width: int | None) -> bool:
    """Whether a cell that spans lines holds rows, because the quote that closes it is another's.

    By accident, not many lines of a text have as many delimiters as a row, nor a number in the same place.
    """
    if not taken or not width or width == 1 or line.count(delimiter) != width - 1:
        return False
    if not _are_rows(taken, delimiter, width):
        return False
    columns = zip(line.split(delimiter), *(other.split(delimiter) for _, other in taken), strict=True)
    return (len(taken) + 1) * (width - 1) >= SWALLOWED or any(all(map(str.isdecimal, column)) for column in columns)


def _are_rows(lines: list[tuple[int, str]], delimiter: str, width: int) -> bool:
    return all(line.count(delimiter) == width - 1 for _, line in lines)


def _irregular_cells(
    line: str, start: int, lines: _Lines, dialect: CsvDialect, newline: str, width: int | None, before: int
) -> list[str] | None:
    """The cells from `start`, where a quote opens one that it doesn't regularly close.

    In this order: the cell closes on this line, with quotes inside that are not doubled; the first quote is text, and
    the cell ends with the line, or before the delimiters that the other columns need; it closes on a line below. None
    if none of that gives, with the `before` cells on the left, a row of `width` cells.
    """
    lines.put_back()
    closed = _closed_cells(line, start, dialect)
    if width is None:
        return _text_cells(line, start, dialect.delimiter, None) if closed is None else closed
    wanted = width - before
    if closed is not None and len(closed) == wanted:
        return closed
    text = _text_cells(line, start, dialect.delimiter, wanted)
    if closed is None or len(text) != wanted:
        below = _cells_closed_below(line, start, lines, dialect, newline)
        is_row = below is not None and len(below) == wanted
        if is_row and not (len(text) == wanted and _are_rows(lines.taken, dialect.delimiter, width)):
            lines.taken.clear()
            return below
        lines.put_back()
    return text if len(text) == wanted else None


def _closed_cells(line: str, start: int, dialect: CsvDialect) -> list[str] | None:
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
            cells.append(_unescaped(line[start + 1 : closing], dialect))
        start = end + 1
    return cells


def _opens_quotation(line: str, start: int) -> bool:
    """Whether the quote at `start` is part of the text: "Wow" she said."""
    inner = line.find('"', start + 1)
    return inner >= 0 and bool(CLOSES_QUOTATION.match(line, inner))


def _closing_quote(line: str, start: int, dialect: CsvDialect) -> int | None:
    """The position of the quote that closes a cell whose quotes may not be doubled: one before a delimiter."""
    doubtful = None
    for quotes in QUOTES.finditer(line, start):
        if line[quotes.end() :] in ("", "\r") or line.startswith(dialect.delimiter, quotes.end()):
            is_escaped = dialect.backslash and line[quotes.start() - 1] == "\\"
            if len(quotes[0]) % 2 and not is_escaped:
                return quotes.end() - 1
            doubtful = doubtful or quotes.end() - 1
    return doubtful


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


def _cells_closed_below(line: str, start: int, lines: _Lines, dialect: CsvDialect, newline: str) -> list[str] | None:
    """The cells from `start`, of which the first is closed on a line below; None if another cell opens before that."""
    content, length = [line[start + 1 :]], 0
    while length <= LONGEST_LINE and (following := lines.take()) is not None:
        _, line = following
        closing = _closing_quote(line, 0, dialect)
        opening = _opening_quote(dialect.delimiter).search(line)
        if opening and (closing is None or opening.start() < closing):
            return None
        if closing is not None:
            content.append(line[:closing])
            first = _unescaped(newline.join(content), dialect)
            end = line.find(dialect.delimiter, closing)
            return [first, *(_closed_cells(line, end + 1, dialect) or [""] if end >= 0 else [])]
        content.append(line)
        length += len(line)
    return None


@cache
def _opening_quote(delimiter: str) -> re.Pattern:
    return re.compile(f'(?:^|{re.escape(delimiter)})"(?:"")*+(?=[^"\r{re.escape(delimiter)}])')


def _unescaped(content: str, dialect: CsvDialect) -> str:
    return ESCAPED.sub(lambda match: match[1] or '"', content) if dialect.backslash else content.replace('""', '"')


def _not_closed(path: str, line: int) -> DataError:
    problem = f"{path}, line {line}: the quote that opens a cell here is not closed at the end of the cell"
    return DataError(problem, 'close the quote there, and write quotes inside a quoted cell twice ("")')
