"""The rows of comma-, semicolon- and tab-separated text, one by one: which signs it uses, and the cells between them.

What delimiters and quotes mean is recognised as in `utils.reading.delimited`, which needs the whole text at once, and
by its means. Unlike there, a cell is to the character what the file has.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from utils.errors import DataError
from utils.reading import delimited
from utils.tables.text_lines import LONGEST_LINE, TextFile

SIGNS = {",": "comma", ";": "semicolon", "\t": "tab"}
SAMPLE_CUTS = 20
INSIDE_QUOTES = re.compile(r'[^"]*+(?:""[^"]*+)*+')
Row = tuple[int, list[str]]  # the number of the line that it starts in, from 1, and its cells


@dataclass(frozen=True)
class Style:
    """How cells are written. Without `quoting`, quotes are text, and cells hold no delimiter and no line end."""

    delimiter: str = ","
    quoting: bool = True
    line_end: str = "\n"
    byte_order_mark: bool = False


def recognise_style(file: TextFile, kind: str) -> Style | None:
    """How the cells of a .csv, .tsv or .txt file are written; None for a .txt file with a text a line."""
    delimiter = _delimiter_of(file, kind)
    if delimiter is None:
        return None
    quoting = delimiter != "\t" or _tab_cells_are_quoted(file)
    line_end = "\r\n" if file.sample.partition("\n")[0].endswith("\r") else "\n"
    return Style(delimiter, quoting, line_end, file.has_mark)


def split_rows(file: TextFile, style: Style) -> Iterator[Row]:
    """Every row but blank lines; DataError where one has more cells than the first, or a quote is not closed."""
    blanks = " \r" if style.delimiter == "\t" else " \t\r"
    lines = file.lines()
    expected = 0
    for number, line in lines:
        if style.quoting and '"' in line:
            cells = _quoted_cells(number, line, lines, style.delimiter, file)
        elif line.strip(blanks):
            cells = line.removesuffix("\r").split(style.delimiter)
        else:
            continue
        expected = expected or len(cells)
        if len(cells) > expected:
            raise DataError(
                f"{file.path}, line {number}: {len(cells)} cells, but the first line has {expected}",
                f"put quotes around a text that holds a {SIGNS[style.delimiter]}, or write the data as JSONL",
            )
        yield number, cells


def _quoted_cells(
    number: int, line: str, lines: Iterator[tuple[int, str]], delimiter: str, file: TextFile
) -> list[str]:
    """The cells of a row, some of them enclosed in quotes; the further lines that it spans are taken from `lines`."""
    cells, start, end = [], 0, 0
    while end >= 0:
        content, opened = "", number
        if line.startswith('"', start):
            start += 1
            while (closing := INSIDE_QUOTES.match(line, start).end()) == len(line):
                content += line[start:] + file.newline
                number, line = next(lines, (0, None))
                if line is None or len(content) > LONGEST_LINE:
                    raise _not_closed(file, opened)
                start = 0
            content = (content + line[start:closing]).replace('""', '"')
            start = closing + 1
        end = line.find(delimiter, start)
        rest = line[start:end] if end >= 0 else line[start:].removesuffix("\r")
        if rest and number > opened:
            raise _not_closed(file, opened)
        cells.append(content + rest)
        start = end + 1
    return cells


def _not_closed(file: TextFile, line: int) -> DataError:
    return DataError(
        f"{file.path}, line {line}: the quote that opens a cell here is not closed where the cell ends",
        'close the quote there, and write quotes inside a quoted cell twice ("")',
    )


def _delimiter_of(file: TextFile, kind: str) -> str | None:
    """None for a text a line: of .txt, where fewer than nine lines of ten hold the same number of tabs."""
    if kind == ".txt":
        tabs = Counter(line.count("\t") for line in file.sample.split(file.newline) if line.strip())
        usual, lines = tabs.most_common(1)[0] if tabs else (0, 0)
        return "\t" if usual and lines >= 0.9 * tabs.total() else None
    return "\t" if kind == ".tsv" else delimited.delimiter_of(_sample(file)).decode()


def _tab_cells_are_quoted(file: TextFile) -> bool:
    """Whether quotes in tab-separated text enclose cells; a sample may end inside such a cell, which says nothing."""
    sample = _sample(file)
    for _ in range(1 if file.is_whole else SAMPLE_CUTS):
        if delimited.tab_cells_are_quoted(sample):
            return True
        sample = sample[: sample.rfind(b"\n", 0, -1) + 1]
    return False


def _sample(file: TextFile) -> bytes:
    return file.sample.replace("\r\n", "\n").replace(file.newline, "\n").encode()
