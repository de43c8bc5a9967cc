"""Raw files → the rows of a task: which columns hold text and label, and whether the first line is data.

MERGED: Which columns of a table to classify hold the text and, perhaps, the label; which ones are added to it."""

import itertools
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from utils.errors import DataError, UsageError
from utils.reading.columns import column_key, find_column
from utils.reading.read_frame import SourceFile, read_frame
from utils.reading.table_stream import TableStream, open_table
from utils.tasks.alpaca import has_conversation_columns
from utils.tasks.base import Task
from utils.tasks.labels import LabelMap, check_are_classes, list_labels, look_like_labels, read_labels
from utils.tasks.tasks import TASKS

if TYPE_CHECKING:
    import pandas


def fill_text_column(task: Task, frame: "pandas.DataFrame", text_column: str) -> None:
    """Fill what the text column lacks from the others that the task knows: files of several sites have several."""
    known = (find_column(list(frame.columns), [name]) for name in task.text_columns)
    for column in known:
        if column not in (None, text_column):
            frame[text_column] = frame[text_column].where(frame[text_column].notna(), frame[column])


def choose_text_column(task: Task, columns: Sequence[str], wanted: str | None, label: str | None = None) -> str:
    """The column that holds the text: the one asked for, the one the task knows, or the only one beside the label."""
    return _choose(columns, wanted, task.text_columns, label, f"the text of {task.name}", "--text_column")


def choose_label_column(task: Task, columns: Sequence[str], wanted: str | None, text: str) -> str:
    """The column that holds the label: the one asked for, the one the task knows, or the only one beside the text."""
    return _choose(columns, wanted, task.label_columns, text, f"the label of {task.name}", "--label_column")


def find_wanted(columns: Sequence[str], wanted: str) -> str | None:
    """The column of that name, or else of that number, counted from 0."""
    numbered = columns[int(wanted)] if wanted.isdecimal() and int(wanted) < len(columns) else None
    return find_column(columns, [wanted]) or numbered


def _choose(
    columns: Sequence[str], wanted: str | None, known: Sequence[str], taken: str | None, what: str, flag: str
) -> str:
    if wanted is not None:
        column = find_wanted(columns, wanted)
        problem = f"there is no column {wanted!r}"
    else:
        others = [column for column in columns if column != taken]
        column = find_column(others, known) or (others[0] if len(others) == 1 else None)
        problem = f"no column looks like {what}"
    if column is None:
        raise DataError(f"{problem}; the columns are: {', '.join(map(repr, columns))}", f"name it with {flag}")
    return column


log = logging.getLogger(__name__)


@dataclass(frozen=True)
class WantedColumns:
    """The columns that a user asks for, by name or number; None: recognised."""

    text: str | None = None
    label: str | None = None


def read_rows(
    task: Task,
    paths: Sequence[str],
    wanted: WantedColumns,
    label_map: LabelMap | None = None,
    *,
    header: bool = True,
    hub_split: str = "train",
    suggest_task: bool = False,
) -> tuple["pandas.DataFrame", list[SourceFile]]:
    """What `task.to_rows` makes of the files, and where the rows are from.

    For a classification task with two columns more: label, "" where there is none, and left_out, True where the map
    leaves the label out. Where no column has a name that the task knows, but the first line has a label like those
    below it, that line is data. `suggest_task`: name another task that the columns look made for. Raises
    DataError where a column is not found, or the labels are no classes.
    """
    frame, sources = read_frame(paths, header=header, hub_split=hub_split)
    if suggest_task:
        _point_at_other_tasks(frame)
    if task.kind != "classify":
        text, label = choose_text_column(task, list(frame.columns), wanted.text), None
    else:
        if header and not _knows_a_name(task, list(frame.columns), wanted):
            bare, bare_sources = read_frame(paths, header=False, hub_split=hub_split)
            if len(bare) > len(frame) and _frame_columns_like_labels(bare, first_recurs=True):
                frame, sources, header = bare, bare_sources, False
                log.info("the first line names no column that is known, and has a label like the others: it is data")
        text, label = (_choose_named if header else _choose_numbered)(task, frame, wanted)
        if text == label:
            raise UsageError(
                f"column {text!r} cannot be both the text and the label",
                "name two columns with --text_column and --label_column",
            )
    if wanted.text is None and len(sources) > 1:
        fill_text_column(task, frame, text)
    and_label = "" if label is None else f", the label in column {label!r}"
    log.info("read %s rows; the text is in column %r%s", f"{len(frame):,}", text, and_label)
    rows = task.to_rows(frame, text)
    if label is not None:
        labels, left_out = read_labels(frame[label], label_map)
        if label_map is None:
            check_are_classes(labels, label)
        else:
            _check_map_fits(labels, left_out, label, label_map)
        rows = rows.assign(label=labels, left_out=left_out)
    return rows, sources


def _knows_a_name(task: Task, columns: list[str], wanted: WantedColumns) -> bool:
    asked_by_name = any(name is not None and not name.isdecimal() for name in (wanted.text, wanted.label))
    return asked_by_name or find_column(columns, (*task.text_columns, *task.label_columns)) is not None


def _choose_named(task: Task, frame: "pandas.DataFrame", wanted: WantedColumns) -> tuple[str, str]:
    columns = list(frame.columns)
    likely = find_column(columns, task.label_columns) if wanted.label is None else find_wanted(columns, wanted.label)
    text = choose_text_column(task, columns, wanted.text, likely)
    return text, choose_label_column(task, columns, wanted.label, text)


def _choose_numbered(task: Task, frame: "pandas.DataFrame", wanted: WantedColumns) -> tuple[str, str]:
    """Without names: the label is where few values recur, and the text is the longest column beside it."""
    columns = list(frame.columns)
    text = wanted.text and choose_text_column(task, columns, wanted.text)
    if wanted.label is not None:
        label = choose_label_column(task, columns, wanted.label, text or "")
    else:
        likely = [column for column in _frame_columns_like_labels(frame) if column != text]
        if len(likely) != 1:
            found = f"columns {', '.join(map(repr, likely))} all look" if likely else "no column looks"
            raise DataError(
                f"{found} like the label: few values that recur; the columns are: {', '.join(map(repr, columns))}",
                "name it with --label_column",
            )
        label = likely[0]
    if text is None:
        others = [column for column in columns if column != label]
        longest = max(others, key=lambda column: frame[column].str.len().sum(), default=None)
        text = longest or choose_text_column(task, columns, None, label)
    return text, label


def _frame_columns_like_labels(frame: "pandas.DataFrame", first_recurs: bool = False) -> list[str]:
    return [column for column in frame.columns if look_like_labels(frame[column].fillna("").tolist(), first_recurs)]


def _check_map_fits(labels: list[str], left_out: list[bool], column: str, label_map: LabelMap) -> None:
    """Raise DataError where no row has a label of the map; warn where a class of it has no row."""
    found = {label for label, out in zip(labels, left_out, strict=True) if label and not out}
    others = {label for label, out in zip(labels, left_out, strict=True) if out}
    absent = label_map.classes - found
    if absent and others:
        problem = f"no label in column {column!r} is one of --label_map's"
        if not found:
            raise DataError(f"{problem}; the labels there are: {list_labels(others)}", "write the map for these labels")
        log.warning(
            "warning: %s for the class %s; the labels left out are: %s",
            problem,
            list_labels(absent),
            list_labels(others),
        )


def _point_at_other_tasks(frame: "pandas.DataFrame") -> None:
    columns = list(frame.columns)
    for task in TASKS.values():
        text, label = find_column(columns, task.text_columns), find_column(columns, task.label_columns)
        if text is not None and label is not None and look_like_labels(frame[label].fillna("").tolist()):
            log.info("columns %r and %r look like texts and labels; to classify: --task %s", text, label, task.name)
    if has_conversation_columns(columns):
        log.info("the columns look like instructions and answers; to learn to answer: --task alpaca")


SAMPLE_ROWS = 1000
TEXT_COLUMNS = (*TASKS["reviews"].text_columns, *TASKS["tweets"].text_columns)
LABEL_COLUMNS = TASKS["reviews"].label_columns


@dataclass(frozen=True)
class ColumnPositions:
    """The positions of the columns; None where there is no label."""

    text: int
    label: int | None


def open_table_to_classify(
    path: str, text: str | None, label: str | None, header: bool
) -> tuple[TableStream, ColumnPositions]:
    """The table in a file and its columns: those asked for by name or number, or else those that are recognised.

    Where no column has a known name, but the first line a label like those below it, that line is data, as in
    preprocess.py. Raises DataError where there is no such column, or no row has a text.
    """
    table = open_table(path, header)
    by_name = header and (_asked_by_name(text, label) or find_column(table.columns, (*TEXT_COLUMNS, *LABEL_COLUMNS)))
    if header and not by_name and _sample_columns_like_labels([table.columns, *_sample(table)], first_recurs=True):
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


def _named(table: TableStream, text: str | None, label: str | None) -> ColumnPositions:
    names = table.columns
    label_name = find_column(names, LABEL_COLUMNS) if label is None else _wanted(names, label, "--label_column")
    text = text or find_column([name for name in names if name != label_name], TEXT_COLUMNS)
    text_name = choose_text_column(TASKS["reviews"], names, text, label_name)
    if label is None and label_name == text_name:
        label_name = None
    return ColumnPositions(names.index(text_name), None if label_name is None else names.index(label_name))


def _numbered(table: TableStream, text: str | None, label: str | None) -> ColumnPositions:
    """Without names: the label is where few values recur, if that is one column; the text is the longest beside it."""
    names, rows = table.columns, _sample(table)
    taken = None if text is None else names.index(choose_text_column(TASKS["reviews"], names, text))
    if label is not None:
        position = names.index(_wanted(names, label, "--label_column"))
    else:
        likely = [position for position in _sample_columns_like_labels(rows) if position != taken]
        position = likely[0] if len(likely) == 1 and len(names) > 1 else None
    if taken is None:
        others = [number for number in range(len(names)) if number != position] or [0]
        taken = max(others, key=lambda number: sum(len(cells[number]) for cells in rows))
    return ColumnPositions(taken, position)


def _wanted(names: Sequence[str], wanted: str, flag: str) -> str:
    column = find_wanted(names, wanted)
    if column is None:
        raise DataError(
            f"there is no column {wanted!r}; the columns are: {', '.join(map(repr, names))}", f"name it with {flag}"
        )
    return column


def _sample(table: TableStream) -> list[list[str]]:
    return [cells for _, cells in itertools.islice(table.rows(), SAMPLE_ROWS)]


def _sample_columns_like_labels(rows: list[list[str]], first_recurs: bool = False) -> list[int]:
    columns = zip(*rows, strict=True)
    return [position for position, cells in enumerate(columns) if look_like_labels(cells, first_recurs)]
