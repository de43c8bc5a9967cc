"""Which columns of a table hold the text and the label, and whether its first line is data.

`read_rows` reads what preprocess.py needs, `open_table_to_classify` what classify.py does. Both choose alike: the
columns that the user asks for, else those with a name that the task knows, else those whose cells look right.
"""

import itertools
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from utils.errors import DataError, UsageError
from utils.reading.columns import column_key, find_column, find_columns, find_requested_column
from utils.reading.read_frame import SourceFile, read_frame
from utils.reading.table_stream import TableStream, open_table
from utils.tasks.alpaca import has_conversation_columns
from utils.tasks.base import Task
from utils.tasks.labels import LabelMap, check_are_classes, check_map_fits, look_like_labels, read_labels
from utils.tasks.posts import to_rows
from utils.tasks.tasks import TASKS

if TYPE_CHECKING:
    import pandas

log = logging.getLogger(__name__)

SAMPLE_ROWS = 1000


@dataclass(frozen=True)
class RequestedColumns:
    """The columns that a user asks for, by name or number; None: recognized."""

    text: str | None = None
    label: str | None = None


def read_rows(
    task: Task,
    paths: Sequence[str],
    requested: RequestedColumns,
    label_map: LabelMap | None = None,
    *,
    header: bool = True,
    hub_split: str = "train",
    suggest_task: bool = False,
) -> tuple["pandas.DataFrame", list[SourceFile]]:
    """Return what `to_rows` makes of the files, and where the rows are from.

    For a classification task they have two more columns: label, "" if there is none, and left_out, True if the map
    leaves the label out. If no column has a name that the task knows, but the first line has a label like those below,
    that line is data. `suggest_task`: log another task that the columns seem made for. Raises DataError if a column is
    not found, or the labels are not classes.
    """

    def read(header: bool) -> _Candidate:
        frame, sources = read_frame(paths, header=header, hub_split=hub_split)
        return _Candidate(
            (frame, sources), list(frame), len(frame), lambda position: frame.iloc[:, position].fillna("").tolist()
        )

    if task.kind == "classify":
        (frame, sources), positions = _open_and_choose(task, requested, header, read, needs_label=True)
        text, label = frame.columns[list(positions)]
    else:
        frame, sources = read(header).table
        if suggest_task:
            _suggest_other_tasks(frame)
        text, label = choose_column("text", task, list(frame), requested.text), None
    if requested.text is None and len(sources) > 1:
        for column in find_columns(list(frame), task.text_columns):
            frame[text] = frame[text].fillna(frame[column])
    _log_columns(len(frame), text, label)
    # Replies and retweets that somebody labeled are meant to be there, unless the file itself calls them that.
    rows = to_rows(frame, text, infer_from_text=label is None)
    if label is not None:
        labels, left_out = read_labels(frame[label], label_map)
        if label_map is None:
            check_are_classes(labels, label)
        else:
            check_map_fits(labels, left_out, label, label_map)
        rows = rows.assign(label=labels, left_out=left_out)
    return rows, sources


def open_table_to_classify(
    path: str, requested: RequestedColumns, header: bool
) -> tuple[TableStream, tuple[int, int | None]]:
    """Return the table in a file and the positions of its text and of its label, None if there is no label.

    Raises DataError if there is no such column, or no row has a text.
    """

    def read(header: bool) -> _Candidate:
        table = open_table(path, header)
        sample = [cells for _, cells in itertools.islice(table.rows(), SAMPLE_ROWS)]
        return _Candidate(table, table.columns, table.count, list(zip(*sample, strict=True)).__getitem__)

    names = (*TASKS["reviews"].text_columns, *TASKS["tweets"].text_columns)
    task = replace(TASKS["reviews"], text_columns=names)
    table, (text_position, label_position) = _open_and_choose(task, requested, header, read, needs_label=False)
    text, label = table.columns[text_position], None if label_position is None else table.columns[label_position]
    if not any(cells[text_position].strip() for _, cells in table.rows()):
        hint = f"name another with --text_column; the columns are: {', '.join(map(repr, table.columns))}"
        raise DataError(f"{path}: column {text!r} holds no text in any of {table.count:,} rows", hint)
    _log_columns(table.count, text, label)
    return table, (text_position, label_position)


def added_columns(present: Sequence[str], labels: Sequence[str]) -> list[str]:
    """Return the names of the new columns: prediction, and a probability per label; numbered if a name is taken."""
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


def choose_column(
    content: str, task: Task, columns: Sequence[str], requested: str | None, taken: str | None = None
) -> str:
    """Return the column of the `content` ("text" or "label"): the one requested, else one that the task knows, else the
    only one beside the column `taken`. DataError if there is none.
    """
    if requested is not None:
        column = find_requested_column(columns, requested)
        problem = f"there is no column {requested!r}"
    else:
        free = [column for column in columns if column != taken]
        known = task.text_columns if content == "text" else task.label_columns
        column = find_column(free, known) or (free[0] if len(free) == 1 else None)
        problem = f"no column looks like the {content} of {task.name}"
    if column is None:
        names = ", ".join(map(repr, columns))
        raise DataError(f"{problem}; the columns are: {names}", f"name it with --{content}_column")
    return column


@dataclass(frozen=True)
class _Candidate:
    """A table to choose columns of: the cells of each, by its position, are all of its rows or a sample."""

    table: object
    names: list[str]
    count: int
    cells: Callable[[int], Sequence[str]]

    def columns_like_labels(self, first_recurs: bool = False) -> list[int]:
        return [position for position in range(len(self.names)) if look_like_labels(self.cells(position), first_recurs)]


def _open_and_choose(
    task: Task, requested: RequestedColumns, header: bool, read: Callable[[bool], _Candidate], *, needs_label: bool
) -> tuple:
    """Return the table that `read(header)` opens, read without a header if its first line is data, and its columns."""
    candidate = read(header)
    asked_by_name = any(name is not None and not name.isdecimal() for name in (requested.text, requested.label))
    names = [name for name in candidate.names if not name.isdecimal()]  # a number may be a label in a line of data
    known = asked_by_name or find_column(names, (*task.text_columns, *task.label_columns))
    if header and not known:
        bare = read(False)
        # JSON and Parquet name their columns, whatever is asked: they have as many rows.
        if bare.count > candidate.count and bare.columns_like_labels(first_recurs=True):
            log.info("the first line names no known column, and has a label like those below it: it is data")
            candidate, header = bare, False
    choose = _choose_by_name if header else _choose_by_cells
    text, label = choose(task, candidate, requested, needs_label)
    if text == label:
        problem = f"column {candidate.names[text]!r} cannot be both the text and the label"
        raise UsageError(problem, "name two columns with --text_column and --label_column")
    return candidate.table, (text, label)


def _choose_by_name(task: Task, candidate: _Candidate, requested: RequestedColumns, needs_label: bool) -> tuple:
    names = candidate.names
    if requested.label is not None:
        label = choose_column("label", task, names, requested.label)
        text = choose_column("text", task, names, requested.text, label)
    else:
        text = choose_column("text", task, names, requested.text, find_column(names, task.label_columns))
        if needs_label:
            label = choose_column("label", task, names, None, text)
        else:
            label = find_column([name for name in names if name != text], task.label_columns)
    return names.index(text), None if label is None else names.index(label)


def _choose_by_cells(task: Task, candidate: _Candidate, requested: RequestedColumns, needs_label: bool) -> tuple:
    """Without names, the label is where few values recur, and the text is the longest column beside it."""
    names = candidate.names
    text = None if requested.text is None else names.index(choose_column("text", task, names, requested.text))
    if requested.label is not None:
        label = names.index(choose_column("label", task, names, requested.label))
    else:
        likely = [position for position in candidate.columns_like_labels() if position != text]
        label = likely[0] if len(likely) == 1 and (needs_label or len(names) > 1) else None
        if label is None and needs_label:
            columns = ", ".join(repr(names[position]) for position in likely)
            problem = f"{f'columns {columns} all look' if likely else 'no column looks'} like the label"
            known = f"few values that recur; the columns are: {', '.join(map(repr, names))}"
            raise DataError(f"{problem}: {known}", "name it with --label_column")
    if text is None:
        free = [position for position in range(len(names)) if position != label]
        if not free:
            choose_column("text", task, names, None, names[label])  # raises DataError
        text = max(free, key=lambda position: sum(map(len, candidate.cells(position))))
    return text, label


def _log_columns(rows: int, text: str, label: str | None) -> None:
    and_label = "" if label is None else f", the label in column {label!r}"
    log.info("read %s rows; the text is in column %r%s", f"{rows:,}", text, and_label)


def _suggest_other_tasks(frame: "pandas.DataFrame") -> None:
    columns = list(frame)
    for task in TASKS.values():
        text, label = find_column(columns, task.text_columns), find_column(columns, task.label_columns)
        if text is not None and label is not None and look_like_labels(frame[label].fillna("").tolist()):
            log.info("columns %r and %r look like texts and labels; to classify: --task %s", text, label, task.name)
    if has_conversation_columns(columns):
        log.info("the columns look like instructions and answers; to learn to answer: --task alpaca")
