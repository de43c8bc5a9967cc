"""Rows of instructions in the formats that people have: which messages they give, or why they are dropped."""

import json

import numpy as np
import pandas as pd
import pytest
from messages import assistant, system, user

from utils.errors import DataError
from utils.preprocessing.conversations import read_conversations

PAIR = [user("a"), assistant("b")]
CHAT = [*PAIR, user("c"), assistant("d")]
CALL = {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "function": {"name": "f"}}]}


@pytest.fixture
def found(tmp_path):
    """The conversations read from rows, or from the text of a file."""

    def reading(rows, name="rows.jsonl", **options):
        path = tmp_path / name
        path.write_text(rows if isinstance(rows, str) else "".join(json.dumps(row) + "\n" for row in rows))
        return read_conversations([str(path)], **options)[0]

    return reading


def answers(read):
    """The answers to learn, each with the messages before it."""
    return [
        (*row.messages[:place], message)
        for row in read.kept
        for place, message in enumerate(row.messages)
        if message["role"] == "assistant" and place not in row.unlearned
    ]


# name: (row, the messages with the answer at the end). With multi_turn, earlier answers are learned as well.
FORMATS = {
    "LLaMA-Factory's history": (
        {"instruction": "c", "input": "i", "output": "d", "system": "s", "history": [["a", "b"]]},
        [system("s"), *PAIR, user("c", "i"), assistant("d")],
    ),
    "no history": ({"instruction": "a", "output": "b", "history": []}, PAIR),
    "null history": ({"instruction": "a", "output": "b", "history": None}, PAIR),
    "history as objects": ({"instruction": "c", "output": "d", "history": PAIR}, CHAT),
    "history as pairs by name": (
        {"prompt": "c", "response": "d", "history": [{"user": "a", "bot": "b"}]},
        CHAT,
    ),
    "history as texts": ({"query": "c", "response": "d", "history": ["a", "b"]}, CHAT),
    "history as a text": ({"query": "c", "response": "d", "history": "[['a' 'b']]"}, CHAT),
    "LLaMA-Factory's preferences": (
        {
            "conversations": [{"from": "human", "value": "a"}],
            "chosen": {"from": "gpt", "value": "b"},
            "rejected": {"from": "gpt", "value": "x"},
        },
        PAIR,
    ),
    "Alpaca's preferences": (
        {"instruction": "a", "input": "i", "chosen": "b", "rejected": "x"},
        [user("a", "i"), PAIR[1]],
    ),
    "TRL's preferences": ({"prompt": "a", "chosen": "b", "rejected": "x"}, PAIR),
    "TRL's preferences, messages": (
        {"prompt": CHAT[:3], "chosen": CHAT[3:], "rejected": [assistant("x")]},
        CHAT,
    ),
    "TRL's preferences, implicit": ({"chosen": CHAT, "rejected": [*CHAT[:3], assistant("x")]}, CHAT),
    "TRL's completions": ({"prompt": CHAT[:3], "completion": CHAT[3:]}, CHAT),
    "UltraFeedback": (
        {"prompt": "a", "chosen": PAIR, "rejected": [PAIR[0], assistant("x")], "messages": PAIR, "score_chosen": 7.5},
        PAIR,
    ),
    "Anthropic's transcripts": (
        {
            "chosen": "\n\nHuman: a\n\nAssistant: b\n\nHuman: c\n\nAssistant: d",
            "rejected": "\n\nHuman: a\n\nAssistant: x",
        },
        CHAT,
    ),
    "transcript as a prompt": (
        {"prompt": "\n\nHuman: a\n\nAssistant: b\n\nHuman: c\n\nAssistant:", "chosen": " d"},
        CHAT,
    ),
    "OpenAI's preferences": (
        {
            "input": {"messages": [user("a")], "tools": []},
            "preferred_output": [assistant("b")],
            "non_preferred_output": [],
        },
        PAIR,
    ),
    "a request and its answer": ({"messages": CHAT[:3], "response": "d"}, CHAT),
    "a system column beside turns": ({"system": "s", "conversations": PAIR}, [system("s"), *PAIR]),
    "turns with a system message of their own": (
        {"system": "t", "messages": [system("s"), *PAIR]},
        [system("s"), *PAIR],
    ),
    "Dolly": (
        {"instruction": "a", "context": "i", "response": "b", "category": "closed_qa"},
        [user("a", "i"), PAIR[1]],
    ),
    "OpenOrca": ({"id": "1", "system_prompt": "s", "question": "a", "response": "b"}, [system("s"), *PAIR]),
    "SQuAD": (
        {"context": "i", "question": "a", "answers": {"text": ["b", "b"], "answer_start": [1]}},
        [user("a", "i"), PAIR[1]],
    ),
    "input and output": ({"input": "a", "output": "b"}, PAIR),
    "counselling": ({"Context": "a", "Response": "b"}, PAIR),
    "query and reply": ({"Query": "a", "Reply": "b"}, PAIR),
    "FLAN": ({"inputs": "a", "targets": "b", "task": "x"}, PAIR),
    "MATH": ({"problem": "a", "solution": "b", "level": "5"}, PAIR),
    "Patient and Doctor": ({"Patient": "a", "Doctor": "b"}, PAIR),
    "Gemini": (
        {
            "systemInstruction": {"role": "system", "parts": [{"text": "s"}]},
            "contents": [{"role": "user", "parts": [{"text": "a"}]}, {"role": "model", "parts": [{"text": "b"}]}],
        },
        [system("s"), *PAIR],
    ),
    "Bedrock": (
        {
            "system": [{"text": "s"}],
            "messages": [{"role": "user", "content": [{"text": "a"}]}, assistant([{"text": "b"}])],
        },
        [system("s"), *PAIR],
    ),
    "content parts": (
        {"messages": [user([{"type": "text", "text": "a"}, {"type": "text", "text": "e"}]), PAIR[1]]},
        [user("a\ne"), PAIR[1]],
    ),
    "numbers as answers": ({"instruction": "a", "output": 0}, [PAIR[0], assistant("0")]),
    "rendered prompt": (
        {
            "prompt": "Below is an instruction.\n\n### Instruction:\na\n\n### Input:\ni\n\n### Response:",
            "completion": "b",
        },
        [user("a", "i"), PAIR[1]],
    ),
    "a rendered text beside": (
        {"instruction": "a", "output": "b", "text": "### Instruction:\na\n\n### Response:\nx"},
        PAIR,
    ),
    "roles in Spanish": (
        {"messages": [{"role": "Usuario", "content": "a"}, {"role": "Asistente", "content": "b"}]},
        PAIR,
    ),
    "all keys in every object": (
        {"messages": [user("a") | {"tool_calls": None}, assistant("b") | {"tool_calls": []}]},
        PAIR,
    ),
}


@pytest.mark.parametrize("name", FORMATS)
def test_the_text_and_the_answer_of_each_format(found, name):
    row, messages = FORMATS[name]
    read = found([row])
    assert answers(read) == [tuple(messages)]
    assert read.dropped == {}
    every = answers(found([row], multi_turn=True))
    places = [place for place, message in enumerate(messages, 1) if message["role"] == "assistant"]
    assert every == [tuple(messages[:place]) for place in places]


CHATS = {
    "Vicuna's items": {"id": "1", "items": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]},
    "columns of turns": {"conversations": {"from": ["human", "gpt", "human", "gpt"], "value": ["a", "b", "c", "d"]}},
    "pairs": {"conversation": [{"system": "", "input": "a", "output": "b"}, {"input": "c", "output": "d"}]},
    "LMSYS": {"conversation_id": "1", "model": "m", "conversation": CHAT, "language": "English"},
    "DailyDialog": {"dialog": ["a", "b", "c", "d"], "act": [1, 2]},
    "UltraChat": {"id": "1", "data": ["a", "b", "c", "d"]},
    "Guanaco": {"text": "### Human: a### Assistant: b"},
    "Guanaco in lines": {"text": "### Human: a\n### Assistant: b\n### Human: c\n### Assistant: d"},
    "roles before the text": {"text": "User: a\nAssistant: b\nUser: c\nAssistant: d"},
    "ChatML": {"text": "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\nb<|im_end|>\n"},
    "Llama 2": {"text": "<s>[INST] a [/INST] b </s><s>[INST] c [/INST] d </s>"},
    "Llama 3": {
        "text": "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\na<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\nb<|eot_id|>"
    },
    "Gemma": {"text": "<bos><start_of_turn>user\na<end_of_turn>\n<start_of_turn>model\nb<end_of_turn>\n"},
    "Zephyr": {"text": "<|user|>\na</s>\n<|assistant|>\nb</s>"},
    "Alpaca's text": {"text": "Below is an instruction that …\n\n### Instruction:\na\n\n### Response:\nb"},
    "a transcript as messages": {"messages": "User: a\nAssistant: b\nUser: c\nAssistant: d"},
}


@pytest.mark.parametrize("name", CHATS)
def test_chats(found, name):
    short = {"Vicuna's items", "Guanaco", "ChatML", "Llama 3", "Gemma", "Zephyr", "Alpaca's text"}
    whole = PAIR if name in short else CHAT
    read = found([CHATS[name]], multi_turn=True)
    assert ([row.messages for row in read.kept], read.dropped, read.changed) == ([whole], {}, {})
    assert [row.messages for row in found([CHATS[name]]).kept] == [PAIR]


DROPPED = {
    "a bad answer": ({"messages": PAIR, "label": False}, "marked as a bad answer"),
    "kto_tag": ({"instruction": "a", "output": "b", "kto_tag": 0}, "marked as a bad answer"),
    "TRL's label": ({"prompt": [PAIR[0]], "completion": [PAIR[1]], "label": False}, "marked as a bad answer"),
    "a tool's call": (
        {"messages": [PAIR[0], CALL, {"role": "tool", "content": "1"}, PAIR[1]]},
        "a tool call",
    ),
    "an old function's call": (
        {"messages": [PAIR[0], {"role": "function", "content": "1"}, PAIR[1]]},
        "a tool call",
    ),
    "function_call": ({"messages": [PAIR[0], PAIR[1] | {"function_call": {"name": "f"}}]}, "a tool call"),
    "ShareGPT's call": (
        {
            "conversations": [
                {"from": "human", "value": "a"},
                {"from": "function_call", "value": "{}"},
                {"from": "observation", "value": "1"},
                {"from": "gpt", "value": "b"},
            ]
        },
        "a tool call",
    ),
    "Anthropic's call": (
        {"messages": [PAIR[0], assistant([{"type": "tool_use", "name": "f"}])]},
        "a tool call",
    ),
    "an image": (
        {"messages": [user([{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {}}]), PAIR[1]]},
        "an image",
    ),
    "a picture for Gemini": (
        {"contents": [{"role": "user", "parts": [{"inline_data": {"mime_type": "image/png"}}]}, PAIR[1]]},
        "a file",
    ),
    "LLaVA": (
        {"image": "1.jpg", "conversations": [{"from": "human", "value": "<image>\na"}, {"from": "gpt", "value": "b"}]},
        "an image",
    ),
    "a sound": ({"messages": [user([{"type": "input_audio", "input_audio": {}}]), PAIR[1]]}, "a sound"),
    "a file": ({"messages": [user([{"type": "file", "file": {}}]), PAIR[1]]}, "a file"),
    "weight 0": ({"messages": [PAIR[0], PAIR[1] | {"weight": 0}]}, "every answer has the weight 0"),
    "no text in SQuAD 2": ({"question": "a", "answers": {"text": [], "answer_start": []}}, "no answer"),
    "several answers": ({"instruction": "a", "output": ["b", "c"]}, "the answer is not a text"),
    "blank answer": ({"instruction": "a", "output": " \n\t"}, "no answer"),
    "only rejected": ({"prompt": "a", "chosen": "", "rejected": "x"}, "no answer"),
    "a broken history": (
        {"instruction": "c", "output": "d", "history": "yesterday"},
        "a history that is not a list of turns",
    ),
    "an image before the own answer": (
        {"prompt": [user([{"type": "image"}]), *PAIR, user("c")], "chosen": [assistant("d")]},
        "an image",
    ),
}


@pytest.mark.parametrize("multi_turn", [False, True])
@pytest.mark.parametrize("name", DROPPED)
def test_dropped_rows_are_counted(found, name, multi_turn):
    row, reason = DROPPED[name]
    read = found([row], multi_turn=multi_turn)
    assert (read.kept, read.dropped) == ([], {reason: 1})


CHANGED = {
    "input alone": (
        {"instruction": "", "input": "a", "output": "b"},
        PAIR,
        "input without an instruction, taken as the instruction",
    ),
    "two turns": (
        {"messages": [user("a"), user("e"), PAIR[1]]},
        [user("a\n\ne"), PAIR[1]],
        "turns of one role in a row, joined",
    ),
    "unanswered history": (
        {"instruction": "c", "output": "d", "history": [["a", None]]},
        [user("a\n\nc"), assistant("d")],
        "turns of one role in a row, joined",
    ),
    "weight 0": (
        {"messages": [PAIR[0], PAIR[1] | {"weight": 0}, *CHAT[2:]]},
        CHAT,
        "answers of weight 0, not learned",
    ),
    "several answers": (
        {"question": "a", "answers": {"text": ["b", "x"], "answer_start": [1, 2]}},
        PAIR,
        "several answers, the first learned",
    ),
}


@pytest.mark.parametrize("name", CHANGED)
def test_changed_rows_are_counted(found, name):
    row, messages, kind = CHANGED[name]
    read = found([row])
    assert (answers(read), read.dropped, read.changed) == ([tuple(messages)], {}, {kind: 1})


@pytest.mark.parametrize("turns", [PAIR, CHAT])
@pytest.mark.parametrize("write", [str, json.dumps, lambda turns: str(np.array(turns, dtype=object))])
def test_messages_in_a_csv_file(found, turns, write):
    cells = [write(turns), write([*turns[:-1], {"role": "assistant", "content": 'It\'s "d",\nsaid he'}])]
    read = found(pd.DataFrame({"messages": cells}).to_csv(index=False), name="rows.csv", multi_turn=True)
    assert [row.messages for row in read.kept] == [turns, [*turns[:-1], assistant('It\'s "d",\nsaid he')]]


@pytest.mark.parametrize(
    ("answer", "labels", "kept"),
    [
        ("output", ["True", "False", ""], 2),  # an unmarked answer is kept
        ("completion", ["1", "0", "1"], 2),  # of TRL
        ("output", ["1", "0", "1"], 3),  # may as well be classes
        ("completion", ["good", "bad", "neutral"], 3),
        ("completion", ["3", "5", "1"], 3),
    ],
)
def test_labels_that_mark_bad_answers(found, answer, labels, kept):
    table = pd.DataFrame({"prompt": ["a", "c", "e"], answer: ["b", "d", "f"], "label": labels})
    assert len(found(table.to_csv(index=False), name="rows.csv").kept) == kept


def test_zeros_mark_bad_answers_where_the_user_says_so(found, caplog):
    rows = [{"prompt": "a", "response": "b", "liked": number} for number in (1, 0)]
    assert found(rows, columns={"label": "liked"}).dropped == {"marked as a bad answer": 1}
    rows = [{"prompt": "a", "response": "b", "label": number} for number in (1, 0)]
    assert len(found(rows).kept) == 2
    assert "--columns label=label" in caplog.text
    with pytest.raises(DataError, match="column 'label' holds '7'; expected true and false"):
        found([{"prompt": "a", "response": "b", "label": 7}], columns={"label": "label"})


ROW = {"QUESTION, please": "a", "reply": {"text": "b"}, "messages": CHAT, "log": {"body": {"messages": CHAT}}, "x": "i"}


@pytest.mark.parametrize(
    ("columns", "messages"),
    [
        ({"instruction": "question, PLEASE", "output": "reply.text"}, PAIR),
        ({"instruction": "question, please", "output": "reply.text", "input": "x"}, [user("a", "i"), PAIR[1]]),
        ({"messages": "log.body.messages", "system": "x"}, [system("i"), *PAIR]),
        ({}, PAIR),
    ],
)
def test_columns_that_the_user_names(found, columns, messages):
    assert answers(found([ROW], columns=columns)) == [tuple(messages)]


def test_a_named_column_that_is_not_there(found):
    with pytest.raises(
        DataError, match="instruction=ask: there is no column 'ask'; the columns are: 'QUESTION, please'"
    ):
        found([ROW], columns={"instruction": "ask"})


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"message_id": "1", "parent_id": None, "role": "prompter", "text": "a"}, "one message in each row"),
        ({"conversation_id": "1", "turns": 4, "text": "a"}, "no columns of instructions and answers"),
        ({"message_tree_id": "1", "prompt": {"role": "prompter", "text": "a", "replies": []}}, "no columns of"),
        ({"chosen": 1, "responses": ["a", "b"]}, "no columns of instructions and answers"),
    ],
)
def test_refused_files_get_the_expected_format(found, row, words):
    with pytest.raises(DataError, match=words):
        found([row])


def test_the_log_says_which_column_is_what(found, caplog):
    caplog.set_level("INFO")
    found([{"instruction": "a", "prompt": "x", "output": "b", "passage": "p"}])
    assert "instruction in 'instruction' or 'prompt', output in 'output'; not used: 'passage'" in caplog.text


def test_texts_that_only_look_like_chats_stay_whole(found):
    texts = [
        "Explain this:", "User: is a word. Define it:", "Name three things:\n1.\nAnswer:", "What does [INST] mean?",
        "Human: a\nAssistant: b\n\nWho spoke last?", "Write a dialogue between a User: and an Assistant: please.",
    ]  # fmt: skip
    read = found([{"instruction": text, "output": "User: a\nAssistant: b"} for text in texts])
    assert [row.messages for row in read.kept] == [[user(text), assistant("User: a\nAssistant: b")] for text in texts]


def test_answers_that_are_numbers_of_choices_are_their_texts(found, caplog):
    caplog.set_level("INFO")
    rows = [
        {"question": "a", "choices": ["red", "blue"], "answer": 1},
        {"question": "b", "choices": ["red", "blue"], "answer": "A"},
        {"question": "c", "choices": ["6", "8"], "answer": "8"},
        {"question": "d", "choices": None, "answer": "1"},
        {"question": "e", "choices": ["red", "blue"], "answer": "7"},
    ]
    assert [row.messages[-1]["content"] for row in found(rows).kept] == ["blue", "red", "8", "1", "7"]
    assert "2 answers are numbers or letters of the choices in column 'choices'" in caplog.text
