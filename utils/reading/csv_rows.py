"""Comma-, semicolon-, tab- and bar-separated text: read its rows one by one, and write rows in the same form.

This is the only parser of such files, for training and for use. No cell is converted: numbers, "NA" and blanks are
text. Open `open_delimited` first; `delimited/` recognizes the form of a file, and splits its lines into cells.
"""

import itertools
import logging
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from utils.errors import DataError
from utils.reading.columns import check_filled, check_width
from utils.reading.delimited.cells import CsvDialect, NumberedRow, split_rows
from utils.reading.delimited.dialects import DELIMITERS, recognize_form
from utils.reading.delimited.labeled_lines import LabeledLines, recognize_labels
from utils.reading.encodings import TextFile, open_text

log = logging.getLogger(__name__)

DELIMITED_FORMATS = (".csv", ".tsv", ".txt")


@dataclass(frozen=True)
class DelimitedFile:
    """A file of rows with as many cells as there are columns."""

    text: TextFile
    dialect: CsvDialect | None  # None: one text per line
    header: bool  # whether the first row names the columns
    columns: list[str]  # as the file names them; "0", "1", … if it does not; "text" if it has one text per line
    skipped: int = 0  # the number of lines above the first row
    empty_ends: bool = False  # whether empty cells follow most rows
    labels: LabeledLines | None = None  # where the labels are, in a file with one text per line

    def rows(self, *, report: bool = False) -> Iterator[NumberedRow]:
        """Yield every row from the start, but for blank lines and the header, wherever it is repeated.

        A cell that a short row lacks is "". With `report`, what is unusual about the rows is logged. Raises DataError,
        with the line, for a row with more cells than the first one, and for a quote that makes the row unreadable.
        """
        path = self.text.path
        if self.dialect is None:
            yield from self._texts()
            return
        width, header = len(self.columns), self.columns if self.header else None
        short: list[int] = []
        missing = there = 0
        repeated: list[int] = []
        irregular: list[int] = []
        lines = itertools.islice(self.text.lines(), self.skipped, None)
        rows = split_rows(lines, self.dialect, path, self.text.newline, width, irregular)
        if self.dialect.blanks:
            rows = ((number, [cell.lstrip(" ") for cell in cells]) for number, cells in rows)
        for number, cells in itertools.islice(rows, int(self.header), None):
            if len(cells) != width:
                if len(cells) > width and (not self.empty_ends or any(cells[width:])):
                    raise self._too_long(number, len(cells))
                if len(cells) < width:
                    short.append(number)
                    missing, there = missing + width - len(cells), there + len(cells)
                    check_filled(path, missing, there)
                cells = (cells + [""] * (width - len(cells)))[:width]
            elif cells == header:
                repeated.append(number)
                continue
            yield number, cells
        if report:
            _report(path, short, "rows lack cells, which are read as empty")
            _report(path, irregular, "rows have a quote that is not closed, or not doubled inside a cell: it is text")
            _report(path, repeated, "rows repeat the header, and are not data")

    def _texts(self) -> Iterator[NumberedRow]:
        lines = ((number, line.removesuffix("\r")) for number, line in self.text.lines() if line.strip())
        if self.labels is None:
            yield from ((number, [line]) for number, line in lines)
        else:
            for number, line in itertools.islice(lines, int(self.labels.header), None):
                yield number, self.labels.split(line, f"{self.text.path}, line {number}")

    def _too_long(self, number: int, count: int) -> DataError:
        problem = f"{self.text.path}, line {number}: {count} cells, but the first line has {len(self.columns)}"
        delimiter = DELIMITERS.get(self.dialect.delimiter, repr(self.dialect.delimiter))
        return DataError(problem, f"put quotes around a text that holds a {delimiter}, or write JSONL instead")


def _report(path: str, lines: list[int], problem: str) -> None:
    if lines:
        log.warning("%s: %d %s; the first is line %d", path, len(lines), problem, lines[0])


def open_delimited(path: str, kind: str, header: bool) -> DelimitedFile:
    """Open a .csv, .tsv or .txt file (`kind`), recognize its dialect and read its first row.

    Without `header`, the first row is data. Raises DataError if the file is empty, binary or damaged.
    """
    file = open_text(path)
    form = recognize_form(file, kind)
    if form is None:
        labels = recognize_labels(file.sample.replace(file.newline, "\n"))
        columns = ["text"] if labels is None else ["text", "label"]
        return DelimitedFile(file, None, False, columns, labels=labels)
    lines = itertools.islice(file.lines(), form.skipped, None)
    _, cells = next(split_rows(lines, form.dialect, path, file.newline), (0, []))
    first = [""] * form.has_row_names + cells
    check_width(path, len(first))
    columns = first if header else [str(number) for number in range(len(first))]
    return DelimitedFile(file, form.dialect, header, columns, form.skipped, form.empty_ends)


def encode_rows(rows: Iterable[list[str]], dialect: CsvDialect) -> bytes:
    """Return rows of two cells or more as UTF-8 text, without a byte-order mark."""
    # Not csv.writer, which before Python 3.13 leaves a cell with a lone "\r" without quotes. In tab-separated text
    # every cell gets them: a quoted header is what distinguishes quotes that enclose from quotes that are text.
    special = re.compile("" if dialect.delimiter == "\t" else f'["\r\n{re.escape(dialect.delimiter)}]')

    def quoted(cell: str) -> str:
        return '"' + cell.replace('"', '""') + '"' if dialect.quoting and special.search(cell) else cell

    return "".join(dialect.delimiter.join(map(quoted, row)) + dialect.line_end for row in rows).encode()
