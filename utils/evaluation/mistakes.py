"""The CSV file of a model's mistakes."""

from collections.abc import Iterable
from pathlib import Path

from utils.files import atomic_write
from utils.reading.csv_rows import encode_rows
from utils.reading.delimited.cells import CsvDialect
from utils.text.formulas import without_formula


def write_mistakes(path: Path | None, rows: Iterable[list[str]], *, escape_formulas: bool) -> None:
    """Write the rows, if to a file; with `escape_formulas`, so that a spreadsheet runs none of their cells."""
    if path is None:
        return
    with atomic_write(path) as file:
        for cells in rows:
            file.write(encode_rows([list(map(without_formula, cells)) if escape_formulas else cells], CsvDialect()))
