"""Texts that stand where there is no input or no answer: "No input", "<noinput>", "N/A", "<nooutput>", …

MERGED: A row of a table, or a list of turns → the messages of a conversation, or why it is of no use.

A message is {"role": "system" | "user" | "assistant", "content": text}; the user's message of an Alpaca row with an
input has a key "input" more. Texts are stripped and have \n for line ends; nothing else is changed, since indentation,
code and entities are part of what is asked and answered.


MERGED: Files of instructions → conversations: which columns hold them, and how many rows are of no use."""

import ast
import json
import re
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from utils.errors import DataError
from utils.reading.columns import find_column
from utils.reading.json_records import NotText
from utils.reading.read_frame import NOT_TEXT, SourceFile, read_frame
from utils.tasks.alpaca import (
    ANSWER_COLUMNS,
    CONVERSATION_COLUMNS,
    ID_COLUMNS,
    INPUT_COLUMNS,
    INSTRUCTION_COLUMNS,
    LANGUAGE_COLUMNS,
    SYSTEM_COLUMNS,
    has_conversation_columns,
)

if TYPE_CHECKING:
    import pandas

# What people and models write where there is no input, letters alone.
NO_INPUT = {f"noinput{end}" for end in ("", "s", "e", "required", "isrequired", "needed", "isneeded", "necessary")}
NO_INPUT |= {"noinputprovided", "noinputgiven", "noinputavailable", "noput", "ninput"}
NOTHING = {"none", "null", "nan", "notapplicable"}
NO_OUTPUT = {"nooutput", "nooutputrequired", "nooutputneeded", "nooutputnecessary"}
NOT_APPLICABLE = re.compile(r"\W*(?:N/A|n/a|NA|N\.A\.?|n\.a\.)\W*")  # and not Na, which is sodium
# A tag says that there is no answer, whatever else follows.
NO_OUTPUT_TAG = re.compile(r"\W*<\s*no[\s_-]?(?:out|in)put\b", re.IGNORECASE)
LONGEST_PLACEHOLDER = 40  # characters


def is_placeholder_input(text: str) -> bool:
    """Whether the text only says that there is no input: "No input", "<noinput>", "N/A", "none", …"""
    return len(text) <= LONGEST_PLACEHOLDER and (
        _letters(text) in NO_INPUT | NOTHING or NOT_APPLICABLE.fullmatch(text) is not None
    )


def is_placeholder_answer(text: str) -> bool:
    """Whether the text says that there is no answer. "None" and "null" can be one."""
    if NO_OUTPUT_TAG.match(text):
        return True
    return len(text) <= LONGEST_PLACEHOLDER and (
        _letters(text) in NO_INPUT | NO_OUTPUT or NOT_APPLICABLE.fullmatch(text) is not None
    )


def _letters(text: str) -> str:
    return re.sub(r"[\W_]+", "", text.casefold())


ROLES = {
    **dict.fromkeys(("system", "developer"), "system"),
    **dict.fromkeys(("user", "human", "prompter"), "user"),
    **dict.fromkeys(("assistant", "gpt", "chatgpt", "bot", "model"), "assistant"),
}
NO_INSTRUCTION = "no instruction"
NO_ANSWER = "no answer"
PLACEHOLDER_ANSWER = "placeholder for an answer"
NOT_A_LIST = "messages that are no list"
UNKNOWN_ROLE = "a role other than system, user and assistant"
ONLY_ANSWERS = "only the assistant speaks"
OUT_OF_ORDER = "turns out of order"
# In the order of the report.
UNUSABLE_REASONS = (
    *(NO_INSTRUCTION, NO_ANSWER, PLACEHOLDER_ANSWER),
    *(f"the {what} is not a text" for what in ("instruction", "input", "answer", "system message")),
    *(NOT_A_LIST, UNKNOWN_ROLE, ONLY_ANSWERS, OUT_OF_ORDER),
)
PLACEHOLDER_INPUT = "placeholder for an input, made empty"
LEADING_ANSWER = "answers before the first instruction, left out"


class UnusableConversationError(Exception):
    """Why a row is dropped."""


def messages_of_row(
    instruction: str | None, given: str | None, answer: str | None, system: str | None
) -> tuple[list[dict], list[str]]:
    """(messages, kinds of change) of the cells of one row."""
    user = {"role": "user", "content": _text(instruction, "instruction")}
    if not user["content"]:
        raise UnusableConversationError(NO_INSTRUCTION)
    given, changes = _text(given, "input"), []
    if given and is_placeholder_input(given):
        changes = [PLACEHOLDER_INPUT]
    elif given:
        user["input"] = given
    system = _text(system, "system message")
    before = [{"role": "system", "content": system}] if system else []
    return [*before, user, {"role": "assistant", "content": _answer(answer)}], changes


def messages_of_turns(cell: str, multi_turn: bool) -> tuple[list[dict], list[str]]:
    """(messages up to the first answer, or with `multi_turn` to the last, kinds of change) of a list of turns.

    Turns behind the last answer that counts are not looked at; any other that is of no use takes its row with it.
    """
    turns = _list_of_turns(cell)
    roles = [_role(turn) for turn in turns]
    if "assistant" not in roles:
        raise UnusableConversationError(NO_ANSWER if "user" in roles else NO_INSTRUCTION)
    answered = len(roles) - roles[::-1].index("assistant")
    if "user" not in roles[:answered]:
        raise UnusableConversationError(NO_ANSWER if "user" in roles else ONLY_ANSWERS)
    messages, changes = [], []
    for turn, role in zip(turns[:answered], roles, strict=False):
        last = messages[-1]["role"] if messages else None
        if role is None:
            raise UnusableConversationError(UNKNOWN_ROLE)
        if role == "assistant" and last in (None, "system"):
            changes = [LEADING_ANSWER]
            continue
        if role == last or (role == "system" and messages):
            raise UnusableConversationError(OUT_OF_ORDER)
        message = {"role": role, "content": _content(turn, role)}
        if message["content"]:  # an empty system message is none
            messages.append(message)
        if role == "assistant" and not multi_turn:
            break
    return messages, changes


def _list_of_turns(cell: str) -> list[dict]:
    """The turns that a cell holds as JSON or, where pandas wrote them to a CSV file, as Python has them."""
    try:
        turns = json.loads(cell)
    except (ValueError, RecursionError):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of a backslash that starts no escape
                turns = ast.literal_eval(cell)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            turns = None
    if not isinstance(turns, list) or not all(isinstance(turn, dict) for turn in turns):
        raise UnusableConversationError(NOT_A_LIST)
    return turns


def _role(turn: dict) -> str | None:
    return ROLES.get(str(turn.get("role", turn.get("from"))).strip().lower())


def _content(turn: dict, role: str) -> str:
    what = {"system": "system message", "user": "instruction", "assistant": "answer"}[role]
    content = next((turn[key] for key in ("content", "value", "text") if key in turn), None)
    if isinstance(content, bool | list | dict):
        content = NotText(content)
    text = _answer(content) if role == "assistant" else _text(content, what)
    if role == "user" and not text:
        raise UnusableConversationError(NO_INSTRUCTION)
    return text


def _answer(cell) -> str:
    text = _text(cell, "answer")
    if not text:
        raise UnusableConversationError(NO_ANSWER)
    if is_placeholder_answer(text):
        raise UnusableConversationError(PLACEHOLDER_ANSWER)
    return text


def _text(cell, what: str) -> str:
    if isinstance(cell, NotText):
        raise UnusableConversationError(f"the {what} is not a text")
    return "" if cell is None else str(cell).replace("\r\n", "\n").strip()


EXPECTED = (
    "expected are instruction and output (with or without input), prompt and response, question and answer, "
    "messages, or conversations"
)


@dataclass(frozen=True)
class Conversation:
    """Messages (`utils.preprocessing.conversations`) up to an answer of the assistant's, and what the file says of them."""

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


def read_conversations(
    paths: Sequence[str], *, multi_turn: bool = False, hub_split: str = "train"
) -> tuple[Conversations, list[SourceFile]]:
    """The conversations in the files, cut after their first answer unless `multi_turn`.

    Answers before the first instruction are left out. DataError where a file has no columns of instructions.
    """
    frame, sources = read_frame(paths, hub_split=hub_split)
    _check_columns(frame, sources)
    return to_conversations(frame, _places(sources), multi_turn), sources


def to_conversations(frame: "pandas.DataFrame", places: Sequence[str], multi_turn: bool) -> Conversations:
    """A conversation of every row that has one. `places` name the rows."""
    kept: list[Conversation] = []
    dropped, changed = Counter(), Counter()
    columns = (CONVERSATION_COLUMNS, INSTRUCTION_COLUMNS, INPUT_COLUMNS, ANSWER_COLUMNS, SYSTEM_COLUMNS)
    facts = (ID_COLUMNS, LANGUAGE_COLUMNS)
    cells = zip(*(_cells(frame, names) for names in (*columns, *facts)), strict=True)
    for place, (turns, *row, identity, language) in zip(places, cells, strict=True):
        try:
            messages, changes = messages_of_turns(turns, multi_turn) if turns else messages_of_row(*row)
        except UnusableConversationError as reason:
            dropped[str(reason)] += 1
            continue
        changed.update(changes)
        kept.append(Conversation(messages, place, identity or None, language and language.strip().lower()))
    return Conversations(
        kept, {reason: dropped[reason] for reason in UNUSABLE_REASONS if dropped[reason]}, dict(changed)
    )


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


def _places(sources: Sequence[SourceFile]) -> list[str]:
    return [f"{source.path}, row {row}" for source in sources for row in range(1, source.rows + 1)]


def _check_columns(frame: "pandas.DataFrame", sources: Sequence[SourceFile]) -> None:
    start = 0
    for source in sources:
        rows = frame.iloc[start : start + source.rows]
        start += source.rows
        # Of several files, each has the columns that it fills; a column that is all null counts as the file's own.
        columns = [column for column in frame.columns if len(sources) == 1 or rows[column].notna().any()]
        if not has_conversation_columns(columns):
            there = ", ".join(map(repr, columns))
            raise DataError(
                f"{source.path} has no columns of instructions and answers; the columns are: {there}; {EXPECTED}",
                "give the columns these names",
            )
