"""Files of instructions → conversations, and how many rows are unusable for which reason.

A conversation is a list of messages {"role": "system" | "user" | "assistant", "content": text}; the user's message of
an Alpaca row with an input also has the key "input". Texts are stripped and have \\n as line ends, but are otherwise
unchanged, because indentation, code and entities are part of what is asked and answered.
"""

import ast
import json
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from utils.errors import DataError
from utils.preprocessing.placeholders import is_placeholder_answer, is_placeholder_input
from utils.preprocessing.usable_rows import UnusableRowError, UsableRows
from utils.reading.columns import columns_by_source, find_columns, row_locations
from utils.reading.json_records import NotText
from utils.reading.read_frame import NOT_TEXT, SourceFile, read_frame
from utils.tasks.alpaca import COLUMNS, has_conversation_columns

if TYPE_CHECKING:
    import pandas

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
# Why a row is dropped, in the order of the audit.
UNUSABLE_REASONS = (
    *(NO_INSTRUCTION, NO_ANSWER, PLACEHOLDER_ANSWER),
    *(f"the {part} is not a text" for part in ("instruction", "input", "answer", "system message")),
    *(NOT_A_LIST, UNKNOWN_ROLE, ONLY_ANSWERS, OUT_OF_ORDER),
)
# What is changed in a row.
PLACEHOLDER_INPUT = "placeholder for an input, made empty"
LEADING_ANSWER = "answers before the first instruction, left out"


@dataclass(frozen=True)
class Conversation:
    """Messages up to an answer of the assistant's, and what the file says about them."""

    messages: list[dict]
    location: str  # file and row
    id: str | None
    language: str | None


def read_conversations(
    paths: Sequence[str], *, multi_turn: bool = False, hub_split: str = "train"
) -> tuple[UsableRows, list[SourceFile]]:
    """Return the `Conversation`s in the files, cut after their first answer, or with `multi_turn` after their last.

    Answers before the first instruction are left out. DataError if a file has no columns of instructions.
    """
    frame, sources = read_frame(paths, hub_split=hub_split)
    for source, names in columns_by_source(frame, sources):
        if not has_conversation_columns(names):
            problem = f"{source.path} has no columns of instructions and answers; the columns are: "
            expected = "instruction and output (with or without input), prompt and response, question and answer, "
            problem += f"{', '.join(map(repr, names))}; expected are {expected}messages, or conversations"
            raise DataError(problem, "give the columns these names")
    cells = zip(row_locations(sources), *(_cells(frame, names) for names in COLUMNS.values()), strict=True)
    kept, dropped, changed = [], Counter(), Counter()
    for location, turns, instruction, input_, answer, system, id_, language in cells:
        try:
            if turns:
                messages, changes = messages_of_turns(turns, multi_turn)
            else:
                messages, changes = messages_of_row(instruction, input_, answer, system)
        except UnusableRowError as reason:
            dropped[str(reason)] += 1
            continue
        changed.update(changes)
        kept.append(Conversation(messages, location, id_ or None, language and language.strip().lower()))
    in_order = {reason: dropped[reason] for reason in UNUSABLE_REASONS if dropped[reason]}
    return UsableRows(kept, in_order, dict(changed)), sources


def messages_of_row(
    instruction: str | None, input_: str | None, answer: str | None, system: str | None
) -> tuple[list[dict], list[str]]:
    """Return the messages of a row's cells, and the kinds of change; UnusableRowError if there are none."""
    user = {"role": "user", "content": _text(instruction, "instruction")}
    if not user["content"]:
        raise UnusableRowError(NO_INSTRUCTION)
    input_, changes = _text(input_, "input"), []
    if input_ and is_placeholder_input(input_):
        changes = [PLACEHOLDER_INPUT]
    elif input_:
        user["input"] = input_
    system = _text(system, "system message")
    before = [{"role": "system", "content": system}] if system else []
    return [*before, user, {"role": "assistant", "content": _answer(answer)}], changes


def messages_of_turns(cell: str, multi_turn: bool) -> tuple[list[dict], list[str]]:
    """Return the messages up to the first answer, or with `multi_turn` to the last, and the kinds of change.

    Turns after that answer are ignored; any other unusable turn raises UnusableRowError.
    """
    turns = _list_of_turns(cell)
    roles = [_role(turn) for turn in turns]
    if "assistant" not in roles:
        raise UnusableRowError(NO_ANSWER if "user" in roles else NO_INSTRUCTION)
    end = len(roles) - roles[::-1].index("assistant")
    if "user" not in roles[:end]:
        raise UnusableRowError(NO_ANSWER if "user" in roles else ONLY_ANSWERS)
    messages, changes = [], []
    for turn, role in zip(turns[:end], roles, strict=False):
        previous = messages[-1]["role"] if messages else None
        if role is None:
            raise UnusableRowError(UNKNOWN_ROLE)
        if role == "assistant" and previous in (None, "system"):
            changes = [LEADING_ANSWER]
            continue
        if role == previous or (role == "system" and messages):
            raise UnusableRowError(OUT_OF_ORDER)
        message = {"role": role, "content": _content(turn, role)}
        if message["content"]:  # an empty system message is skipped
            messages.append(message)
        if role == "assistant" and not multi_turn:
            break
    return messages, changes


def _list_of_turns(cell: str) -> list[dict]:
    """Return the turns in a cell, which are JSON or, if pandas wrote them to a CSV file, a Python literal."""
    try:
        turns = json.loads(cell)
    except (ValueError, RecursionError):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about a backslash that starts no escape
                turns = ast.literal_eval(cell)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            turns = None
    if not isinstance(turns, list) or not all(isinstance(turn, dict) for turn in turns):
        raise UnusableRowError(NOT_A_LIST)
    return turns


def _role(turn: dict) -> str | None:
    return ROLES.get(str(turn.get("role", turn.get("from"))).strip().lower())


def _content(turn: dict, role: str) -> str:
    content = next((turn[key] for key in ("content", "value", "text") if key in turn), None)
    if isinstance(content, bool | list | dict):
        content = NotText(content)
    if role == "assistant":
        return _answer(content)
    text = _text(content, "instruction" if role == "user" else "system message")
    if role == "user" and not text:
        raise UnusableRowError(NO_INSTRUCTION)
    return text


def _answer(cell) -> str:
    text = _text(cell, "answer")
    if not text:
        raise UnusableRowError(NO_ANSWER)
    if is_placeholder_answer(text):
        raise UnusableRowError(PLACEHOLDER_ANSWER)
    return text


def _text(cell, part: str) -> str:
    if isinstance(cell, NotText):
        raise UnusableRowError(f"the {part} is not a text")
    return "" if cell is None else str(cell).replace("\r\n", "\n").strip()


def _cells(frame: "pandas.DataFrame", names: Sequence[str]) -> list[str | None]:
    """Return each row's first cell under one of the names; together, several files can have several.

    What was not a text in the file is `NotText`, null is None.
    """
    cells: list[str | None] = [None] * len(frame)
    for column in find_columns(list(frame), names):
        marks = frame.attrs.get(NOT_TEXT, {}).get(column, bytes(len(frame)))
        for row, (cell, mark) in enumerate(zip(frame[column].tolist(), marks, strict=True)):
            if cells[row] is None and isinstance(cell, str):
                cells[row] = NotText(cell) if mark else cell
    return cells
