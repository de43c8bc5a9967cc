"""Choose the columns of the text and of the label by their names and their cells (`choose_text`, `choose_label`).

A name alone decides nothing: a column "reviews" may hold numbers. Of the columns with a name that the task knows, the
first whose cells look right is chosen; else one with a word of such a name in its own; else one whose cells leave no
doubt.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from utils.errors import DataError
from utils.tasks.alpaca import has_conversation_columns
from utils.tasks.base import Task
from utils.tasks.cell_kinds import Cells, judge
from utils.tasks.column_names import (
    LABEL_WORDS,
    NO_LABEL_WORDS,
    TEXT_WORDS,
    TITLE_WORDS,
    is_foreign,
    name_key,
    words_of,
)
from utils.tasks.kinds import SCORE

# A column with one of these words in its name holds the text itself; that of another name may hold its title.
CERTAIN = frozenset({"text", "content", "body", "tweet", "message"})
LONGEST_TITLE = 5  # words per cell, on average
RUNNING_TEXT = 4  # words per cell that a column must have to be chosen by its cells alone
CLEARLY = 2  # times as much text
MOST_OTHERS = 3
MOST_LISTED = 6


class Candidate:
    """A column, or a path inside one, with a sample of its cells. `values_per_row` is above 1 inside lists."""

    def __init__(self, name: str, read: Callable[[], Sequence[str | None]], values_per_row: float = 1.0):
        self.name = name
        self.is_repeated = values_per_row >= 1.5
        self.words = frozenset(words_of(name))
        self.key = name_key(name.rpartition(".")[2])
        self.depth = name.count(".")
        self._read = read

    @cached_property
    def sample(self) -> Sequence[str | None]:
        """The cells of some rows, which are the same rows for each column."""
        return self._read()

    @cached_property
    def cells(self) -> Cells:
        """The kind of the cells, judged only on demand."""
        return judge(self.sample)

    @cached_property
    def may_be_text(self) -> bool:
        """Whether the cells are texts, one per row, and the name doesn't say that they are somebody else's."""
        return not is_foreign(self.name) and not self.is_repeated and self.cells.are_texts

    @cached_property
    def may_be_label(self) -> bool:
        """Whether the cells are classes in at least half of the rows, and the name doesn't say otherwise."""
        named_otherwise = is_foreign(self.name) or self.words & NO_LABEL_WORDS
        return not named_otherwise and not self.is_repeated and self.cells.are_classes and self.cells.filled >= 0.5

    @property
    def amount(self) -> float:
        """The words per row."""
        return self.cells.words * self.cells.filled


@dataclass(frozen=True)
class Choice:
    """A column or a path, other ones that could be meant, and those that hold the text of rows where it has none."""

    name: str
    others: tuple[str, ...] = ()
    fillers: tuple[str, ...] = ()


def choose_text(
    task: Task,
    columns: Sequence[Candidate],
    inside: Callable[[], Sequence[Candidate]] = tuple,
    *,
    label: str | None = None,
    has_names: bool = True,
) -> Choice:
    """Return the column of the text beside that of the `label`; in a table that `has_names` not, the longest.

    `inside` returns the paths inside objects, which count where no column with a known name holds texts. Raises
    DataError where no column is clearly the text.
    """
    free = [column for column in columns if column.name != label]
    if not has_names:
        texts = [column for column in free if column.cells.kind == "text"] or free
        if not texts:
            raise _no_text(task, columns, ())
        best = max(texts, key=lambda column: column.amount)
        return Choice(best.name, _names_of_others(best, texts))
    named = _named(free, task.text_columns)
    best = next((column for column in named if column.may_be_text), None)
    if best is None:
        free += inside()
        named = _named(free, task.text_columns)
        best = _first_text(task, columns, named)
    related = [column for column in free if column not in named and column.words & (TEXT_WORDS | TITLE_WORDS)]
    if best is None:
        worded = [column for column in related if column.may_be_text and not column.words & TITLE_WORDS]
        running = [column for column in free if column.may_be_text and column.cells.words >= RUNNING_TEXT]
        pool = worded or ([] if has_conversation_columns([column.name for column in columns]) else running)
        best = _clearly_longest(pool)
        if best is None:
            best = _last_resort(free, named) if not pool else None
        if best is None:
            raise _no_text(task, columns, pool or [column for column in free if column.cells.are_texts])
    elif best.cells.words <= LONGEST_TITLE and not best.words & CERTAIN:
        longer = [column for column in (*named, *related) if _is_body_of(column, best)]
        best = max((best, *longer), key=lambda column: column.amount)
    fillers = [column for column in free if _fills(column, best)]
    others = [column for column in (*named, *related, *free) if column not in fillers]
    return Choice(
        best.name, _names_of_others(best, others, (*named, *related)), tuple(column.name for column in fillers)
    )


def possible_labels(task: Task, columns: Sequence[Candidate], text: str | None = None) -> Sequence[Candidate]:
    """Return the columns that may hold the task's labels: scores are in those of numbers, if any is beside the text."""
    if task.kind != SCORE.name:
        return columns
    return [column for column in columns if column.cells.kind == "numbers" and column.name != text] or columns


def choose_label(
    task: Task,
    columns: Sequence[Candidate],
    inside: Callable[[], Sequence[Candidate]] = tuple,
    *,
    text: str | None = None,
    needed: bool = True,
    has_names: bool = True,
) -> Choice | None:
    """Return the column of the label beside that of the `text`; None if there is none and none is `needed`.

    `inside` returns the paths inside objects, which count where no column is it. Raises DataError if one is needed and
    none is clearly the label.
    """
    free = [column for column in columns if column.name != text and column.cells.kind != "objects"]
    likely = [column for column in free if column.may_be_label]
    named = _named(free, task.label_columns) if has_names else []
    worded = [column for column in likely if has_names and column.words & LABEL_WORDS]
    for best in (*(column for column in named if column.cells.are_classes), *worded, *named):
        others = dict.fromkeys(column.name for column in (*named, *worded) if column.cells.are_classes)
        return Choice(best.name, tuple(name for name in others if name != best.name)[:MOST_OTHERS])
    if has_names and (paths := inside()):
        return choose_label(task, [*columns, *paths], text=text, needed=needed)
    if has_names and not needed:
        return None
    if has_names and len(free) == 1:
        return Choice(free[0].name)
    if len(likely) == 1 and (needed or len(columns) > 1):
        return Choice(likely[0].name)
    if not needed:
        return None
    names = ", ".join(repr(column.name) for column in columns)
    if likely:
        problem = f"columns {', '.join(repr(column.name) for column in likely)} all look like the label"
    else:
        problem = f"no column looks like the label of {task.name}"
    raise DataError(f"{problem}; the columns are: {names}", "name it with --label_column")


def _named(columns: Sequence[Candidate], names: Sequence[str]) -> list[Candidate]:
    """Return the columns with one of the names, in their order; of one name the least nested first."""
    rank = {name_key(name): number for number, name in reversed(list(enumerate(names)))}
    return sorted(
        (column for column in columns if column.key in rank), key=lambda column: (rank[column.key], column.depth)
    )


def _first_text(task: Task, columns: Sequence[Candidate], named: Sequence[Candidate]) -> Candidate | None:
    """Return the first that holds texts; DataError if there are several of that name as deep, and with as much text."""
    texts = [column for column in named if column.may_be_text]
    same = [column for column in texts if (column.key, column.depth) == (texts[0].key, texts[0].depth)]
    if len(same) > 1 and (best := _clearly_longest(same)) is None:
        raise _no_text(task, columns, same)
    return best if len(same) > 1 else next(iter(texts), None)


def _clearly_longest(columns: Sequence[Candidate]) -> Candidate | None:
    best = max(columns, key=lambda column: column.amount, default=None)
    others = [column for column in columns if column is not best and not _fills(column, best)]
    return None if any(best.amount < CLEARLY * column.amount for column in others) else best


def _last_resort(free: Sequence[Candidate], named: Sequence[Candidate]) -> Candidate | None:
    """Return a column with a known name whose cells are short or few, or without any; or the only column."""
    top = [column for column in named if not column.depth]
    for kind in ("text", "nothing"):
        if fitting := [column for column in top if column.cells.kind == kind]:
            return fitting[0]
    return free[0] if len(free) == 1 and free[0].cells.kind != "objects" else None


def _is_body_of(column: Candidate, title: Candidate) -> bool:
    is_longer = column.cells.words > LONGEST_TITLE and column.cells.words >= CLEARLY * title.cells.words
    return column.may_be_text and is_longer and column.cells.filled >= title.cells.filled / 2


def _fills(column: Candidate, best: Candidate) -> bool:
    """Return whether a column of the same last name has texts where the other has none, and hardly elsewhere."""
    is_inside = column.depth or best.depth
    if column is best or not is_inside or column.key != best.key or is_foreign(column.name):
        return False
    if column.cells.kind != "text":
        return False
    rows, rows_of_best = (
        {row for row, cell in enumerate(each.sample) if cell and cell.strip()} for each in (column, best)
    )
    return len(rows & rows_of_best) <= 0.05 * len(rows)


def _names_of_others(best: Candidate, columns: Iterable[Candidate], known: Sequence[Candidate] = ()) -> tuple[str, ...]:
    texts = [column for column in columns if column is not best and column.may_be_text]
    texts = [column.name for column in texts if column in known or column.cells.words >= RUNNING_TEXT]
    return tuple(dict.fromkeys(texts))[:MOST_OTHERS]


def _no_text(task: Task, columns: Sequence[Candidate], texts: Sequence[Candidate]) -> DataError:
    problem = f"no column looks like the text of {task.name}"
    if texts:
        shown = [repr(column.name) + (", several in a row" if column.is_repeated else "") for column in texts]
        problem += f" more than the others; texts are in {'; '.join(shown[:MOST_LISTED])}"
    for column in _named(columns, task.text_columns):
        if not column.depth and column.cells.kind != "text":
            problem += f"; column {column.name!r} holds {column.cells.kind}"
    names = ", ".join(repr(column.name) for column in columns if not column.depth)
    return DataError(f"{problem}; the columns are: {names}", "name it with --text_column")
