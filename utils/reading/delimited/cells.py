"""Split the lines of delimited text into rows of cells, whatever is wrong with their quotes.

A quote that is not closed, or not doubled inside a cell, is text, and never swallows the rows below
(`irregular_quotes.py`). `split_rows` says in which lines that happened. It reads every line a bounded number of times,
however many quotes are not closed.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from utils.errors import DataError
from utils.reading.delimited.irregular_quotes import LinesAhead, NumberedLines, irregular_cells, unescaped
from utils.reading.encodings import LONGEST_LINE

NumberedRow = tuple[int, list[str]]  # the number, from 1, of the line that the row starts in, and its cells
NO_DELIMITER = "\0"  # occurs in no text, since reading removes it
QUOTED_CONTENT = re.compile(r'[^"]*+(?:""[^"]*+)*+')
BACKSLASH_CONTENT = re.compile(r'[^"\\]*+(?:(?:""|\\.?)[^"\\]*+)*+')
# Lines times delimiters in a line that make it certain that the lines are rows and no text.
SWALLOWED = 8


@dataclass(frozen=True)
class CsvDialect:
    """The syntax of cells. Without `quoting`, quotes are text, and cells hold no delimiter and no line end."""

    delimiter: str = ","
    quoting: bool = True
    line_end: str = "\n"
    byte_order_mark: bool = False
    backslash: bool = False  # whether a quote inside a quoted cell is written \" (or doubled)
    blanks: bool = False  # whether a blank may stand between a delimiter and the quote that opens a cell


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
    irregular = [] if irregular is None else irregular
    ahead = LinesAhead(lines, dialect, newline, width)
    again = ahead.again
    for number, line in lines:
        if quoting and '"' in line:
            yield number, _quoted_cells(number, line, ahead, path, irregular)
            while again:  # what a quote that is not closed had taken
                number, line = again.popleft()
                if '"' in line:
                    yield number, _quoted_cells(number, line, ahead, path, irregular)
                elif line.strip(blanks):
                    yield number, line.removesuffix("\r").split(delimiter)
        elif line.strip(blanks):
            yield number, line.removesuffix("\r").split(delimiter)


def _quoted_cells(row: int, line: str, ahead: LinesAhead, path: str, irregular: list[int]) -> list[str]:
    """The cells of the row that starts in this line, some of them enclosed in quotes; it may span further lines."""
    dialect = ahead.dialect
    delimiter, backslash = dialect.delimiter, dialect.backslash
    if line.startswith('"') and line.endswith(('"', '"\r')) and not backslash:
        cells = line.removesuffix("\r")[1:-1].split(f'"{delimiter}"')
        if 2 * len(cells) == line.count('"'):  # every cell is quoted and holds no quote
            return cells
    content_until = (BACKSLASH_CONTENT if backslash else QUOTED_CONTENT).match
    cells, start, number = [], 0, row
    while (quote := line.find('"', start)) >= 0:
        if (end := line.rfind(delimiter, start, quote)) >= 0:
            cells += line[start:end].split(delimiter)
            start = end + 1
        if quote > start and not (dialect.blanks and line[start:quote].isspace()):
            end = line.find(delimiter, quote)
            cells.append(line[start:end] if end >= 0 else line[start:].removesuffix("\r"))
        else:
            opened_in, opening, above = line, number, ""
            start = quote + 1
            closing = content_until(line, start).end()
            if closing == len(line):
                above, number, line, closing = _content_above(line[start:], ahead, content_until, number)
                start = 0
            content = line[start:closing]
            end = line.find(delimiter, closing)
            rest = line[closing + 1 : end] if end >= 0 else line[closing + 1 :].removesuffix("\r")
            if (rest and rest.strip(" ")) or closing == len(line) or (above and _swallows_rows(opened_in, ahead)):
                irregular.append(row)
                others = irregular_cells(opened_in, quote, ahead, before=len(cells))
                if others is None:
                    raise _not_closed(path, opening)
                return cells + others
            if above:
                content = above + content
                ahead.taken.clear()
            cells.append((unescaped(content, dialect) if '"' in content or backslash else content) + rest)
        if end < 0:
            return cells
        start = end + 1
    return cells + line[start:].removesuffix("\r").split(delimiter)


def _content_above(content: str, ahead: LinesAhead, content_until: Callable, number: int) -> tuple[str, int, str, int]:
    """The content of a cell above the line in which it is closed; that line's number, the line, and where it is closed.

    That is at the line's end if the cell is not closed.
    """
    above, length = [content + ahead.newline], len(content)
    while length <= LONGEST_LINE and (following := ahead.take()) is not None:
        number, line = following
        if (closing := content_until(line).end()) < len(line):
            return "".join(above), number, line, closing
        above.append(line + ahead.newline)
        length += len(line)
    return "", number, "", 0


def _swallows_rows(line: str, ahead: LinesAhead) -> bool:
    """Return whether the cell that opens in a line and spans those taken holds rows: another cell's quote closes it.

    By accident, not many lines of a text have as many delimiters as a row, nor a number in the same place.
    """
    delimiter, width, taken = ahead.dialect.delimiter, ahead.width, ahead.taken
    if not width or width == 1 or line.count(delimiter) != width - 1 or not ahead.are_rows():
        return False
    columns = zip(line.split(delimiter), *(other.split(delimiter) for _, other in taken), strict=True)
    return (len(taken) + 1) * (width - 1) >= SWALLOWED or any(all(map(str.isdecimal, column)) for column in columns)


def _not_closed(path: str, line: int) -> DataError:
    problem = f"{path}, line {line}: the quote that opens a cell here is not closed at the end of the cell"
    return DataError(problem, 'close the quote there, and write quotes inside a quoted cell twice ("")')
