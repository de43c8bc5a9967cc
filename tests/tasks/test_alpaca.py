"""Which columns are those of instructions with answers."""

import pytest

from utils.tasks.alpaca import has_conversation_columns


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (["Instruction", "input", "output"], True),
        (["prompt", "completion"], True),
        (["id", "messages"], True),
        (["prompt", "text"], False),
        (["text", "label"], False),
    ],
)
def test_columns_of_instructions_are_recognized(columns, expected):
    assert has_conversation_columns(columns) == expected
