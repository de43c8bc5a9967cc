"""Read the text and the label of every row of a table, whose first line may be data.

`read_rows` reads what preprocess.py needs, `open_table_to_classify` what classify.py does. Both choose alike: the
columns or paths that the user asks for, else those that column_choice.py recognizes by their names and cells.
"""

import itertools
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

from utils.errors import DataError, UsageError
from utils.reading.columns import column_key, find_column, find_columns, unique_names
from utils.reading.nested import nested_columns
from utils.reading.read_frame import SourceFile, read_frame
from utils.reading.table_stream import TableStream, open_table
from utils.tasks.alpaca import has_conversation_columns
from utils.tasks.base import Task
from utils.tasks.column_choice import Choice, choose_label, choose_text
from utils.tasks.first_line import first_line_is_data
from utils.tasks.labels import LabelMap, check_are_classes, check_map_fits, look_like_labels, read_labels
from utils.tasks.posts import to_rows
from utils.tasks.table_columns import TableColumns, text_of_row
from utils.tasks.tasks import TASKS

if TYPE_CHECKING:
    import pandas

log = logging.getLogger(__name__)

SAMPLE_ROWS = 1000


@dataclass(frozen=True)
class RequestedColumns:
    """The columns that a user asks for, by name, number or path; None: recognized."""

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
    leaves the label out. A first line that looks like those below it is data. `suggest_task`: log another task that
    the columns seem made for. Raises DataError if a column is not found, or the labels are not classes.
    """
    frame, sources = read_frame(paths, header=header, hub_split=hub_split)
    columns = _columns_of_frame(frame)
    if header and _may_lack_header(task, requested, columns):
        bare, bare_sources = read_frame(paths, header=False, hub_split=hub_split)
        # JSON and Parquet name their columns, whatever is asked: they have as many rows.
        if len(bare) > len(frame):
            frame, sources, columns, header = bare, bare_sources, _columns_of_frame(bare), False
    if suggest_task:
        _suggest_other_tasks(frame)
    text, label = _choose(task, columns, requested, has_names=header, needs_label=task.kind == "classify")
    _log_choice(len(frame), text, label)
    texts = _cells_of_frame(frame, columns, text)
    if requested.text is None and len(sources) > 1:
        for column in find_columns(list(frame), task.text_columns):
            if columns.is_plain(column):
                texts = texts.fillna(frame[column])
    frame = frame.assign(**{text.name: texts})
    # Replies and retweets that somebody labeled are meant to be there, unless the file itself calls them that.
    rows = to_rows(frame, text.name, infer_from_text=label is None, whole=requested.text is None)
    if label is not None:
        labels, left_out = read_labels(_cells_of_frame(frame, columns, label), label_map)
        if label_map is None:
            check_are_classes(labels, label.name)
        else:
            check_map_fits(labels, left_out, label.name, label_map)
        rows = rows.assign(label=labels, left_out=left_out)
    return rows, sources


def open_table_to_classify(
    path: str, requested: RequestedColumns, header: bool
) -> tuple[TableStream, tuple[int, int | None]]:
    """Return the table in a file and the positions of its text and of its label, None if there is no label.

    What was inside an object becomes a column of its own, the last one. Raises DataError if there is no such column,
    or no row has a text.
    """
    names = (*TASKS["reviews"].text_columns, *TASKS["tweets"].text_columns)
    task = replace(TASKS["reviews"], text_columns=names)
    table = open_table(path, header)
    columns = _columns_of_stream(table)
    if header and _may_lack_header(task, requested, columns):
        bare = open_table(path, header=False)
        if bare.count > table.count:
            table, columns, header = bare, _columns_of_stream(bare), False
    text, label = _choose(task, columns, requested, has_names=header, needs_label=False)
    table, text_at = _with_column(table, columns, text)
    label_at = None
    if label is not None:
        table, label_at = _with_column(table, columns, label)
    if not any(cells[text_at].strip() for _, cells in table.rows()):
        hint = f"name another with --text_column; the columns are: {', '.join(map(repr, table.columns))}"
        raise DataError(f"{path}: column {text.name!r} holds no text in any of {table.count:,} rows", hint)
    _log_choice(table.count, text, label)
    return table, (text_at, label_at)


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


def _columns_of_frame(frame: "pandas.DataFrame") -> TableColumns:
    sample = frame.iloc[:: max(1, len(frame) // SAMPLE_ROWS)]
    return TableColumns(list(frame), cache(lambda name: sample[name].fillna("").tolist()), nested_columns(frame))


def _columns_of_stream(table: TableStream) -> TableColumns:
    rows = [cells for _, cells in itertools.islice(table.rows(), SAMPLE_ROWS)]
    names = unique_names(table.columns)
    return TableColumns(names, dict(zip(names, zip(*rows, strict=True), strict=True)).__getitem__, table.nested)


def _may_lack_header(task: Task, requested: RequestedColumns, columns: TableColumns) -> bool:
    """Whether the first line, by which the columns are named, looks like data. A column asked for by name is named."""
    if any(name is not None and not name.isdecimal() for name in (requested.text, requested.label)):
        return False
    names = (*task.text_columns, *task.label_columns)
    if not first_line_is_data(columns.names, list(map(columns.sample, columns.names)), names):
        return False
    log.info("the first line names no known column, and its cells look like those below it: it is data")
    return True


def _choose(
    task: Task, columns: TableColumns, requested: RequestedColumns, *, has_names: bool, needs_label: bool
) -> tuple[Choice, Choice | None]:
    """Return the columns of the text and of the label; DataError if one is not found, or is clearly no other."""
    candidates = columns.candidates()
    label = None if requested.label is None else Choice(columns.find_requested(requested.label, "label"))
    if requested.text is not None:
        text = Choice(columns.find_requested(requested.text, "text"))
    else:
        likely = label or choose_label(task, candidates, needed=False, has_names=has_names)
        beside = None if likely is None or not task.label_columns else likely.name
        text = choose_text(task, candidates, columns.inside, label=beside, has_names=has_names)
    if label is None and task.kind == "classify":
        inside = tuple if text.name in columns.names else columns.inside
        label = choose_label(task, candidates, inside, text=text.name, needed=needs_label, has_names=has_names)
    if label is not None and text.name == label.name:
        problem = f"column {text.name!r} cannot be both the text and the label"
        raise UsageError(problem, "name two columns with --text_column and --label_column")
    return text, label


def _cells_of_frame(frame: "pandas.DataFrame", columns: TableColumns, choice: Choice) -> "pandas.Series":
    if columns.is_plain(choice.name) and not choice.fillers:
        return frame[choice.name]
    import pandas

    parts = columns.parts([choice.name, *choice.fillers])
    cells = zip(*(frame.iloc[:, place].tolist() for place, _ in parts), strict=True)
    parts = [(number, keys) for number, (_, keys) in enumerate(parts)]
    return pandas.Series([text_of_row(row, parts) for row in cells], index=frame.index, dtype="str")


def _with_column(table: TableStream, columns: TableColumns, choice: Choice) -> tuple[TableStream, int]:
    """Return the table with the chosen column, and its position."""
    exists = choice.name in columns.names
    position = columns.names.index(choice.name) if exists else len(table.columns)
    if columns.is_plain(choice.name) and not choice.fillers:
        return table, position
    parts = columns.parts([choice.name, *choice.fillers])

    def rows() -> Iterator[tuple[int, list[str]]]:
        for number, cells in table.rows():
            yield number, [*cells[:position], text_of_row(cells, parts) or "", *cells[position + 1 :]]

    return replace(table, columns=table.columns if exists else [*table.columns, choice.name], rows=rows), position


def _log_choice(rows: int, text: Choice, label: Choice | None) -> None:
    and_label = "" if label is None else f", the label in column {label.name!r}"
    log.info("read %s rows; the text is in column %r%s", f"{rows:,}", text.name, and_label)
    for column in text.fillers:
        log.info("where column %r is empty, the text is that in column %r", text.name, column)
    for content, choice in (("text", text), ("label", label)):
        if choice is not None and choice.others:
            others = ", ".join(map(repr, choice.others))
            log.info("others that could be the %s: %s (--%s_column)", content, others, content)


def _suggest_other_tasks(frame: "pandas.DataFrame") -> None:
    columns = list(frame)
    for task in TASKS.values():
        text, label = find_column(columns, task.text_columns), find_column(columns, task.label_columns)
        if text is not None and label is not None and look_like_labels(frame[label].fillna("").tolist()):
            log.info("columns %r and %r look like texts and labels; to classify: --task %s", text, label, task.name)
    if has_conversation_columns(columns):
        log.info("the columns look like instructions and answers; to learn to answer: --task alpaca")
