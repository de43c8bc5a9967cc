"""Comma-, semicolon- and tab-separated text: recognize its dialect, read its rows one by one, write rows like it.

This is the one parser of such files, for training and for use. No cell is converted: numbers, "NA" and blanks are text.
Open `open_delimited` first.
"""

import itertools
import logging
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from utils.errors import DataError
from utils.reading.encodings import LONGEST_LINE, TextFile, open_text

log = logging.getLogger(__name__)

DELIMITED_FORMATS = (".csv", ".tsv", ".txt")
DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab"}
NEEDS_QUOTES = re.compile(r'[,\t\n]|""')
QUOTED_CONTENT = re.compile(r'[^"]*+(?:""[^"]*+)*+')
# A tab-separated cell that opens with a quote. Group 1 is the quote that closes it; it is None if text follows that
# quote, or if there is no such quote.
QUOTED_TAB_CELL = re.compile(r'"(?<![^\t\n]")(?:[^"]++|"")*+(?:("(?![^\t\n]))|"[^\t\n]*)?')
SAMPLE_CUTS = 20
NumberedLines = Iterator[tuple[int, str]]
NumberedRow = tuple[int, list[str]]  # the number, from 1, of the line that the row starts in, and its cells


@dataclass(frozen=True)
class CsvDialect:
    """How cells are written. Without `quoting`, quotes are text, and cells hold no delimiter and no line end."""

    delimiter: str = ","
    quoting: bool = True
    line_end: str = "\n"
    byte_order_mark: bool = False


@dataclass(frozen=True)
class DelimitedFile:
    """A file of rows with as many cells as there are columns."""

    text: TextFile
    dialect: CsvDialect | None  # None: one text per line
    header: bool  # whether the first row names the columns
    columns: list[str]  # as the file names them; "0", "1", … if it does not; "text" if it has one text per line

    def rows(self, *, report_short: bool = False) -> Iterator[NumberedRow]:
        """Yield every row from the start, but for the header and blank lines; a cell that a short row lacks is "".

        With `report_short`, short rows are logged as a warning. Raises DataError, with the line, for a row with more
        cells than the first one, and for a quote that is not closed.
        """
        path = self.text.path
        if self.dialect is None:
            yield from ((number, [line.removesuffix("\r")]) for number, line in self.text.lines() if line.strip())
            return
        width, short, first_short = len(self.columns), 0, 0
        rows = _split_rows(self.text.lines(), self.dialect, path, self.text.newline)
        for number, cells in itertools.islice(rows, int(self.header), None):
            if len(cells) > width:
                problem = f"{path}, line {number}: {len(cells)} cells, but the first line has {width}"
                delimiter = DELIMITERS[self.dialect.delimiter]
                raise DataError(problem, f"put quotes around a text that holds a {delimiter}, or write JSONL instead")
            if len(cells) < width:
                short, first_short = short + 1, first_short or number
                cells += [""] * (width - len(cells))
            yield number, cells
        if short and report_short:
            problem = "%s: %d rows lack cells, which are read as empty; the first is line %d"
            log.warning(problem, path, short, first_short)


def open_delimited(path: str, kind: str, header: bool) -> DelimitedFile:
    """Open a .csv, .tsv or .txt file (`kind`), recognize its dialect and read its first row.

    Without `header`, the first row is data. Raises DataError if the file is empty, binary or damaged.
    """
    file = open_text(path)
    dialect = recognize_dialect(file, kind)
    if dialect is None:
        return DelimitedFile(file, None, False, ["text"])
    _, cells = next(_split_rows(file.lines(), dialect, path, file.newline), (0, []))
    return DelimitedFile(file, dialect, header, cells if header else [str(number) for number in range(len(cells))])


def recognize_dialect(file: TextFile, kind: str) -> CsvDialect | None:
    """Recognize how the cells of a .csv, .tsv or .txt file are written; None for a .txt file with one text per line.

    A .csv file is what its first line suggests. A .txt file is tab-separated if at least 90 % of its lines hold the
    same number of tabs. In tab-separated text quotes are text, unless they clearly enclose cells.
    """
    sample = file.sample.replace("\r\n", "\n").replace(file.newline, "\n")
    delimiter = "\t" if kind == ".tsv" else _delimiter_of_line(sample.lstrip(" \n").partition("\n")[0])
    if kind == ".txt":
        tabs = Counter(line.count("\t") for line in sample.split("\n") if line.strip())
        usual, lines = tabs.most_common(1)[0] if tabs else (0, 0)
        if not usual or lines < 0.9 * tabs.total():
            return None
        delimiter = "\t"
    quoting = delimiter != "\t" or _quotes_enclose_tab_cells(sample, file.is_whole)
    line_end = "\r\n" if file.sample.partition("\n")[0].endswith("\r") else "\n"
    return CsvDialect(delimiter, quoting, line_end, file.encoding.has_mark)


def encode_rows(rows: Iterable[list[str]], dialect: CsvDialect) -> bytes:
    """Return rows of two cells or more as UTF-8 text, without a byte-order mark."""
    # Not csv.writer, which before Python 3.13 leaves a cell with a lone "\r" without quotes. In tab-separated text
    # every cell gets them: a quoted header is what distinguishes quotes that enclose from quotes that are text.
    special = re.compile("" if dialect.delimiter == "\t" else f'["\r\n{dialect.delimiter}]')

    def quoted(cell: str) -> str:
        return '"' + cell.replace('"', '""') + '"' if dialect.quoting and special.search(cell) else cell

    return "".join(dialect.delimiter.join(map(quoted, row)) + dialect.line_end for row in rows).encode()


def _delimiter_of_line(line: str) -> str:
    unquoted = re.sub(r'"[^"]*"', "", line)
    if "\t" in unquoted:
        return "\t"
    return ";" if unquoted.count(";") > unquoted.count(",") else ","


def _quotes_enclose_tab_cells(sample: str, is_whole: bool) -> bool:
    """Whether quotes in tab-separated text enclose cells, as pandas and Excel write them, rather than being text."""
    for _ in range(1 if is_whole else SAMPLE_CUTS):  # a sample may end inside such a cell, which proves nothing
        if _all_quotes_enclose(sample):
            return True
        sample = sample[: sample.rfind("\n", 0, -1) + 1]
    return False


def _all_quotes_enclose(text: str) -> bool:
    """Whether each quote belongs to a cell that needed quoting, or the header is quoted as well.

    If such cells hold tabs or line ends, but no doubled quote, the rows must also be of one width only if read so.
    """
    header_is_quoted = bool(re.match(r'"[^"\n]*"(?:\t"[^"\n]*")*\n', text))
    quotes, has_doubled, spans = text.count('"'), False, False
    for cell in QUOTED_TAB_CELL.finditer(text):
        content = cell[0][1:-1]
        if cell[1] is None or not (header_is_quoted or NEEDS_QUOTES.search(content)):
            return False
        quotes -= cell[0].count('"')
        has_doubled = has_doubled or '""' in content
        spans = spans or "\t" in content or "\n" in content
    if quotes or '"' not in text:
        return False
    return header_is_quoted or has_doubled or not spans or _is_even(text, True) > _is_even(text, False)


def _is_even(text: str, quoting: bool) -> bool:
    """Whether all rows of tab-separated text have the same number of cells."""
    rows = _split_rows(enumerate(text.split("\n"), 1), CsvDialect("\t", quoting), "", "\n")
    return len({len(cells) for _, cells in rows}) == 1


def _split_rows(lines: NumberedLines, dialect: CsvDialect, path: str, newline: str) -> Iterator[NumberedRow]:
    """Yield the cells of every row but blank lines; DataError if a quote is not closed."""
    delimiter, quoting = dialect.delimiter, dialect.quoting
    blanks = " \r" if delimiter == "\t" else " \t\r"
    for number, line in lines:
        if quoting and '"' in line:
            yield number, _quoted_cells(number, line, lines, delimiter, path, newline)
        elif line.strip(blanks):
            yield number, line.removesuffix("\r").split(delimiter)


def _quoted_cells(number: int, line: str, lines: NumberedLines, delimiter: str, path: str, newline: str) -> list[str]:
    """The cells of a row, some of them enclosed in quotes; the further lines that it spans are taken from `lines`."""
    if line.startswith('"') and line.endswith(('"', '"\r')):
        cells = line.removesuffix("\r")[1:-1].split(f'"{delimiter}"')
        if 2 * len(cells) == line.count('"'):  # every cell is quoted and holds no quote
            return cells
    cells, start = [], 0
    while (quote := line.find('"', start)) >= 0:
        if (end := line.rfind(delimiter, start, quote)) >= 0:
            cells += line[start:end].split(delimiter)
            start = end + 1
        content, opened = "", number
        if quote == start:
            start += 1
            while (closing := QUOTED_CONTENT.match(line, start).end()) == len(line):
                content += line[start:] + newline
                number, line = next(lines, (0, None))
                if line is None or len(content) > LONGEST_LINE:
                    raise _not_closed(path, opened)
                start = 0
            content = (content + line[start:closing]).replace('""', '"')
            start = closing + 1
        end = line.find(delimiter, start)
        rest = line[start:end] if end >= 0 else line[start:].removesuffix("\r")
        if rest and number > opened:
            raise _not_closed(path, opened)
        cells.append(content + rest)
        if end < 0:
            return cells
        start = end + 1
    return cells + line[start:].removesuffix("\r").split(delimiter)


def _not_closed(path: str, line: int) -> DataError:
    problem = f"{path}, line {line}: the quote that opens a cell here is not closed at the end of the cell"
    return DataError(problem, 'close the quote there, and write quotes inside a quoted cell twice ("")')
