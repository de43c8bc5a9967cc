"""Read files of instructions into conversations, and count the unusable rows by reason.

A conversation is a list of messages {"role": "system" | "user" | "assistant", "content": text}; the user's message of
an Alpaca row with an input also has the key "input". Texts are stripped and have \\n as line ends, but are otherwise
unchanged, because indentation, code and entities are part of the question and of the answer.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from utils.preprocessing.instruction_columns import read_columns
from utils.preprocessing.messages import (
    NO_ANSWER,
    NO_INSTRUCTION,
    ONLY_ANSWERS,
    OUT_OF_ORDER,
    PLACEHOLDER_ANSWER,
    WEIGHT_0,
    messages_of_turns,
)
from utils.preprocessing.transcripts import transcript_turns
from utils.preprocessing.turns import (
    MEDIA,
    NOT_A_TEXT,
    TOOL_CALL,
    UNKNOWN_ROLE,
    Turn,
    read_history,
    read_turns,
    stripped,
    turn_of,
    with_inputs,
)
from utils.preprocessing.usable_rows import UnusableRowError, UsableRows
from utils.reading.columns import row_locations
from utils.reading.json_records import NotText
from utils.reading.nested import parse_nested
from utils.reading.read_frame import SourceFile, read_frame
from utils.text.placeholders import is_placeholder_input

NOT_A_LIST = "messages that are not a list"
NOT_EARLIER_TURNS = "a history that is not a list of turns"
BAD_ANSWER = "marked as a bad answer"
# Why a row is dropped, in the order of the audit.
UNUSABLE_REASONS = (
    *(NO_INSTRUCTION, NO_ANSWER, PLACEHOLDER_ANSWER, BAD_ANSWER),
    *NOT_A_TEXT.values(),
    *(NOT_A_LIST, NOT_EARLIER_TURNS),
    *(TOOL_CALL, *dict.fromkeys(MEDIA.values()), UNKNOWN_ROLE, ONLY_ANSWERS, OUT_OF_ORDER, WEIGHT_0),
)
# Kinds of changes in a row.
PLACEHOLDER_INPUT = "placeholder for an input, made empty"
INPUT_ALONE = "input without an instruction, taken as the instruction"
FIRST_ANSWER = "several answers, the first learned"


@dataclass(frozen=True)
class Conversation:
    """Messages up to an answer of the assistant's, and what the file says about them.

    `unlearned` are the numbers of the answers that are context alone. The messages before number `own` are earlier
    turns, which other rows may hold as well.
    """

    messages: list[dict]
    location: str  # file and row
    id: str | None
    language: str | None
    unlearned: frozenset[int] = frozenset()
    own: int = 0


class Row(NamedTuple):
    """A row's cells; those that were not texts in the file are `NotText`."""

    messages: str | None = None
    dialog: str | None = None
    instruction: str | None = None
    input: str | None = None
    output: str | None = None
    chosen: str | None = None
    system: str | None = None
    history: str | None = None
    bad: bool = False  # marked as a bad answer
    media: bool = False


def read_conversations(
    paths: Sequence[str],
    *,
    multi_turn: bool = False,
    hub_split: str = "train",
    columns: Mapping[str, str] = MappingProxyType({}),
) -> tuple[UsableRows, list[SourceFile]]:
    """Return the `Conversation`s in the files, cut after their first answer, or with `multi_turn` after their last.

    The answer of a row that has its earlier turns in another column is that row's own, not the first. `columns` names
    columns for keys of `COLUMNS`. DataError if a file has no columns of instructions.
    """
    frame, sources = read_frame(paths, hub_split=hub_split)
    cells = read_columns(frame, sources, columns)
    rows = map(Row, *(cells[name] for name in Row._fields))
    kept, dropped, changed = [], Counter(), Counter()
    for location, row, id_, language in zip(row_locations(sources), rows, cells["id"], cells["language"], strict=True):
        try:
            messages, unlearned, own, changes = messages_of_row(row, multi_turn)
        except UnusableRowError as reason:
            dropped[str(reason)] += 1
            continue
        changed.update(changes)
        language = language and language.strip().lower()
        kept.append(Conversation(messages, location, id_ or None, language, unlearned, own))
    in_order = {reason: dropped[reason] for reason in UNUSABLE_REASONS if dropped[reason]}
    return UsableRows(kept, in_order, dict(changed)), sources


def messages_of_row(row: Row, multi_turn: bool = False) -> tuple[list[dict], frozenset[int], int, list[str]]:
    """Return a row's messages, `unlearned` and `own` of the `Conversation`, and the kinds of change.

    UnusableRowError if there are none.
    """
    if row.bad:
        raise UnusableRowError(BAD_ANSWER)
    if row.media:
        raise UnusableRowError(MEDIA["image"])
    turns, own, changes = _turns(row)
    system = _cell(row.system, "system")
    if (system.text or system.problem) and turns[0].role != "system":
        turns, own = [system, *turns], own and own + 1
    messages, unlearned, more = messages_of_turns(turns, own=own, multi_turn=multi_turn)
    return messages, unlearned, len(messages) - 1 if own else 0, [*changes, *more]


def _turns(row: Row) -> tuple[list[Turn], int, list[str]]:
    """Return the turns of a row, the number of the first that is the row's own, and the kinds of change."""
    if _filled(row.chosen):
        answer, changes = _answer(row.chosen, may_be_chat=True)
        if answer[0].role != "assistant":  # the whole conversation; its last answer is the chosen one
            last = max((number for number, turn in enumerate(answer) if turn.role == "assistant"), default=0)
            return answer, last, changes
        if _filled(row.messages):
            before = _list_of_turns(row.messages)
            while before and before[-1].role == "assistant":
                before.pop()
        else:
            before, more = _instruction(row)
            changes += more
        return [*before, *answer], len(before), changes
    if _filled(row.messages) or _filled(row.dialog):
        turns = _list_of_turns(row.messages) if _filled(row.messages) else _list_of_turns(row.dialog, texts=True)
        if turns and turns[-1].role == "user" and _filled(row.output):
            answer, changes = _answer(row.output)
            return [*turns, *answer], len(turns), changes
        return turns, 0, []
    before, changes = _instruction(row)
    answer, more = _answer(row.output)
    return [*before, *answer], len(before), [*changes, *more]


def _instruction(row: Row) -> tuple[list[Turn], list[str]]:
    """Return the turns up to a row's instruction and its input, and the kinds of change."""
    history: list[Turn] | None = []
    if _filled(row.history):
        history = read_history(row.history)
        if history is None:
            raise UnusableRowError(NOT_EARLIER_TURNS)
    instruction, given, changes = row.instruction, _cell(row.input, "input"), []
    asked = _question_turns(instruction)
    if not _filled(instruction) and row.input is not None:
        if (asked := _question_turns(row.input)) is None:
            asked = [_cell(row.input, "user")]
        changes, given = [INPUT_ALONE] if instruction is not None else [], Turn("input", "")
    elif asked is None:
        asked = [_cell(instruction, "user")]
    if given.problem:
        raise UnusableRowError(given.problem)
    if given.text and is_placeholder_input(given.text):
        changes = [PLACEHOLDER_INPUT]
    elif given.text:
        asked[-1] = asked[-1]._replace(input=given.text)
    return [*history, *asked], changes


def _question_turns(cell: str | None) -> list[Turn] | None:
    """Return the turns in a cell that is a list of them, or a chat that waits for its answer; else None."""
    if _may_be_turns(cell):
        return read_turns(cell)
    spoken = transcript_turns(cell, open_end=True) if cell else None
    return with_inputs(spoken) if spoken else None


def _answer(cell: str | None, *, may_be_chat: bool = False) -> tuple[list[Turn], list[str]]:
    """Return the turns of an answer: a text or messages; a chosen one may be a whole chat."""
    if (may_be_chat or _may_be_turns(cell)) and (turns := read_turns(cell)):
        return turns, []
    if isinstance(cell, NotText) and isinstance(value := parse_nested(cell), dict):
        texts = value.get("text")  # SQuAD's {"text": ["…"], "answer_start": […]}
        if isinstance(texts, list) and all(isinstance(text, str) for text in texts):
            text = texts[0] if texts else ""
            return [Turn("assistant", stripped(text))], [FIRST_ANSWER] if len(set(texts)) > 1 else []
    return [_cell(cell, "assistant")], []


def _may_be_turns(cell: str | None) -> bool:
    """Return whether a cell was no text in its file, or is a text that can be the JSON of turns."""
    return isinstance(cell, NotText) or bool(cell and cell.lstrip()[:1] in ("[", "{") and re.search("role|from", cell))


def _list_of_turns(cell: str, *, texts: bool = False) -> list[Turn]:
    turns = read_turns(cell, texts=texts)
    if turns is None:
        raise UnusableRowError(NOT_A_LIST)
    return turns


def _cell(cell: str | None, role: str) -> Turn:
    """Return a cell as a turn; not a text if it was none in the file, but for a system message's parts."""
    if isinstance(cell, NotText):
        value = parse_nested(cell) if role == "system" else None
        if isinstance(value, dict) or (value and isinstance(value[0], dict)):
            return turn_of("system", value)  # of Gemini and Bedrock
        return Turn(role, "", NOT_A_TEXT[role])
    return Turn(role, stripped(cell or ""))


def _filled(cell: str | None) -> bool:
    return cell is not None and cell.strip() not in ("", "[]", "{}")
