"""Tables that may be larger than memory: the rows of a CSV or TSV file one by one, and rows as such text again."""

import itertools
import logging
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from utils.errors import DataError
from utils.reading.csv_rows import CsvDialect, NumberedCells, iter_rows, recognize_dialect
from utils.reading.encodings import TextFile, open_text
from utils.reading.read_frame import files_of, format_of, read_frame

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TableStream:
    """Columns, and `count` rows of as many cells; each call of `rows` reads them from the start."""

    columns: list[str]  # as the file names them; "0", "1", … where it does not
    count: int
    rows: Callable[[], Iterator[NumberedCells]]
    style: CsvDialect


def open_table(path: str, header: bool = True) -> TableStream:
    """The table in a file. CSV, TSV and .txt are streamed; what else `read_frame` knows is held in memory.

    A .txt file that is not tab-separated is one column, "text", with a text a line. Without `header` the first line of
    CSV and TSV is data. Blank lines are no rows; cells that a short row lacks are "", which is a logged warning.

    A streamed file is read to its end here, so that what is wrong with it is known before any work: DataError, with the
    line, where it is damaged, has no rows, or has one with more cells than the first, or a quote is not closed.
    """
    kind = format_of(Path(path))
    if files_of(path) != [path] or kind not in (".csv", ".tsv", ".txt"):
        return _table_in_memory(path, header)
    file = open_text(path)
    style = recognize_dialect(file, kind)
    if style is None:
        count = sum(1 for _ in _texts(file))
        return TableStream(["text"], count, lambda: _texts(file), CsvDialect(byte_order_mark=file.has_mark))

    first = next(iter_rows(file, style), (0, []))[1]
    count = _checked_count(iter_rows(file, style), len(first), path) - header
    if count < 1:
        raise DataError(f"{path} holds no rows", "check how the file was made; column names alone are not enough")

    def rows() -> Iterator[NumberedCells]:
        for number, cells in itertools.islice(iter_rows(file, style), int(header), None):
            yield number, cells + [""] * (len(first) - len(cells))

    return TableStream(first if header else [str(number) for number in range(len(first))], count, rows, style)


def encode_rows(rows: Iterable[list[str]], style: CsvDialect) -> bytes:
    """Rows of two cells or more as UTF-8 text, without the byte-order mark."""
    # Not csv.writer, which before Python 3.13 leaves a cell with a lone "\r" without quotes. In tab-separated text
    # every cell gets them: a quoted header is what tells quotes that enclose from quotes that are text.
    special = "" if style.delimiter == "\t" else f'["\r\n{style.delimiter}]'
    needs_quotes = re.compile(special).search if style.quoting else lambda cell: False
    lines = (
        style.delimiter.join('"' + cell.replace('"', '""') + '"' if needs_quotes(cell) else cell for cell in row)
        for row in rows
    )
    return "".join(line + style.line_end for line in lines).encode()


def dialect_of_output(path: Path, source: str, style: CsvDialect) -> CsvDialect:
    """How a file of that name is written: as the source is, but for the delimiter where the names end differently."""
    delimiter = style.delimiter
    if path.suffix.lower() != format_of(Path(source)):
        delimiter = "\t" if path.suffix.lower() == ".tsv" else "," if delimiter == "\t" else delimiter
    return style if delimiter == style.delimiter else replace(style, delimiter=delimiter, quoting=True)


def _table_in_memory(path: str, header: bool) -> TableStream:
    frame, _ = read_frame([path], header=header)

    def rows() -> Iterator[NumberedCells]:
        for number, cells in enumerate(frame.itertuples(index=False, name=None), start=1):
            yield number, [cell if isinstance(cell, str) else "" for cell in cells]

    return TableStream(list(frame.columns), len(frame), rows, CsvDialect())


def _texts(file: TextFile) -> Iterator[NumberedCells]:
    return ((number, [line.removesuffix("\r")]) for number, line in file.lines() if line.strip())


def _checked_count(rows: Iterator[NumberedCells], width: int, name: str) -> int:
    """The number of rows; those with fewer cells than `width` are reported."""
    count = short = first = 0
    for number, cells in rows:
        count += 1
        if len(cells) < width:
            short, first = short + 1, first or number
    if short:
        log.warning("%s: %d rows lack cells, read as empty; the first is line %d", name, short, first)
    return count
