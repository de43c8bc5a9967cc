"""Comma-, semicolon- and tab-separated text (clean UTF-8 bytes) → a pandas frame of strings, no type guessed."""

import csv
import io
import logging
import re
from collections import Counter
from collections.abc import Iterator

from utils.errors import DataError

log = logging.getLogger(__name__)

BOM = "\ufeff"
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


def unique_names(names: list[str]) -> list[str]:
    """Column names without blanks around them or byte-order marks; empty and repeated ones get a number."""
    unique: dict[str, str] = {}
    for position, name in enumerate(names):
        base = name.replace(BOM, "").strip() or f"Unnamed: {position}"
        candidate, repeat = base, 0
        while column_key(candidate) in unique:
            repeat += 1
            candidate = f"{base}.{repeat}"
        unique[column_key(candidate)] = candidate
    return list(unique.values())


def column_key(name: str) -> str:
    """What makes two column names the same: case, blanks and byte-order marks don't count."""
    return "".join(name.replace(BOM, "").split()).casefold()


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
