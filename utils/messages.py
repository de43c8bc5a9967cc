"""A row of a table, or a list of turns → the messages of a conversation, or why it is of no use.

A message is {"role": "system" | "user" | "assistant", "content": text}; the user's message of an Alpaca row with an
input has a key "input" more. Texts are stripped and have \\n for line ends; nothing else is changed, since indentation,
code and entities are part of what is asked and answered.
"""

import ast
import json
import warnings

from utils.placeholders import is_placeholder_answer, is_placeholder_input
from utils.reading.json_records import NotText

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
REASONS = (
    *(NO_INSTRUCTION, NO_ANSWER, PLACEHOLDER_ANSWER),
    *(f"the {what} is not a text" for what in ("instruction", "input", "answer", "system message")),
    *(NOT_A_LIST, UNKNOWN_ROLE, ONLY_ANSWERS, OUT_OF_ORDER),
)
PLACEHOLDER_INPUT = "placeholder for an input, made empty"
LEADING_ANSWER = "answers before the first instruction, left out"


class UnusableError(Exception):
    """Why a row is dropped."""


def of_row(
    instruction: str | None, given: str | None, answer: str | None, system: str | None
) -> tuple[list[dict], list[str]]:
    """(messages, kinds of change) of the cells of one row."""
    user = {"role": "user", "content": _text(instruction, "instruction")}
    if not user["content"]:
        raise UnusableError(NO_INSTRUCTION)
    given, changes = _text(given, "input"), []
    if given and is_placeholder_input(given):
        changes = [PLACEHOLDER_INPUT]
    elif given:
        user["input"] = given
    system = _text(system, "system message")
    before = [{"role": "system", "content": system}] if system else []
    return [*before, user, {"role": "assistant", "content": _answer(answer)}], changes


def of_turns(cell: str, multi_turn: bool) -> tuple[list[dict], list[str]]:
    """(messages up to the first answer, or with `multi_turn` to the last, kinds of change) of a list of turns.

    Turns behind the last answer that counts are not looked at; any other that is of no use takes its row with it.
    """
    turns = _list_of_turns(cell)
    roles = [_role(turn) for turn in turns]
    if "assistant" not in roles:
        raise UnusableError(NO_ANSWER if "user" in roles else NO_INSTRUCTION)
    answered = len(roles) - roles[::-1].index("assistant")
    if "user" not in roles[:answered]:
        raise UnusableError(NO_ANSWER if "user" in roles else ONLY_ANSWERS)
    messages, changes = [], []
    for turn, role in zip(turns[:answered], roles, strict=False):
        last = messages[-1]["role"] if messages else None
        if role is None:
            raise UnusableError(UNKNOWN_ROLE)
        if role == "assistant" and last in (None, "system"):
            changes = [LEADING_ANSWER]
            continue
        if role == last or (role == "system" and messages):
            raise UnusableError(OUT_OF_ORDER)
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
        raise UnusableError(NOT_A_LIST)
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
        raise UnusableError(NO_INSTRUCTION)
    return text


def _answer(cell) -> str:
    text = _text(cell, "answer")
    if not text:
        raise UnusableError(NO_ANSWER)
    if is_placeholder_answer(text):
        raise UnusableError(PLACEHOLDER_ANSWER)
    return text


def _text(cell, what: str) -> str:
    if isinstance(cell, NotText):
        raise UnusableError(f"the {what} is not a text")
    return "" if cell is None else str(cell).replace("\r\n", "\n").strip()
