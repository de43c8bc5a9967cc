"""Comma-, semicolon- and tab-separated text (clean UTF-8 bytes) → a pandas frame of strings, no type guessed.

MERGED: The rows of comma-, semicolon- and tab-separated text, one by one: which signs it uses, and the cells between them.

What delimiters and quotes mean is recognised as in `utils.reading.read_frame.csv_rows`, which needs the whole text at once, and
by its means. Unlike there, a cell is to the character what the file has.
"""

import csv
import io
import logging
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from utils.errors import DataError
from utils.reading.columns import unique_names
from utils.reading.encodings import LONGEST_LINE, TextFile

log = logging.getLogger(__name__)
NEEDS_QUOTES = re.compile(rb'[,\t\n]|""')


def read_delimited(text: bytes, delimiter: bytes | None, header: bool, name: str):
    """Every row as strings; a cell that a short row lacks is "". `delimiter` None: recognised in the first line.

    With `header` the first row names the columns, else they are "0", "1", …. In tab-separated text quotes are text,
    unless they clearly enclose cells. Raises DataError with the line for a quote that is not closed and for a row
    with more cells than the first; `name` is the file's name in it.
    """
    import pandas as pd

    delimiter = delimiter or delimiter_of(text)
    quotes_enclose = delimiter != b"\t" or tab_cells_are_quoted(text)
    rows = _mask_quoted(text, delimiter, name) if quotes_enclose else text
    try:
        frame = pd.read_csv(
            io.BytesIO(text),
            sep=delimiter.decode(),
            quoting=csv.QUOTE_MINIMAL if quotes_enclose else csv.QUOTE_NONE,
            header=None,  # given a header, pandas takes the first column of longer rows for an index
            dtype=str,
            na_filter=False,
            lineterminator="\n",
            encoding="utf-8",
            engine="c",
        )
    except pd.errors.ParserError as error:
        raise _too_many_cells(rows, delimiter, name) from error
    _warn_of_short_rows(rows, delimiter, frame.shape, name)
    return _named_by_first_row(frame) if header else frame.rename(columns=str)


def read_text(text: bytes, header: bool, name: str):
    """Tab-separated rows where nine lines of ten hold the same number of tabs, else one text per line in "text"."""
    import pandas as pd

    tabs = Counter(line.count(b"\t") for line in text.split(b"\n") if line.strip())
    usual, lines = tabs.most_common(1)[0]
    if usual and lines >= 0.9 * tabs.total():
        return read_delimited(text, b"\t", header, name)
    return pd.DataFrame({"text": [line for line in text.decode().split("\n") if line.strip()]}, dtype="str")


def delimiter_of(text: bytes) -> bytes:
    """What parts the cells of the first lines: a tab, comma, semicolon or bar."""
    first_line = re.sub(rb'"[^"]*"', b"", text.lstrip(b" \n").partition(b"\n")[0])
    if b"\t" in first_line:
        return b"\t"
    return b";" if first_line.count(b";") > first_line.count(b",") else b","


def _quoted_cell(delimiter: bytes) -> re.Pattern:
    """A cell that opens with a quote. Group 1 is the quote that closes it; 2 is one that text follows, with the text.

    Both are None where the file ends first.
    """
    return re.compile(
        rb'"(?<![^%(end)b]")(?:[^"]++|"")*+(?:("(?![^%(end)b]))|("[^%(end)b]*))?' % {b"end": delimiter + b"\n"}
    )


def _mask_quoted(text: bytes, delimiter: bytes, name: str) -> bytes:
    """`text`, byte for byte as long, without delimiters and line ends inside quotes: each line of it is a row.

    NUL stands for a masked line end. Raises DataError where a quote is not closed: pandas would silently take all
    rows up to the next quote for one cell.
    """
    if b'"' not in text:
        return text
    blanks = bytes.maketrans(delimiter + b"\n", b" \0")

    def mask(cell: re.Match) -> bytes:
        if cell[1] is None and (b"\n" in cell[0] or cell[2] is None):
            line = text.count(b"\n", 0, cell.start()) + 1
            raise DataError(
                f"{name}, line {line}: the quote that opens a cell here is not closed where the cell ends",
                'close the quote there, and write quotes inside a quoted cell twice ("")',
            )
        return cell[0].translate(blanks)

    return _quoted_cell(delimiter).sub(mask, text)


def tab_cells_are_quoted(text: bytes) -> bool:
    """Whether quotes in tab-separated text enclose cells, as pandas and Excel write them, rather than being text.

    They do where each quote belongs to a cell that needed quoting (or the header is quoted as well). Where such cells
    hold tabs or line ends, but no doubled quote, the rows must also be of one width only when read so.
    """
    header_is_quoted = bool(re.match(rb'"[^"\n]*"(?:\t"[^"\n]*")*\n', text))
    quotes, surely, spans = text.count(b'"'), header_is_quoted, False
    for cell in _quoted_cell(b"\t").finditer(text):
        content = cell[0][1:-1]
        if cell[1] is None or not (header_is_quoted or NEEDS_QUOTES.search(content)):
            return False
        quotes -= cell[0].count(b'"')
        surely = surely or b'""' in content
        spans = spans or b"\t" in content or b"\n" in content
    if quotes or b'"' not in text:
        return False
    return surely or not spans or (not _is_even(text) and _is_even(_mask_quoted(text, b"\t", "")))


def _is_even(rows: bytes) -> bool:
    return len({cells for _, cells in _widths(rows, b"\t")}) == 1


def _widths(rows: bytes, delimiter: bytes) -> Iterator[tuple[int, int]]:
    """Line number and number of cells of each row, without the blank lines that pandas leaves out."""
    line = 1
    for row in rows.split(b"\n"):
        if row.strip(b" " if delimiter == b"\t" else b" \t"):
            yield line, row.count(delimiter) + 1
        line += 1 + row.count(b"\0")


def _too_many_cells(rows: bytes, delimiter: bytes, name: str) -> DataError:
    widths = _widths(rows, delimiter)
    _, expected = next(widths)
    line, cells = next((line, cells) for line, cells in widths if cells > expected)
    sign = {b",": "comma", b";": "semicolon", b"\t": "tab"}[delimiter]
    return DataError(
        f"{name}, line {line}: {cells} cells, but the first line has {expected}",
        f"put quotes around a text that holds a {sign}, or write the data as JSONL",
    )


def _warn_of_short_rows(rows: bytes, delimiter: bytes, shape: tuple[int, int], name: str) -> None:
    lacking = shape[0] * (shape[1] - 1) - rows.count(delimiter)
    if lacking:
        line = next(line for line, cells in _widths(rows, delimiter) if cells < shape[1])
        log.warning("%s: short rows lack %d cells, read as empty; the first is line %d", name, lacking, line)


def _named_by_first_row(frame):
    names = frame.iloc[0].tolist()
    frame = frame.iloc[1:].reset_index(drop=True)
    frame.columns = unique_names(names)
    if not names[0].strip() and _is_running_index(frame.iloc[:, 0].tolist()):
        frame = frame.iloc[:, 1:]
    return frame


def _is_running_index(cells: list[str]) -> bool:
    start = 1 if cells[:1] == ["1"] else 0
    return all(cell == str(number) for number, cell in enumerate(cells, start))


SIGNS = {",": "comma", ";": "semicolon", "\t": "tab"}
SAMPLE_CUTS = 20
INSIDE_QUOTES = re.compile(r'[^"]*+(?:""[^"]*+)*+')
NumberedCells = tuple[int, list[str]]  # the number of the line that it starts in, from 1, and its cells


@dataclass(frozen=True)
class CsvDialect:
    """How cells are written. Without `quoting`, quotes are text, and cells hold no delimiter and no line end."""

    delimiter: str = ","
    quoting: bool = True
    line_end: str = "\n"
    byte_order_mark: bool = False


def recognize_dialect(file: TextFile, kind: str) -> CsvDialect | None:
    """How the cells of a .csv, .tsv or .txt file are written; None for a .txt file with a text a line."""
    delimiter = _delimiter_of_file(file, kind)
    if delimiter is None:
        return None
    quoting = delimiter != "\t" or _tab_cells_of_file_are_quoted(file)
    line_end = "\r\n" if file.sample.partition("\n")[0].endswith("\r") else "\n"
    return CsvDialect(delimiter, quoting, line_end, file.has_mark)


def iter_rows(file: TextFile, style: CsvDialect) -> Iterator[NumberedCells]:
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


def _delimiter_of_file(file: TextFile, kind: str) -> str | None:
    """None for a text a line: of .txt, where fewer than nine lines of ten hold the same number of tabs."""
    if kind == ".txt":
        tabs = Counter(line.count("\t") for line in file.sample.split(file.newline) if line.strip())
        usual, lines = tabs.most_common(1)[0] if tabs else (0, 0)
        return "\t" if usual and lines >= 0.9 * tabs.total() else None
    return "\t" if kind == ".tsv" else delimiter_of(_sample(file)).decode()


def _tab_cells_of_file_are_quoted(file: TextFile) -> bool:
    """Whether quotes in tab-separated text enclose cells; a sample may end inside such a cell, which says nothing."""
    sample = _sample(file)
    for _ in range(1 if file.is_whole else SAMPLE_CUTS):
        if tab_cells_are_quoted(sample):
            return True
        sample = sample[: sample.rfind(b"\n", 0, -1) + 1]
    return False


def _sample(file: TextFile) -> bytes:
    return file.sample.replace("\r\n", "\n").replace(file.newline, "\n").encode()
