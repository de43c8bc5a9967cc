"""Instructions with answers, such as Stanford Alpaca's, for a model to follow.

`utils.preprocessing.conversations` reads them; these are the possible names of their columns, best first, in lower
case.
"""

from collections.abc import Sequence

from utils.reading.columns import find_column
from utils.tasks.base import Task

# Alpaca, Dolly, OpenOrca, the Hub's prompts and completions, questions and answers.
INSTRUCTION_COLUMNS = ("instruction", "prompt", "question")
INPUT_COLUMNS = ("input", "context")
ANSWER_COLUMNS = ("output", "response", "completion", "answer")
SYSTEM_COLUMNS = ("system", "system_prompt")
# Lists of turns: {"role", "content"}, or ShareGPT's {"from", "value"}.
CONVERSATION_COLUMNS = ("messages", "conversations")
ID_COLUMNS = ("id", "prompt_id", "conversation_id", "uuid")
LANGUAGE_COLUMNS = ("lang", "language")

ALPACA = Task(
    name="alpaca",
    kind="instruct",
    summary="instructions with answers to learn from (Alpaca, prompts and responses, chats)",
    text_columns=INSTRUCTION_COLUMNS,
    template="stanford",
    split=(0.85, 0.1, 0.05),
)


def has_conversation_columns(columns: Sequence[str]) -> bool:
    """Whether the columns, by their names, hold instructions with answers, or conversations."""
    return find_column(columns, CONVERSATION_COLUMNS) is not None or (
        find_column(columns, INSTRUCTION_COLUMNS) is not None and find_column(columns, ANSWER_COLUMNS) is not None
    )
