"""Which columns of a table to classify hold the text and, perhaps, the label; which ones are added to it."""

import itertools
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from utils.errors import DataError, UsageError
from utils.labels import look_like_labels
from utils.reading import find_column
from utils.reading.delimited import column_key
from utils.tables import Table, open_table
from utils.tasks import TASKS
from utils.tasks.base import choose_text_column, find_wanted

log = logging.getLogger(__name__)

SAMPLE_ROWS = 1000
TEXT_COLUMNS = (*TASKS["reviews"].text_columns, *TASKS["tweets"].text_columns)
LABEL_COLUMNS = TASKS["reviews"].label_columns


@dataclass(frozen=True)
class Columns:
    """The positions of the columns; None where there is no label."""

    text: int
    label: int | None


def open_to_classify(path: str, text: str | None, label: str | None, header: bool) -> tuple[Table, Columns]:
    """The table in a file and its columns: those asked for by name or number, or else those that are recognised.

    Where no column has a known name, but the first line a label like those below it, that line is data, as in
    preprocess.py. Raises DataError where there is no such column, or no row has a text.
    """
    table = open_table(path, header)
    by_name = header and (_asked_by_name(text, label) or find_column(table.columns, (*TEXT_COLUMNS, *LABEL_COLUMNS)))
    if header and not by_name and _like_labels([table.columns, *_sample(table)], first_recurs=True):
        bare = open_table(path, header=False)
        if bare.count > table.count:  # JSON and Parquet name their columns whatever is asked
            log.info(
                "%s: the first line names no column that is known, and has a label like the others: it is data", path
            )
            table, header = bare, False
    columns = _named(table, text, label) if header else _numbered(table, text, label)
    if columns.text == columns.label:
        raise UsageError(
            f"column {table.columns[columns.text]!r} cannot be both the text and the label",
            "name two columns with --text_column and --label_column",
        )
    if not any(cells[columns.text].strip() for _, cells in table.rows()):
        raise DataError(
            f"{path}: column {table.columns[columns.text]!r} holds no text in any of {table.count:,} rows",
            f"name another with --text_column; the columns are: {', '.join(map(repr, table.columns))}",
        )
    in_label = "" if columns.label is None else f", the label in column {table.columns[columns.label]!r}"
    log.info("%s rows; the text is in column %r%s", f"{table.count:,}", table.columns[columns.text], in_label)
    return table, columns


def added_columns(present: Sequence[str], labels: Sequence[str]) -> list[str]:
    """The names of the new columns: prediction, and a probability per label; numbered where there is one already."""
    taken = {column_key(name) for name in present}
    names = []
    for base in ["prediction", *(f"probability_{label}" for label in labels)]:
        numbered = (base if number == 1 else f"{base}_{number}" for number in itertools.count(1))
        name = next(name for name in numbered if column_key(name) not in taken)
        taken.add(column_key(name))
        names.append(name)
        if name != base:
            log.info("there is a column %r already; the new one is %r", base, name)
    return names


def _asked_by_name(*wanted: str | None) -> bool:
    return any(name is not None and not name.isdecimal() for name in wanted)


def _named(table: Table, text: str | None, label: str | None) -> Columns:
    names = table.columns
    label_name = find_column(names, LABEL_COLUMNS) if label is None else _wanted(names, label, "--label_column")
    text = text or find_column([name for name in names if name != label_name], TEXT_COLUMNS)
    text_name = choose_text_column(TASKS["reviews"], names, text, label_name)
    if label is None and label_name == text_name:
        label_name = None
    return Columns(names.index(text_name), None if label_name is None else names.index(label_name))


def _numbered(table: Table, text: str | None, label: str | None) -> Columns:
    """Without names: the label is where few values recur, if that is one column; the text is the longest beside it."""
    names, rows = table.columns, _sample(table)
    taken = None if text is None else names.index(choose_text_column(TASKS["reviews"], names, text))
    if label is not None:
        position = names.index(_wanted(names, label, "--label_column"))
    else:
        likely = [position for position in _like_labels(rows) if position != taken]
        position = likely[0] if len(likely) == 1 and len(names) > 1 else None
    if taken is None:
        others = [number for number in range(len(names)) if number != position] or [0]
        taken = max(others, key=lambda number: sum(len(cells[number]) for cells in rows))
    return Columns(taken, position)


def _wanted(names: Sequence[str], wanted: str, flag: str) -> str:
    column = find_wanted(names, wanted)
    if column is None:
        raise DataError(
            f"there is no column {wanted!r}; the columns are: {', '.join(map(repr, names))}", f"name it with {flag}"
        )
    return column


def _sample(table: Table) -> list[list[str]]:
    return [cells for _, cells in itertools.islice(table.rows(), SAMPLE_ROWS)]


def _like_labels(rows: list[list[str]], first_recurs: bool = False) -> list[int]:
    columns = zip(*rows, strict=True)
    return [position for position, cells in enumerate(columns) if look_like_labels(cells, first_recurs)]
