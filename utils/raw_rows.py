"""Raw files → the rows of a task: which columns hold text and label, and whether the first line is data."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from utils import conversations, reading
from utils.errors import DataError, UsageError
from utils.labels import LabelMap, check_are_classes, listed, look_like_labels, read_labels
from utils.reading import find_column
from utils.tasks import TASKS
from utils.tasks.base import Task, choose_label_column, choose_text_column, fill_text_column, find_wanted

if TYPE_CHECKING:
    import pandas

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Columns:
    """The columns that a user asks for, by name or number; None: recognised."""

    text: str | None = None
    label: str | None = None


def read_rows(
    task: Task,
    paths: Sequence[str],
    wanted: Columns,
    label_map: LabelMap | None = None,
    *,
    header: bool = True,
    hub_split: str = "train",
    suggest_task: bool = False,
) -> tuple["pandas.DataFrame", list[reading.Source]]:
    """What `task.to_rows` makes of the files, and where the rows are from.

    For a classification task with two columns more: label, "" where there is none, and left_out, True where the map
    leaves the label out. Where no column has a name that the task knows, but the first line has a label like those
    below it, that line is data. `suggest_task`: name another task that the columns look made for. Raises
    DataError where a column is not found, or the labels are no classes.
    """
    frame, sources = reading.read_frame(paths, header=header, hub_split=hub_split)
    if suggest_task:
        _point_at_other_tasks(frame)
    if task.kind != "classify":
        text, label = choose_text_column(task, list(frame.columns), wanted.text), None
    else:
        if header and not _knows_a_name(task, list(frame.columns), wanted):
            bare, bare_sources = reading.read_frame(paths, header=False, hub_split=hub_split)
            if len(bare) > len(frame) and _like_labels(bare, first_recurs=True):
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


def _knows_a_name(task: Task, columns: list[str], wanted: Columns) -> bool:
    asked_by_name = any(name is not None and not name.isdecimal() for name in (wanted.text, wanted.label))
    return asked_by_name or find_column(columns, (*task.text_columns, *task.label_columns)) is not None


def _choose_named(task: Task, frame: "pandas.DataFrame", wanted: Columns) -> tuple[str, str]:
    columns = list(frame.columns)
    likely = find_column(columns, task.label_columns) if wanted.label is None else find_wanted(columns, wanted.label)
    text = choose_text_column(task, columns, wanted.text, likely)
    return text, choose_label_column(task, columns, wanted.label, text)


def _choose_numbered(task: Task, frame: "pandas.DataFrame", wanted: Columns) -> tuple[str, str]:
    """Without names: the label is where few values recur, and the text is the longest column beside it."""
    columns = list(frame.columns)
    text = wanted.text and choose_text_column(task, columns, wanted.text)
    if wanted.label is not None:
        label = choose_label_column(task, columns, wanted.label, text or "")
    else:
        likely = [column for column in _like_labels(frame) if column != text]
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


def _like_labels(frame: "pandas.DataFrame", first_recurs: bool = False) -> list[str]:
    return [column for column in frame.columns if look_like_labels(frame[column].fillna("").tolist(), first_recurs)]


def _check_map_fits(labels: list[str], left_out: list[bool], column: str, label_map: LabelMap) -> None:
    """Raise DataError where no row has a label of the map; warn where a class of it has no row."""
    found = {label for label, out in zip(labels, left_out, strict=True) if label and not out}
    others = {label for label, out in zip(labels, left_out, strict=True) if out}
    absent = label_map.classes - found
    if absent and others:
        problem = f"no label in column {column!r} is one of --label_map's"
        if not found:
            raise DataError(f"{problem}; the labels there are: {listed(others)}", "write the map for these labels")
        log.warning(
            "warning: %s for the class %s; the labels left out are: %s", problem, listed(absent), listed(others)
        )


def _point_at_other_tasks(frame: "pandas.DataFrame") -> None:
    columns = list(frame.columns)
    for task in TASKS.values():
        text, label = find_column(columns, task.text_columns), find_column(columns, task.label_columns)
        if text is not None and label is not None and look_like_labels(frame[label].fillna("").tolist()):
            log.info("columns %r and %r look like texts and labels; to classify: --task %s", text, label, task.name)
    if conversations.are_in(columns):
        log.info("the columns look like instructions and answers; to learn to answer: --task alpaca")
