"""Instructions with answers, such as Stanford Alpaca's, for a model to follow (see conversations.py)."""

from collections.abc import Sequence

from utils.reading.columns import find_column
from utils.tasks.base import Task

# Possible names of the columns, best first: of Alpaca, Dolly, OpenOrca, the Hub's prompts and completions, ….
COLUMNS = {
    "turns": ("messages", "conversations"),  # lists of {"role", "content"}, or ShareGPT's {"from", "value"}
    "instruction": ("instruction", "prompt", "question"),
    "input": ("input", "context"),
    "answer": ("output", "response", "completion", "answer"),
    "system": ("system", "system_prompt"),
    "id": ("id", "prompt_id", "conversation_id", "uuid"),
    "language": ("lang", "language"),
}

ALPACA = Task(
    name="alpaca",
    kind="instruct",
    summary="instructions with answers to learn from (Alpaca, prompts and responses, chats)",
    text_columns=COLUMNS["instruction"],
    template="stanford",
    split=(0.85, 0.1, 0.05),
)


def has_conversation_columns(columns: Sequence[str]) -> bool:
    """Whether the columns, by their names, hold instructions with answers, or conversations."""
    has = {content: find_column(columns, names) is not None for content, names in COLUMNS.items()}
    return has["turns"] or (has["instruction"] and has["answer"])
