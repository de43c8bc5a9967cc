"""Instructions with answers, such as Stanford Alpaca's, for a model to follow (see conversations.py)."""

import re
from collections.abc import Sequence

from utils.errors import UsageError
from utils.reading.columns import column_key, find_column
from utils.tasks.base import Task

# Possible names of the columns, best first: of Alpaca, Dolly, OpenOrca, LLaMA-Factory, TRL, OpenAI, Gemini, ….
COLUMNS = {
    "messages": (
        "messages",
        "conversations",
        "turns",
        "items",
        "contents",
    ),  # lists of {"role", "content"} and the like
    # The content under such names varies: they count if the cells are lists of turns or chats written as one text.
    "dialog": ("conversation", "dialog", "dialogue", "chat", "data", "text"),
    "instruction": (
        *("instruction", "prompt", "question", "query", "text_input", "input_text", "inputs"),
        *("problem", "user", "human", "patient", "message"),
    ),
    "input": ("input", "context"),
    "output": (
        *("output", "response", "completion", "answer", "output_text", "target", "targets"),
        *("solution", "reply", "answers", "best_answer", "assistant", "bot", "doctor"),
    ),
    "chosen": ("chosen", "preferred_output"),  # the better one of two answers, or the conversation with it
    "system": ("system", "system_prompt", "system_message", "system_instruction", "systemInstruction"),
    "history": ("history",),  # LLaMA-Factory's earlier turns: [["…", "…"], …]
    "label": ("kto_tag", "label"),  # whether the answer is a good one
    "id": ("id", "prompt_id", "conversation_id", "uuid"),
    "language": ("lang", "language"),
}
KEYS = [key for key in COLUMNS if key != "dialog"]
MEDIA_COLUMNS = ("image", "images", "video", "videos", "audio", "audios")
EXAMPLE = "--columns instruction=QUESTION,output=REPLY"
# Names that mean this in a file of instructions alone: posts have columns of these names, too.
VAGUE_INSTRUCTIONS = {"user", "human", "patient", "message"}
_VAGUE = VAGUE_INSTRUCTIONS | {"turns", "items", "contents", "inputs", "target", "targets", "reply", "assistant"}
_VAGUE |= {"bot", "doctor"}

ALPACA = Task(
    name="alpaca",
    kind="instruct",
    summary="instructions with answers to learn from (Alpaca, prompts and responses, chats)",
    text_columns=COLUMNS["instruction"],
    template="stanford",
    split=(0.85, 0.1, 0.05),
)


def has_conversation_columns(columns: Sequence[str]) -> bool:
    """Return whether the columns, by their names, hold instructions with answers, or conversations."""
    clear = [column for column in columns if column_key(column) not in _VAGUE]
    has = {content: find_column(clear, names) is not None for content, names in COLUMNS.items()}
    return has["messages"] or has["chosen"] or (has["instruction"] and has["output"])


def parse_columns(text: str) -> dict[str, str]:
    """Return {key of COLUMNS: name of a column} of "instruction=QUESTION,output=REPLY".

    A comma that no key follows is part of a name. UsageError for anything else.
    """
    columns: dict[str, str] = {}
    for pair in re.split(r",(?=\s*\w+\s*=)", text):
        key, equals, name = (part.strip() for part in pair.partition("="))
        key = key.casefold()
        if key not in KEYS or not name:
            problem = f"--columns has {pair.strip()!r}" + (f", but {key!r} is not a key" if equals and name else "")
            raise UsageError(f"{problem}; expected is KEY=COLUMN,…", f"the keys are {', '.join(KEYS)}: {EXAMPLE}")
        if key in columns:
            raise UsageError(f"--columns names {key} twice", "name one column for it")
        columns[key] = name
    return columns
