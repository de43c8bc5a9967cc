"""Split the lines of delimited text into rows of cells, whatever is wrong with their quotes.

A quote that is not closed, or not doubled inside a cell, is text, and never swallows the rows below
(`irregular_quotes.py`). `split_rows` says in which lines that happened. It reads every line a bounded number of times,
however many quotes are not closed.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from utils.errors import DataError
from utils.reading.delimited.irregular_quotes import LinesAhead, NumberedLines, are_rows, irregular_cells, unescaped
from utils.reading.encodings import LONGEST_LINE

NumberedRow = tuple[int, list[str]]  # the number, from 1, of the line that the row starts in, and its cells
NO_DELIMITER = "\0"  # occurs in no text, since reading removes it
QUOTED_CONTENT = re.compile(r'[^"]*+(?:""[^"]*+)*+')
BACKSLASH_CONTENT = re.compile(r'[^"\\]*+(?:(?:""|\\.?)[^"\\]*+)*+')
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
    reader, irregular = LinesAhead(lines), [] if irregular is None else irregular
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
    lines: LinesAhead,
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
                others = irregular_cells(opened_in, quote, lines, dialect, newline, width, len(cells))
                if others is None:
                    raise _not_closed(path, opening)
                return cells + others
            content = "".join(before) + line[start:closing]
            cells.append((unescaped(content, dialect) if '"' in content or dialect.backslash else content) + rest)
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
    if not are_rows(taken, delimiter, width):
        return False
    columns = zip(line.split(delimiter), *(other.split(delimiter) for _, other in taken), strict=True)
    return (len(taken) + 1) * (width - 1) >= SWALLOWED or any(all(map(str.isdecimal, column)) for column in columns)


def _not_closed(path: str, line: int) -> DataError:
    problem = f"{path}, line {line}: the quote that opens a cell here is not closed at the end of the cell"
    return DataError(problem, 'close the quote there, and write quotes inside a quoted cell twice ("")')
