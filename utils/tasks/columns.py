"""Read the text and the label of every row of a table, whose first line may be data.

`read_rows` reads what preprocess.py needs, results/columns_to_classify.py what classify.py does. Both choose
alike: the columns or paths that the user names, else those that column_choice.py recognizes by their names and cells.
"""

import itertools
import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from utils.errors import DataError, UsageError
from utils.reading.columns import check_not_repeated_in, columns_by_source, find_column
from utils.reading.read_frame import NOT_TEXT, SourceFile, read_frame
from utils.tasks.alpaca import has_conversation_columns
from utils.tasks.base import Task
from utils.tasks.column_choice import Choice, choose_label, choose_text, possible_labels
from utils.tasks.escaped_cells import without_escapes
from utils.tasks.first_line import first_line_is_data
from utils.tasks.label_kinds.label_columns import LABEL_FLAG, with_label_cells
from utils.tasks.label_kinds.label_kinds import LABEL_KINDS
from utils.tasks.labels import LabelMap, look_like_labels
from utils.tasks.posts import to_rows
from utils.tasks.table_columns import TableColumns, cells_of_frame, columns_of_frame
from utils.tasks.tasks import TASKS

if TYPE_CHECKING:
    import pandas

log = logging.getLogger(__name__)

FIRST_LINE_IS_DATA = "the first line names no known column, and its cells look like those below it: it is data"


@dataclass(frozen=True)
class RequestedColumns:
    """The columns that a user asks for, by name, number or path; None: recognized.

    `labels` are columns of 0 and 1 whose labels are in the column `label` now.
    """

    text: str | None = None
    label: str | None = None
    labels: Sequence[str] = ()


@dataclass(frozen=True, eq=False)
class _Part:
    """The rows of files that have the same columns."""

    paths: list[str]
    frame: "pandas.DataFrame"
    columns: TableColumns


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
    """Return the files' rows by `to_rows`, and their sources.

    For a task with labels they have two more columns: label, "" if there is none, and left_out, True if the map leaves
    it out. A first line that looks like those below it is data. `suggest_task`: log another task that the columns seem
    made for. DataError if a column is not found, or holds no such labels.
    """
    frame, sources = read_frame(paths, header=header, hub_split=hub_split)
    frame, labels_in = with_label_cells(task, frame, sources, requested.label, header)
    parts = _parts_of(frame, sources)
    if header and (unnamed := [part for part in parts if may_lack_names(task, requested, part.columns)]):
        bare, bare_sources = read_frame(paths, header=False, hub_split=hub_split)
        longer = {source.path for source, other in zip(bare_sources, sources, strict=True) if source.rows > other.rows}
        unnamed = {path for part in unnamed for path in part.paths} & longer  # JSON and Parquet name their columns
        if unnamed == longer and unnamed:
            log.info(FIRST_LINE_IS_DATA)
            sources, header = bare_sources, False
            frame, labels_in = with_label_cells(task, bare, sources, requested.label, header)
            parts = _parts_of(frame, sources)
        elif unnamed:
            problem = "warning: the first line of %s looks like data, but other files have names there: it is not read"
            log.warning(problem, ", ".join(sorted(unnamed)))
    label_asked = requested.label
    requested = replace(requested, label=next(iter(labels_in), None), labels=labels_in)
    if suggest_task:
        _suggest_other_tasks(frame)
    if requested.text is not None:
        parts = [_Part([], frame, columns_of_frame(frame))]
    texts, labels, chosen = _read_parts(task, parts, requested, header)
    for text, label in chosen:
        check_not_repeated_in(frame, sources, text.name, "--text_column ", requested.text)
        if label is not None:
            check_not_repeated_in(frame, sources, label.name, LABEL_FLAG, label_asked)
    text, label = chosen[0]
    frame = frame.assign(**{text.name: without_escapes(texts.reindex(frame.index), text.name)})
    # Replies and retweets that somebody labeled are meant to be there, unless the file itself calls them that.
    rows = to_rows(frame, text.name, infer_from_text=label is None, whole=requested.text is None)
    if label is not None:
        labels, left_out = LABEL_KINDS[task.kind].read(labels.reindex(frame.index), label.name, label_map)
        rows = rows.assign(label=labels, left_out=left_out)
    return rows, sources


def _parts_of(frame: "pandas.DataFrame", sources: Sequence[SourceFile]) -> list[_Part]:
    """Return the rows of the files that have the same columns together; one file may name its text otherwise."""
    paths, rows, start = defaultdict(list), defaultdict(list), 0
    for source, names in columns_by_source(frame, sources):
        paths[tuple(names)].append(source.path)
        rows[tuple(names)].append(range(start, start + source.rows))
        start += source.rows
    if len(paths) == 1:
        return [_Part(paths.popitem()[1], frame, columns_of_frame(frame))]
    parts = []
    for names, ranges in rows.items():
        numbers = list(itertools.chain(*ranges))
        part = frame.iloc[numbers][list(names)]
        marks = frame.attrs.get(NOT_TEXT, {})
        part.attrs[NOT_TEXT] = {name: bytes(map(marks[name].__getitem__, numbers)) for name in names if name in marks}
        parts.append(_Part(paths[names], part, columns_of_frame(part)))
    return parts


def _read_parts(task: Task, parts: Sequence[_Part], requested: RequestedColumns, has_names: bool) -> tuple:
    """Return the texts, the labels (None if there are none) and the columns chosen, of most rows first.

    The other parts are read alike if they have these columns. Rows of a part where none can be chosen are missing,
    which is a warning; DataError if this is so for all parts.
    """
    import pandas

    left = sorted(parts, key=lambda part: -len(part.frame))
    texts, labels, chosen, problems = [], [], [], []
    while left:
        first = left[0]
        try:
            text, label = choose_columns(task, first.columns, requested, has_names)
        except DataError as error:
            problems.append((left.pop(0), error))
            continue
        names = [choice.name for choice in (text, label) if choice is not None]
        alike = [part for part in left if part is first or all(map(part.columns.has_values, names))]
        left = [part for part in left if part not in alike]
        paths = [path for part in alike for path in part.paths] if len(alike) < len(parts) else ()
        log_choice(sum(len(part.frame) for part in alike), text, label, paths, requested.labels)
        chosen.append((text, label))
        texts += [cells_of_frame(part.frame, part.columns, text) for part in alike]
        if label is not None:
            labels += [cells_of_frame(part.frame, part.columns, label) for part in alike]
    for part, error in problems:
        if not chosen:
            raise error
        log.warning("warning: %s: %s; its rows are left out", ", ".join(part.paths), error.problem)
    return pandas.concat(texts), pandas.concat(labels) if labels else None, chosen


def may_lack_names(task: Task, requested: RequestedColumns, columns: TableColumns) -> bool:
    """Return whether the first line, which names the columns, looks like data. A column requested by name is named."""
    if any(name is not None and not name.isdecimal() for name in (requested.text, requested.label)):
        return False
    names = (*task.text_columns, *task.label_columns)
    return first_line_is_data(columns.names, list(map(columns.sample, columns.names)), names)


def choose_columns(
    task: Task, columns: TableColumns, requested: RequestedColumns, has_names: bool, needs_label: bool = True
) -> tuple[Choice, Choice | None]:
    """Return the columns of the text and of the label; DataError if one is not found, or is clearly no other."""
    candidates = columns.candidates()
    label = None
    if requested.label is not None:
        label = Choice(columns.find_requested(requested.label, "label", keeps_lists=not needs_label))
    if requested.text is not None:
        text = Choice(columns.find_requested(requested.text, "text"))
    else:
        likely = label
        if likely is None and task.kind in LABEL_KINDS:
            likely = choose_label(task, possible_labels(task, candidates), needed=False, has_names=has_names)
        beside = None if likely is None else likely.name
        text = choose_text(task, candidates, columns.inside, label=beside, has_names=has_names)
    if label is None and task.kind in LABEL_KINDS:
        inside = columns.inside if needs_label or text.name not in columns.names else tuple
        possible = possible_labels(task, candidates, text.name)
        label = choose_label(task, possible, inside, text=text.name, needed=needs_label, has_names=has_names)
    if label is not None and text.name == label.name:
        problem = f"column {text.name!r} cannot be both the text and the label"
        raise UsageError(problem, "name two columns with --text_column and --label_column")
    return text, label


def log_choice(
    rows: int, text: Choice, label: Choice | None, paths: Sequence[str] = (), labels: Sequence[str] = ()
) -> None:
    """Log the columns of text and labels and the number of rows, of all files or of those with these paths."""
    of_files = f" of {paths[0]}" + f" and {len(paths) - 1:,} more" * (len(paths) > 1) if paths else ""
    and_label = "" if label is None else f", the label in column {label.name!r}"
    if len(labels) > 1:
        and_label = f", the labels in columns {', '.join(map(repr, labels[:-1]))} and {labels[-1]!r}"
    log.info("read %s rows%s; the text is in column %r%s", f"{rows:,}", of_files, text.name, and_label)
    for column in text.fillers:
        log.info("where column %r is empty, the text is from column %r", text.name, column)
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
