"""Files of instructions → conversations: which columns hold them, and how many rows are of no use."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from utils import reading
from utils.errors import DataError
from utils.messages import REASONS, UnusableError, of_row, of_turns
from utils.reading import NOT_TEXT, find_column
from utils.reading.json_records import NotText
from utils.tasks.alpaca import (
    ANSWER_COLUMNS,
    CONVERSATION_COLUMNS,
    ID_COLUMNS,
    INPUT_COLUMNS,
    INSTRUCTION_COLUMNS,
    LANGUAGE_COLUMNS,
    SYSTEM_COLUMNS,
)

if TYPE_CHECKING:
    import pandas

EXPECTED = (
    "expected are instruction and output (with or without input), prompt and response, question and answer, "
    "messages, or conversations"
)


@dataclass(frozen=True)
class Conversation:
    """Messages (`utils.messages`) up to an answer of the assistant's, and what the file says of them."""

    messages: list[dict]
    where: str  # file and row
    id: str | None
    language: str | None


@dataclass(frozen=True)
class Conversations:
    """What could be read, and the rows that could not: reason → rows; kind of change → rows that had it."""

    kept: list[Conversation]
    dropped: dict[str, int]
    changed: dict[str, int]


def read(
    paths: Sequence[str], *, multi_turn: bool = False, hub_split: str = "train"
) -> tuple[Conversations, list[reading.Source]]:
    """The conversations in the files, cut after their first answer unless `multi_turn`.

    Answers before the first instruction are left out. DataError where a file has no columns of instructions.
    """
    frame, sources = reading.read_frame(paths, hub_split=hub_split)
    _check_columns(frame, sources)
    return to_conversations(frame, _places(sources), multi_turn), sources


def are_in(columns: Sequence[str]) -> bool:
    """Whether columns of these names hold instructions with answers, or conversations."""
    return find_column(columns, CONVERSATION_COLUMNS) is not None or (
        find_column(columns, INSTRUCTION_COLUMNS) is not None and find_column(columns, ANSWER_COLUMNS) is not None
    )


def to_conversations(frame: "pandas.DataFrame", places: Sequence[str], multi_turn: bool) -> Conversations:
    """A conversation of every row that has one. `places` name the rows."""
    kept: list[Conversation] = []
    dropped, changed = Counter(), Counter()
    columns = (CONVERSATION_COLUMNS, INSTRUCTION_COLUMNS, INPUT_COLUMNS, ANSWER_COLUMNS, SYSTEM_COLUMNS)
    facts = (ID_COLUMNS, LANGUAGE_COLUMNS)
    cells = zip(*(_cells(frame, names) for names in (*columns, *facts)), strict=True)
    for place, (turns, *row, identity, language) in zip(places, cells, strict=True):
        try:
            messages, changes = of_turns(turns, multi_turn) if turns else of_row(*row)
        except UnusableError as reason:
            dropped[str(reason)] += 1
            continue
        changed.update(changes)
        kept.append(Conversation(messages, place, identity or None, language and language.strip().lower()))
    return Conversations(kept, {reason: dropped[reason] for reason in REASONS if dropped[reason]}, dict(changed))


def _cells(frame: "pandas.DataFrame", names: Sequence[str]) -> list[str | None]:
    """The first cell of each row under one of the names; what was no text in the file is `NotText`, and null None.

    Files of several kinds have several of the columns.
    """
    cells: list[str | None] = [None] * len(frame)
    for name in names:
        column = find_column(list(frame.columns), [name])
        if column is None:
            continue
        marks = frame.attrs.get(NOT_TEXT, {}).get(column, bytes(len(frame)))
        for row, (cell, mark) in enumerate(zip(frame[column].tolist(), marks, strict=True)):
            if cells[row] is None and isinstance(cell, str):
                cells[row] = NotText(cell) if mark else cell
    return cells


def _places(sources: Sequence[reading.Source]) -> list[str]:
    return [f"{source.path}, row {row}" for source in sources for row in range(1, source.rows + 1)]


def _check_columns(frame: "pandas.DataFrame", sources: Sequence[reading.Source]) -> None:
    start = 0
    for source in sources:
        rows = frame.iloc[start : start + source.rows]
        start += source.rows
        # Of several files, each has the columns that it fills; a column that is all null counts as the file's own.
        columns = [column for column in frame.columns if len(sources) == 1 or rows[column].notna().any()]
        if not are_in(columns):
            there = ", ".join(map(repr, columns))
            raise DataError(
                f"{source.path} has no columns of instructions and answers; the columns are: {there}; {EXPECTED}",
                "give the columns these names",
            )
