"""Read the turns of a chat from cells, in the many forms that datasets use."""

from collections.abc import Sequence
from typing import NamedTuple

from utils.preprocessing.transcripts import ROLES, transcript_turns
from utils.reading.json_records import as_text
from utils.reading.nested import parse_nested

UNKNOWN_ROLE = "a role other than system, user and assistant"
TOOL_CALL = "a tool call"
NOT_A_TEXT = {
    role: f"the {part} is not a text"
    for role, part in (
        ("user", "instruction"),
        ("input", "input"),
        ("assistant", "answer"),
        ("system", "system message"),
    )
}
MEDIA = {"image": "an image", "audio": "a sound", "video": "a video", "file": "a file", "document": "a file"}

_ROLE_KEYS = ("role", "from", "speaker", "author", "sender")
_CONTENT_KEYS = ("content", "value", "text", "parts", "message", "utterance")
_CALL_KEYS = ("tool_calls", "function_call", "tool_call", "toolUse", "functionCall", "functionResponse", "toolResult")
_WEIGHT_KEYS = ("weight", "loss", "train")  # of OpenAI, ms-swift, Axolotl
_WRAPPERS = ("messages", "conversations")  # OpenAI's preferences have {"input": {"messages": […]}}
# Questions and answers in one object, of xtuner and others.
_PAIR_KEYS = (
    ("system", ("system",)),
    ("user", ("user", "human", "input", "instruction", "prompt", "question", "query")),
    ("assistant", ("assistant", "bot", "gpt", "output", "response", "answer", "completion")),
)
_TEXT_PARTS = ("text", "input_text", "output_text")
_SILENT_PARTS = ("thinking", "reasoning", "redacted_thinking")


class Turn(NamedTuple):
    """One speaker's turn; `problem` is the reason why it cannot be used."""

    role: str | None  # system, user, assistant or tool; None if unknown
    text: str
    problem: str | None = None
    learn: bool = True  # False: an answer of weight 0
    input: str = ""


def stripped(text: str) -> str:
    """Return the text without blanks around it, with \\n as line ends."""
    return text.replace("\r\n", "\n").strip()


def read_turns(cell: str, *, texts: bool = False) -> list[Turn] | None:
    """Return the turns in a cell, or None if it holds none.

    They are JSON or as Python and numpy write them: lists of objects in the forms of OpenAI, ShareGPT, Gemini and
    others, one object, or an object of lists; or a chat written as one text. With `texts`, a list of texts is a
    dialogue that the user begins.
    """
    value = parse_nested(cell)
    if value is None:
        return _turns_of_transcript(cell)
    return turns_of(value, texts=texts)


def turns_of(value, *, texts: bool = False) -> list[Turn] | None:
    """Return the turns in a value read from JSON, like `read_turns`."""
    if isinstance(value, dict):
        inside = next((value[key] for key in _WRAPPERS if key in value), None)
        if inside is not None:
            return turns_of(inside)
        if not _is_turn(value):
            return None
        value = _rows(value) if all(isinstance(column, list) for column in value.values()) else [value]
    if not isinstance(value, list):
        return None
    if texts and value and all(isinstance(text, str) for text in value):
        return _alternating(value)
    if not all(isinstance(turn, dict) for turn in value):
        return None
    return [turn for each in value for turn in _turns_of_object(each)]


def read_history(cell: str) -> list[Turn] | None:
    """Return the earlier turns in a cell: pairs, objects, or texts in turn; None if it holds anything else."""
    value = parse_nested(cell)
    if isinstance(value, list) and all(isinstance(pair, list) and len(pair) == 2 for pair in value):
        value = [text for pair in value for text in pair]
        return [turn for turn in _alternating(value) if turn.text or turn.problem]
    if isinstance(value, list) and len(value) % 2 and all(isinstance(text, str) for text in value):
        return None
    return _turns_of_transcript(cell) if value is None else turns_of(value, texts=True)


def _is_turn(value: dict) -> bool:
    return any(key in value for key in _ROLE_KEYS) or any(key in value for _, keys in _PAIR_KEYS for key in keys)


def _rows(columns: dict[str, list]) -> list[dict]:
    """Return the objects of an object of lists, as the library datasets keeps them."""
    length = min(len(column) for column in columns.values())
    return [{key: column[row] for key, column in columns.items()} for row in range(length)]


def _alternating(texts: Sequence) -> list[Turn]:
    return [turn_of(("user", "assistant")[number % 2], text) for number, text in enumerate(texts)]


def _turns_of_transcript(text: str) -> list[Turn] | None:
    turns = transcript_turns(text, open_end=False)
    return None if turns is None else with_inputs(turns)


def with_inputs(spoken: Sequence[tuple[str, str]]) -> list[Turn]:
    """Return the turns of a transcript; an input belongs to the turn before it."""
    turns: list[Turn] = []
    for role, text in spoken:
        if role == "input" and turns:
            turns[-1] = turns[-1]._replace(input=text)
        else:
            turns.append(turn_of(role, text))
    return turns


def _turns_of_object(turn: dict) -> list[Turn]:
    """Return the turn in an object, or a question and its answer."""
    key = next((key for key in _ROLE_KEYS if turn.get(key) is not None), None)
    if key is None:
        found = [
            (role, next((turn[name] for name in names if turn.get(name) is not None), None))
            for role, names in _PAIR_KEYS
        ]
        pairs = [turn_of(role, content) for role, content in found if content is not None]
        if pairs:
            return pairs
    name = turn.get(key)
    name = name.get("role") if isinstance(name, dict) else name  # ChatGPT's {"author": {"role": …}}
    role = ROLES.get(str(name).strip().casefold())
    content = next((turn[key] for key in _CONTENT_KEYS if turn.get(key) is not None), None)
    read = turn_of(role, content)
    if role == "tool" or any(turn.get(key) for key in _CALL_KEYS):
        read = read._replace(problem=TOOL_CALL)
    weights = [turn[key] for key in _WEIGHT_KEYS if turn.get(key) is not None]
    return [
        read._replace(learn=all(float(weight) != 0 for weight in weights if isinstance(weight, bool | int | float)))
    ]


def turn_of(role: str | None, content) -> Turn:
    """Return the turn with this content: a text, a number, or parts whose texts are joined."""
    if isinstance(content, dict):
        content = content.get("parts", [content])
    if isinstance(content, list):
        texts, problem = _join_parts(content)
        return Turn(role, stripped(texts), NOT_A_TEXT.get(role, UNKNOWN_ROLE) if problem == "" else problem)
    if isinstance(content, bool):
        return Turn(role, "", NOT_A_TEXT.get(role))
    return Turn(role, stripped(as_text(content) or ""), TOOL_CALL if role == "tool" else None)


def _join_parts(parts: list) -> tuple[str, str | None]:
    """Return the texts of the parts, each a paragraph, and the reason against one ("" if unknown), or None."""
    texts = []
    for part in parts:
        kind = str(part.get("type") or "").casefold() if isinstance(part, dict) else ""
        text = part.get("text") if isinstance(part, dict) else part
        if isinstance(text, str) and kind in ("", *_TEXT_PARTS):
            texts.append(text)
        elif kind not in _SILENT_PARTS:
            return "", _problem_of_part(part, kind)
    return "\n".join(texts), None


def _problem_of_part(part, kind: str) -> str:
    if not isinstance(part, dict):
        return ""
    names = [kind] if kind else [key for key, value in part.items() if value]
    words = " ".join(names).casefold() + " " + str(part.get("mime_type") or part.get("content_type") or "")
    for word, reason in (("tool", TOOL_CALL), ("function", TOOL_CALL), *MEDIA.items()):
        if word in words:
            return reason
    return MEDIA["file"] if "data" in words else ""
