"""From rows of instructions and lists of turns to conversations, and which rows are unusable."""

import json

import pandas as pd
import pytest
from messages import assistant, system, user

from utils.errors import DataError
from utils.preprocessing.conversations import read_conversations


def written(folder, name, content):
    """A file of this content: text, or rows as JSON Lines, JSON, CSV or Parquet by its name."""
    path = folder / name
    if isinstance(content, str):
        path.write_text(content, encoding="utf-8", newline="")
    elif name.endswith(".jsonl"):
        path.write_text("".join(json.dumps(row) + "\n" for row in content))
    elif name.endswith(".json"):
        path.write_text(json.dumps(content))
    elif name.endswith(".csv"):
        pd.DataFrame(content).to_csv(path, index=False)
    else:
        pd.DataFrame(content).to_parquet(path)
    return path


@pytest.fixture
def found(tmp_path):
    """The conversations read from rows in a file."""

    def reading(rows, name="rows.jsonl", **options):
        return read_conversations([str(written(tmp_path, name, rows))], **options)[0]

    return reading


@pytest.fixture
def messages(found):
    """The messages of the only row, of which nothing is dropped."""

    def reading(row, **options):
        read = found([row], **options)
        assert read.dropped == {}
        (conversation,) = read.kept
        return conversation.messages

    return reading


@pytest.fixture
def dropped(found):
    """Why the only row is dropped."""

    def reading(row, **options):
        read = found([row], **options)
        assert read.kept == []
        ((reason, rows),) = read.dropped.items()
        assert rows == 1
        return reason

    return reading


# Rows -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "row",
    [
        {"instruction": "Add.", "input": "1 2", "output": "3"},
        {"Instruction ": "Add.", "INPUT": "1 2", "Response": "3"},
        {"instruction": "Add.", "context": "1 2", "completion": "3"},
        {"instruction": "Add.", "input": "1 2", "answer": "3", "text": "### Instruction: Add. 1 2 ### 3"},
        {"instruction": "Add.", "input": "1 2", "output": 3},
    ],
)
@pytest.mark.parametrize("name", ["a.json", "a.jsonl", "a.csv", "a.parquet"])
def test_an_instruction_with_an_input(messages, found, row, name):
    read = found([row], name=name)
    assert [conversation.messages for conversation in read.kept] == [[user("Add.", "1 2"), assistant("3")]]
    assert (read.dropped, read.changed) == ({}, {})


@pytest.mark.parametrize(
    ("question", "answer"),
    [("instruction", "output"), ("prompt", "response"), ("prompt", "completion"), ("question", "answer")],
)
@pytest.mark.parametrize("name", ["a.json", "a.csv", "a.parquet"])
def test_a_question_and_its_answer(found, question, answer, name):
    read = found([{question: "Who?", answer: "I."}], name=name)
    assert [conversation.messages for conversation in read.kept] == [[user("Who?"), assistant("I.")]]


def test_texts_are_stripped_and_otherwise_unchanged(messages):
    row = {"instruction": " Fix\r\nit. ", "input": "if x:\r\n\treturn &lt;b&gt;  1\n", "output": "\n  a\n    b\t\n"}
    assert messages(row) == [user("Fix\nit.", "if x:\n\treturn &lt;b&gt;  1"), assistant("a\n    b")]


def test_a_system_prompt_of_a_row(messages):
    row = {"system_prompt": "Be kind.", "question": "Who?", "response": "I."}
    assert messages(row) == [system("Be kind."), user("Who?"), assistant("I.")]
    assert messages(row | {"system_prompt": " "}) == [user("Who?"), assistant("I.")]


@pytest.mark.parametrize("given", ["", " ", None])
def test_an_empty_input_is_no_input(messages, given):
    assert messages({"instruction": "Go.", "input": given, "output": "Gone."}) == [user("Go."), assistant("Gone.")]


def test_ids_languages_and_locations(tmp_path):
    first = written(tmp_path, "a.jsonl", [{"prompt": "a", "response": "b", "id": 7, "lang": " EN"}] * 2)
    second = written(tmp_path, "b.csv", [{"question": "a", "answer": "b"}])
    read, sources = read_conversations([str(first), str(second)])
    assert [source.rows for source in sources] == [2, 1]
    assert [(row.location, row.id, row.language) for row in read.kept] == [
        (f"{first}, row 1", "7", "en"),
        (f"{first}, row 2", "7", "en"),
        (f"{second}, row 1", None, None),
    ]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"instruction": "", "input": ""}, "no instruction"),
        ({"instruction": None, "input": " "}, "no instruction"),
        ({"output": " \n"}, "no answer"),
        ({"output": None}, "no answer"),
        ({"output": "<nooutput>"}, "placeholder for an answer"),
        ({"instruction": ["Add."]}, "the instruction is not a text"),
        ({"instruction": True}, "the instruction is not a text"),
        ({"input": {"a": 1}}, "the input is not a text"),
        ({"output": ["3"]}, "the answer is not a text"),
        ({"output": {"sum": 3}}, "the answer is not a text"),
        ({"output": False}, "the answer is not a text"),
        ({"system": ["3"]}, "the system message is not a text"),
    ],
)
def test_unusable_rows(dropped, change, reason):
    assert dropped({"instruction": "Add.", "input": "1 2", "output": "3"} | change) == reason


def test_cells_of_parquet_that_are_not_text(found):
    read = found([{"prompt": "a", "response": ["b", "c"]}, {"prompt": "a", "response": None}], name="a.parquet")
    assert (read.kept, read.dropped) == ([], {"no answer": 1, "the answer is not a text": 1})


def test_a_text_that_looks_like_json_is_a_text(messages):
    assert messages({"prompt": "List.", "response": '["a"]'}) == [user("List."), assistant('["a"]')]
    assert messages({"prompt": "Is it?", "response": "true"}) == [user("Is it?"), assistant("true")]


# Placeholders ---------------------------------------------------------------------------------------------------------


def test_a_placeholder_for_an_input_becomes_empty_and_is_counted(found):
    read = found([{"instruction": "Go.", "input": given, "output": "Gone."} for given in ("<noinput>", "N/A", "Na")])
    assert [conversation.messages[0] for conversation in read.kept] == [user("Go."), user("Go."), user("Go.", "Na")]
    assert read.changed == {"placeholder for an input, made empty": 2}


# Turns ----------------------------------------------------------------------------------------------------------------

CHAT = [user("a"), assistant("b"), user("c"), assistant("d")]
SHARED = [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]
SHARED += [{"from": "human", "value": "c"}, {"from": "gpt", "value": "d"}]


@pytest.mark.parametrize(("column", "turns"), [("messages", CHAT), ("conversations", SHARED)])
@pytest.mark.parametrize("name", ["a.json", "a.jsonl", "a.csv", "a.parquet"])
def test_the_first_pair_or_all_turns(found, column, turns, name):
    rows = [{column: turns, "id": "x"}]
    assert [row.messages for row in found(rows, name=name).kept] == [CHAT[:2]]
    assert [row.messages for row in found(rows, name=name, multi_turn=True).kept] == [CHAT]


def test_turns_as_json_in_a_text(messages):
    assert messages({"messages": json.dumps(CHAT), "prompt": "x", "response": "y"}, multi_turn=True) == CHAT


@pytest.mark.parametrize(
    ("turns", "first", "every"),
    [
        ([system(" s\r\nt "), *CHAT], [system("s\nt"), *CHAT[:2]], [system("s\nt"), *CHAT]),
        ([system(""), *CHAT], CHAT[:2], CHAT),
        ([*CHAT, user("e")], CHAT[:2], CHAT),
        ([*CHAT, user(""), user(None)], CHAT[:2], CHAT),
        ([{"role": "Human", "content": "a"}, {"role": "model", "text": 2.5}], [user("a"), assistant("2.5")], None),
    ],
)
def test_usable_turns(messages, turns, first, every):
    assert messages({"messages": turns}) == first
    assert messages({"messages": turns}, multi_turn=True) == (every or first)


@pytest.mark.parametrize("multi_turn", [False, True])
@pytest.mark.parametrize("before", [[], [system("s")]])
def test_answers_before_the_first_instruction_are_left_out(found, multi_turn, before):
    turns = [*before, assistant("hello"), assistant(["?"]), *CHAT[:2]]
    read = found([{"messages": turns}], multi_turn=multi_turn)
    assert [row.messages for row in read.kept] == [[*before, *CHAT[:2]]]
    assert read.changed == {"answers before the first instruction, left out": 1}


@pytest.mark.parametrize("multi_turn", [False, True])
@pytest.mark.parametrize(
    ("turns", "reason"),
    [
        ([], "no instruction"),
        ([system("s")], "no instruction"),
        ([user("a")], "no answer"),
        ([assistant("a"), user("b")], "no answer"),
        ([user("a"), assistant(None)], "no answer"),
        ([user(" "), assistant("b")], "no instruction"),
        ([user("a"), assistant("<nooutput>")], "placeholder for an answer"),
        ([user([{"type": "chart", "text": "a"}]), assistant("b")], "the instruction is not a text"),
        ([user("a"), assistant({"b": 1})], "the answer is not a text"),
        ([user("a"), assistant(True)], "the answer is not a text"),
        ([assistant("a"), assistant("b")], "only the assistant speaks"),
        ([system("a"), assistant("b")], "only the assistant speaks"),
        ([user("a"), system("b"), assistant("c")], "turns out of order"),
        ([user("a"), {"role": "tool", "content": "b"}, assistant("c")], "a tool call"),
        ([user("a"), {"role": "narrator", "content": "b"}], "a role other than system, user and assistant"),
        ([user("a"), {"content": "b"}, assistant("c")], "a role other than system, user and assistant"),
        (["a", "b"], "messages that are not a list"),
        ({"a": "b"}, "messages that are not a list"),
        ("a b", "messages that are not a list"),
        ("['\\\\d', '", "messages that are not a list"),
    ],
)
def test_unusable_turns(dropped, turns, reason, multi_turn):
    assert dropped({"messages": turns}, multi_turn=multi_turn) == reason


@pytest.mark.parametrize(
    ("rest", "reason"),
    [
        ([user("e"), system("f"), assistant("g")], "turns out of order"),
        ([user("e"), assistant("")], "no answer"),
        ([user("e"), assistant("<nooutput>")], "placeholder for an answer"),
        ([user("e"), {"role": "tool", "content": "f"}, assistant("g")], "a tool call"),
        ([user("e"), assistant("f") | {"tool_calls": [{"id": "1"}]}, assistant("g")], "a tool call"),
        ([user([{"type": "image_url", "image_url": {"url": "x"}}]), assistant("f")], "an image"),
    ],
)
def test_a_chat_ends_before_a_turn_that_cannot_be_used(found, messages, rest, reason):
    turns = [*CHAT, *rest, user("y"), assistant("z")]
    assert messages({"messages": turns}) == CHAT[:2]
    read = found([{"messages": turns}], multi_turn=True)
    assert [row.messages for row in read.kept] == [CHAT]
    assert read.changed == {f"later turns, left out: {reason}": 1}


@pytest.mark.parametrize("multi_turn", [False, True])
def test_turns_of_one_role_in_a_row_are_joined(found, multi_turn):
    turns = [system("r"), system("s"), user("a"), user("b"), user(""), assistant("c"), assistant("d"), user("e")]
    read = found([{"messages": turns}], multi_turn=multi_turn)
    assert [row.messages for row in read.kept] == [[system("r\n\ns"), user("a\n\nb"), assistant("c\n\nd")]]
    assert read.changed == {"turns of one role in a row, joined": 1}


# Columns --------------------------------------------------------------------------------------------------------------


def test_files_of_several_kinds(tmp_path):
    paths = [
        written(tmp_path, "a.csv", [{"instruction": "a", "input": "i", "output": "b"}]),
        written(tmp_path, "b.json", [{"Prompt": "c", "completion": "d"}]),
        written(tmp_path, "c.jsonl", [{"conversations": SHARED}]),
    ]
    read, _ = read_conversations([str(path) for path in paths])
    assert [row.messages for row in read.kept] == [
        [user("a", "i"), assistant("b")],
        [user("c"), assistant("d")],
        CHAT[:2],
    ]


@pytest.mark.parametrize(
    "row", [{"instruction": "a", "label": "b"}, {"output": "a", "title": "b"}, {"text": "### Instruction: a"}]
)
def test_the_error_for_missing_columns_lists_the_columns(tmp_path, row):
    good = written(tmp_path, "good.jsonl", [{"prompt": "a", "response": "b"}])
    bad = written(tmp_path, "bad.jsonl", [row])
    there = ", ".join(map(repr, row))
    for paths in ([bad], [good, bad]):
        with pytest.raises(DataError) as caught:
            read_conversations([str(path) for path in paths])
        assert caught.value.problem.startswith(
            f"{bad} has no columns of instructions and answers; the columns are: {there}; expected instruction and "
        )
        assert caught.value.hint.endswith("or name your own: --columns instruction=QUESTION,output=REPLY")


def test_a_column_of_nulls_counts_as_present(dropped):
    assert dropped({"instruction": "a", "output": None}) == "no answer"
