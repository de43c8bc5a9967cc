"""Several labels per text in other forms than `a;b`: lists, and a column of 0 and 1 for each label."""

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

from utils.errors import DataError, UsageError
from utils.reading.columns import check_not_repeated_in, find_column, find_requested_column
from utils.reading.nested import parse_nested
from utils.reading.read_frame import NOT_TEXT, SourceFile
from utils.tasks.base import Task
from utils.tasks.column_choice import Choice
from utils.tasks.kinds import MULTILABEL
from utils.tasks.label_kinds.label_sets import NO_LABEL, SEPARATOR
from utils.tasks.labels import MISSING
from utils.tasks.table_columns import TableColumns

if TYPE_CHECKING:
    import pandas

LABEL_FLAG = "--label_column "
YES, NO = frozenset({"1", "1.0", "true", "yes"}), frozenset({"0", "0.0", "false", "no"})


def with_label_cells(
    task: Task, frame: "pandas.DataFrame", sources: Sequence[SourceFile], requested: str | None, has_names: bool
) -> tuple["pandas.DataFrame", list[str]]:
    """Return the table with labels written as `a;b` in one column, and the names of the columns that held them.

    The labels are in the first of these; there is none where the column is open. A table for a task without several
    labels a text is returned as it is.

    `requested` names a column, or several with commas between them, each of which says whether a text has the label of
    its name. Without it, a column with a known name is taken that holds lists, in a table that `has_names`. DataError
    for a name of no column or of two, and for cells that are neither yes nor no.
    """
    unchanged = frame, [] if requested is None else [requested]
    if task.kind != MULTILABEL.name:
        return unchanged
    columns, known = list(frame), task.label_columns if has_names else ()
    if several := several_columns(columns, requested):
        for name, asked in several.items():
            check_not_repeated_in(frame, sources, name, LABEL_FLAG, asked)
        of_rows = zip(*(frame[name] for name in several), strict=True)
        cells = [label_cell(list(several), of_row, row) for row, of_row in enumerate(of_rows, 1)]
        return _with_text(frame, next(iter(several)), cells), list(several)
    name = find_column(columns, known) if requested is None else find_requested_column(columns, requested)
    if name is None:
        return unchanged
    check_not_repeated_in(frame, sources, name, LABEL_FLAG, requested)
    lists = [parse_nested(cell) if isinstance(cell, str) else None for cell in frame[name]]
    if not any(isinstance(each, list) for each in lists):
        return unchanged
    cells = [
        _written(each, name, row) if isinstance(each, list) else cell
        for row, (each, cell) in enumerate(zip(lists, frame[name], strict=True), 1)
    ]
    return _with_text(frame, name, cells), [name]


def column_of_lists(columns: TableColumns, known: Sequence[str]) -> Choice | None:
    """Return the column with a known name that holds lists of labels; None if there is none."""
    name = find_column(columns.names, known)
    lists = [] if name is None else [each for each in map(parse_nested, columns.sample(name)) if isinstance(each, list)]
    if not lists or any(isinstance(label, dict | list) for each in lists for label in each):
        return None
    return Choice(name)


def several_columns(columns: Sequence[str], requested: str | None) -> dict[str, str]:
    """Return the columns that `requested` names with commas between them, each with its name or number there.

    There are none where it names one column. DataError for a name of no column, UsageError for a comma too many.
    """
    wanted = [name.strip() for name in (requested or "").split(",")]
    if len(wanted) == 1 or find_requested_column(columns, requested) is not None:
        return {}
    if not all(wanted):
        hint = f"{LABEL_FLAG}{','.join(filter(None, wanted)) or 'a,b,c'}"
        raise UsageError(f"{LABEL_FLAG}{requested!r} has a comma without a column before or after it", hint)
    return {_found(columns, name): name for name in wanted}


def label_cell(names: Sequence[str], cells: Sequence[str | None], row: int) -> str:
    """Return the labels of a row whose columns with these names say yes or no, as one cell. DataError for others.

    An empty cell is a no, unless all are: then nobody has labeled the row, and the cell is empty.
    """
    said = [cell.strip().casefold() if isinstance(cell, str) else "" for cell in cells]
    if all(each in MISSING for each in said):
        return ""
    labels = [name for name, each, cell in zip(names, said, cells, strict=True) if _is_yes(each, cell, name, row)]
    return _written(labels, names[0], row)


def _is_yes(said: str, cell: str, name: str, row: int) -> bool:
    if said not in YES and said not in NO and said not in MISSING:
        problem = f"column {name!r} holds {cell[:40]!r} in row {row:,}, expected 0 or 1"
        raise DataError(problem, "each column of --label_column a,b,c says whether a text has that label")
    return said in YES


def _found(columns: Sequence[str], name: str) -> str:
    found = find_requested_column(columns, name)
    if found is None:
        problem = f"there is no column {name!r}; the columns are: {', '.join(map(repr, columns))}"
        raise DataError(problem, "name the columns of the labels with --label_column, with commas between them")
    return found


def _written(labels: list, column: str, row: int) -> str:
    """Return labels as one cell. DataError for a list of lists or objects, and for a label with the separator."""
    texts = [str(label) for label in labels if label is not None]
    nested = (str(label) for label in labels if isinstance(label, dict | list))
    strange = next(itertools.chain(nested, (text for text in texts if SEPARATOR in text)), None)
    if strange:
        problem = (
            f"column {column!r} holds {strange[:40]!r} in row {row:,}, expected a list of labels without {SEPARATOR}"
        )
        raise DataError(problem, "name another with --label_column, or rename the label")
    return SEPARATOR.join(texts) or NO_LABEL


def _with_text(frame: "pandas.DataFrame", name: str, cells: list[str]) -> "pandas.DataFrame":
    """Return the table with other cells in a column, which are text from now on."""
    changed = frame.assign(**{name: cells})
    changed.attrs = {**frame.attrs}
    if NOT_TEXT in frame.attrs:
        changed.attrs[NOT_TEXT] = {other: marks for other, marks in frame.attrs[NOT_TEXT].items() if other != name}
    return changed
