"""Tables that may be larger than memory: the rows of a file one by one, as often as they are needed."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from utils.errors import DataError
from utils.reading.columns import REPEATED
from utils.reading.csv_rows import DELIMITED_FORMATS, open_delimited
from utils.reading.delimited.cells import NO_DELIMITER, CsvDialect, NumberedRow
from utils.reading.nested import nested_columns
from utils.reading.read_frame import files_of, format_of, read_frame


@dataclass(frozen=True)
class TableStream:
    """Columns, and `count` rows of as many cells; each call of `rows` reads them from the start."""

    columns: list[str]  # as the file names them; "0", "1", … if it does not
    count: int
    rows: Callable[[], Iterator[NumberedRow]]
    dialect: CsvDialect
    nested: frozenset[str] = frozenset()  # the columns in which there are lists or objects


def open_table(path: str, header: bool = True) -> TableStream:
    """Open the table in a file. CSV, TSV and .txt are streamed; the other formats of `read_frame` are held in memory.

    A .txt file that is not tab-separated has one column, "text", with one text per line. Without `header`, the first
    line of CSV and TSV is data. Blank lines are not rows; cells that a short row lacks are "", which is logged as a
    warning.

    A streamed file is read to its end here, so that what is wrong with it is known before any work: DataError, with
    the line, if it is damaged, has no rows, has one with more cells than the first, or a quote is not closed.
    """
    files = files_of(path)
    kind = format_of(Path(files[0]))
    if len(files) > 1 or Path(path).is_dir() or kind not in DELIMITED_FORMATS:
        frame = read_frame([path], header=header)[0]
        nested, repeated, frame = nested_columns(frame), frame.attrs[REPEATED], frame.fillna("")

        def rows() -> Iterator[NumberedRow]:
            return enumerate(map(list, frame.itertuples(index=False, name=None)), start=1)

        return TableStream([repeated.get(name, name) for name in frame], len(frame), rows, CsvDialect(), nested)
    file = open_delimited(files[0], kind, header)
    count = sum(1 for _ in file.rows(report=True))
    if not count:
        raise DataError(f"{path} holds no rows", "check how the file was made; column names alone are not enough")
    dialect = file.dialect or CsvDialect(byte_order_mark=file.text.encoding.has_mark)
    if dialect.delimiter == NO_DELIMITER:
        dialect = replace(dialect, delimiter=",")
    return TableStream(file.columns, count, file.rows, dialect)


def dialect_of_output(path: Path, source: str, dialect: CsvDialect) -> CsvDialect:
    """Return how to write a file of that name: like its source, except for the delimiter if the names end otherwise."""
    kind, delimiter = path.suffix.lower(), dialect.delimiter
    if kind != format_of(Path(source)):
        delimiter = "\t" if kind == ".tsv" else "," if delimiter == "\t" else delimiter
    return dialect if delimiter == dialect.delimiter else replace(dialect, delimiter=delimiter, quoting=True)
