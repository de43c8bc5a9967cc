"""The columns of instructions with answers."""

import pytest

from utils.errors import UsageError
from utils.tasks.alpaca import has_conversation_columns, parse_columns


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (["Instruction", "input", "output"], True),
        (["prompt", "completion"], True),
        (["id", "messages"], True),
        (["prompt", "text"], False),
        (["text", "label"], False),
        (["chosen", "rejected"], True),
        (["message", "reply", "user", "text"], False),  # of posts
    ],
)
def test_columns_of_instructions_are_recognized(columns, expected):
    assert has_conversation_columns(columns) == expected


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("instruction=QUESTION,output=REPLY", {"instruction": "QUESTION", "output": "REPLY"}),
        (" Instruction = What, exactly? , output=a.b[].c=d", {"instruction": "What, exactly?", "output": "a.b[].c=d"}),
        ("messages=3", {"messages": "3"}),
    ],
)
def test_columns_that_the_user_names(text, columns):
    assert parse_columns(text) == columns


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "--columns has ''; expected is KEY=COLUMN,…"),
        ("QUESTION", "--columns has 'QUESTION'; expected is KEY=COLUMN,…"),
        ("instruction=", "--columns has 'instruction='; expected is KEY=COLUMN,…"),
        ("instruction=a,ouput=b", "--columns has 'ouput=b', but 'ouput' is not a key; expected is KEY=COLUMN,…"),
        ("output=a,output=b", "--columns names output twice"),
    ],
)
def test_columns_that_are_not_understood(text, problem):
    with pytest.raises(UsageError) as caught:
        parse_columns(text)
    assert caught.value.problem == problem
