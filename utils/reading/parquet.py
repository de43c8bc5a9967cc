"""Read Parquet into columns of text."""

import logging
import re
from collections import Counter

from utils.errors import DataError
from utils.reading.columns import check_width
from utils.reading.compressed import check_expansion
from utils.reading.encodings import COPY_AGAIN, decode_mixed
from utils.reading.json_records import as_text

log = logging.getLogger(__name__)

PANDAS_INDEX = re.compile(r"__index_level_\d+__")
ROWS_AT_ONCE = 10_000


def read_parquet(data: bytes, name: str) -> dict[str, list[str | None]]:
    """Return the columns of a Parquet file as text (`as_text`), without the index that pandas wrote.

    DataError if it is damaged or has two columns of one name, or if its rows take unreasonably more memory than the
    file (`check_expansion`).
    """
    import pyarrow
    from pyarrow import parquet

    columns: dict[str, list[str | None]] = {}
    size = 0
    try:
        file = parquet.ParquetFile(pyarrow.BufferReader(data))
        columns = {column: [] for column in file.schema_arrow.names if not PANDAS_INDEX.match(column)}
        if repeated := [column for column, count in Counter(file.schema_arrow.names).items() if count > 1]:
            raise DataError(f"{name}: several columns are named {repeated[0]!r}", "write it again with a name for each")
        check_width(name, len(columns))
        for batch in file.iter_batches(ROWS_AT_ONCE, columns=list(columns)):
            size += batch.nbytes
            check_expansion(name, size, len(data))
            for column, cells in columns.items():
                cells += map(as_text, _values(batch.column(column), f"{name}, column {column}"))
    except (pyarrow.ArrowException, OSError) as error:
        reason = str(error).partition(". ")[0].replace("\n", " ")
        raise DataError(f"{name} is not a complete Parquet file: {reason}", COPY_AGAIN) from error
    return columns


def _values(array, where: str) -> list:
    """Return an array's values; of texts that are not UTF-8, the other bytes are read as cp1252."""
    import pyarrow

    try:
        return array.to_pylist()
    except UnicodeDecodeError as error:
        if not pyarrow.types.is_string(array.type) and not pyarrow.types.is_large_string(array.type):
            raise DataError(f"{where}: its texts are not UTF-8: {error.reason}", "write the file again") from error
        log.warning("%s: some of its texts are not UTF-8; read as cp1252", where)
        texts = array.cast(pyarrow.large_binary()).to_pylist()
        return [text if text is None else decode_mixed(text) for text in texts]
