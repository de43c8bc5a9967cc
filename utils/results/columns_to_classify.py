"""Open a table whose texts classify.py labels, and find the columns of its texts and of its true labels."""

import itertools
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from utils.errors import DataError
from utils.reading.columns import check_not_repeated, column_key, repeated_names
from utils.reading.table_stream import TableStream, open_table
from utils.tasks.columns import FIRST_LINE_IS_DATA, RequestedColumns, choose_columns, log_choice, may_lack_names
from utils.tasks.label_kinds.label_columns import LABEL_FLAG, column_of_lists, several_columns
from utils.tasks.table_columns import columns_of_stream, with_column
from utils.tasks.tasks import TASKS
from utils.tasks.whole_texts import with_whole_texts

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ColumnsToClassify:
    """The positions of a table's columns: of the text; of the true label, None without one.

    `labels` are those of 0 and 1, by the labels that are their names; `label` is the first of them.
    """

    text: int
    label: int | None
    labels: dict[str, int]


def open_table_to_classify(
    path: str, requested: RequestedColumns, header: bool
) -> tuple[TableStream, ColumnsToClassify]:
    """Return the table in a file, and where its text and its true labels are.

    What was inside an object becomes a column of its own at the end, and so does the whole text where the file has a
    longer version of some. Raises DataError if there is no such column, or two of one name, or no row has a text.
    """
    names = (*TASKS["reviews"].text_columns, *TASKS["tweets"].text_columns)
    task = replace(TASKS["reviews"], text_columns=names)
    table = open_table(path, header)
    columns = columns_of_stream(table)
    if header and may_lack_names(task, requested, columns):
        bare = open_table(path, header=False)
        if bare.count > table.count:
            log.info(FIRST_LINE_IS_DATA)
            table, columns, header = bare, columns_of_stream(bare), False
    several = several_columns(columns.names, requested.label)
    first = replace(requested, label=next(iter(several), requested.label))
    text, label = choose_columns(task, columns, first, header, needs_label=False)
    label = label or (column_of_lists(columns, task.label_columns) if header else None)
    chosen = [("--text_column ", text.name, requested.text)]
    if label is not None:
        chosen += [(LABEL_FLAG, name, asked) for name, asked in (several or {label.name: requested.label}).items()]
    repeated = repeated_names(table.columns)
    for flag, name, asked in chosen:
        check_not_repeated(path, columns.names, repeated, name, flag, asked)
    table, text_at = with_column(table, columns, text)
    label_at = None
    if label is not None:
        table, label_at = with_column(table, columns, label, keep_lists=True)
    if not any(cells[text_at].strip() for _, cells in table.rows()):
        hint = f"name another with --text_column; the columns are: {', '.join(map(repr, table.columns))}"
        raise DataError(f"{path}: column {text.name!r} holds no text in any of {table.count:,} rows", hint)
    log_choice(table.count, text, label, labels=list(several))
    if requested.text is None:
        table, text_at = with_whole_texts(table, columns, text_at)
    return table, ColumnsToClassify(text_at, label_at, {name: columns.names.index(name) for name in several})


def added_columns(present: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """Return the names of new columns: those that are wanted, numbered if a name is taken."""
    taken = {column_key(name) for name in present}
    names = []
    for base in wanted:
        numbered = (base if number == 1 else f"{base}_{number}" for number in itertools.count(1))
        name = next(name for name in numbered if column_key(name) not in taken)
        taken.add(column_key(name))
        names.append(name)
        if name != base:
            log.info("there is a column %r already; the new one is %r", base, name)
    return names
