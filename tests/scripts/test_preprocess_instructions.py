"""preprocess.py --task alpaca: from files of instructions to the processed pickle, with the model `tiny`."""

import json
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
from running import run_script
from sentences import sentence
from small_models import random_model, tiny_tokenizer

import preprocess
from utils.models.chat_templates import open_chat_template, set_chat_template, with_length
from utils.models.tokenization import tokenizer_fingerprint
from utils.text.cleaning import CHOICES
from utils.text.words import count_words

SAMPLE = Path(__file__).parent.parent.parent / "data" / "samples" / "instructions.jsonl"
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{% if message['role'] == 'system' %}{{ raise_exception('no system here') }}{% endif %}"
    "<{{ message['role'] }}>{{ message['content'] }}{{ eos_token }}{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)
SYSTEM_TEMPLATE = CHAT_TEMPLATE.replace("{{ raise_exception('no system here') }}", "")


def pairs(number=24):
    """Rows with different instructions, inputs and answers."""
    return [
        {"instruction": sentence(n), "input": sentence(n + 100), "output": sentence(n + 200)} for n in range(number)
    ]


@pytest.fixture
def call(tmp_path, capsys):
    """Run the script on rows or a text in a file of this name: exit code, stdout, stderr."""

    def calling(content, *words, name="rows.jsonl", task=("--task", "alpaca")):
        path = tmp_path / name
        if isinstance(content, str):
            path.write_text(content, encoding="utf-8")
        elif name.endswith(".jsonl"):
            path.write_text("".join(json.dumps(row) + "\n" for row in content))
        elif name.endswith(".json"):
            path.write_text(json.dumps(content))
        elif name.endswith(".csv"):
            pd.DataFrame(content).to_csv(path, index=False)
        else:
            pd.DataFrame(content).to_parquet(path)
        words = ["--data", path, "--output_path", tmp_path / "out" / "made.pkl", *task, *words]
        words += [] if "--model" in words else ["--model", "tiny"]
        code = run_script(preprocess.main, *words)
        return code, *capsys.readouterr()

    return calling


@pytest.fixture
def chat_model(tmp_path):
    """The folder of a model whose tokenizer has this chat template."""

    def saved(template, **tokens):
        folder = tmp_path / "chat"
        random_model("gpt2").save_pretrained(folder)
        tokenizer = tiny_tokenizer()
        tokenizer.chat_template = template
        for name, token in tokens.items():
            setattr(tokenizer, name, token)
        tokenizer.save_pretrained(folder)
        return folder

    return saved


def rows_of(data):
    """(messages, completion) of every row, sorted."""
    rows = [
        row for split in data.splits.values() for row in zip(split.metadata["messages"], split.completion, strict=True)
    ]
    return sorted(rows, key=json.dumps)


# Output ---------------------------------------------------------------------------------------------------------------


def test_the_sample_instructions(made):
    data = made(SAMPLE.read_text(encoding="utf-8"))
    audit = data.audit
    assert audit["rows_read"] == 62
    assert audit["dropped"] == {"no answer": 1, "placeholder for an answer": 1, "exact duplicate": 1}
    assert audit["kept"] == {"train": 50, "validation": 6, "test": 3}
    assert audit["cleaned"] == {"placeholder for an input, made empty": 7}
    assert "further_turns" not in audit
    by_instruction = {messages[-1]["content"]: (messages, answer) for messages, answer in rows_of(data)}
    assert by_instruction["Write a haiku about fog."] == (
        [{"role": "user", "content": "Write a haiku about fog."}],
        "Morning without hills\na bell is ringing somewhere\nthe boats stay at home",
    )
    assert by_instruction["Count the vowels in the word."] == (
        [{"role": "user", "content": "Count the vowels in the word.", "input": "umbrella"}],
        "3",
    )
    recipe = data.recipe
    names = ("task", "kind", "template", "labels", "cleaning", "multi_turn", "lengths", "base_model", "seed")
    assert [recipe[name] for name in names] == [
        *("alpaca", "instruct", "stanford", None, None, False, None, "tiny", 42)
    ]
    tokenizer = tiny_tokenizer()
    set_chat_template(tokenizer, "stanford")
    assert data.tokenizer == {"name": "tiny", "fingerprint": tokenizer_fingerprint(tokenizer)}


@pytest.mark.parametrize("template", ["stanford", "plain"])
def test_every_row_is_written_in_the_template(made, template):
    data = made(SAMPLE.read_text(encoding="utf-8"), "--template", template)
    assert data.recipe["template"] == template
    tokenizer = tiny_tokenizer()
    set_chat_template(tokenizer, template)
    form = open_chat_template(tokenizer)
    for split in data.splits.values():
        assert (set(split.label), split.metadata.keys()) == ({None}, {"messages", "id"})
        columns = (split.ids, split.loss_start, split.prompt, split.completion, split.metadata["messages"])
        for ids, loss_start, prompt, completion, messages in zip(*columns, strict=True):
            assert prompt == form.render(messages)
            assert form.encode([messages]) == [list(ids[:loss_start])]
            assert tokenizer.decode(ids[:loss_start]) == prompt
            assert tokenizer.decode(ids[loss_start:-1]) == completion
            assert ids[-1] == tokenizer.eos_token_id


@pytest.mark.parametrize("name", ["a.json", "a.jsonl", "a.csv", "a.parquet"])
def test_all_formats_give_the_same(made, name):
    rows = pairs()
    rows[3]["input"] = ""
    data = made(rows, name=name)
    expected = [([{"role": "user", "content": r["instruction"], "input": r["input"]}], r["output"]) for r in rows]
    del expected[3][0][0]["input"]
    assert rows_of(data) == sorted(expected, key=json.dumps)
    assert data.audit["kept"] == {"train": 20, "validation": 3, "test": 1}
    assert data.audit["dropped"] == {}


def test_the_audit_shows_prompts_with_their_answers(call):
    code, out, err = call(
        [{"instruction": f"Say\n{row['output']}", "output": row["output"]} for row in pairs()], "--json"
    )
    assert code == 0
    samples = json.loads(out)["samples"]
    assert len(samples) == 3
    lines = err.splitlines()
    for sample in samples:
        answer = sample["answer"]
        assert sample["prompt"].endswith(f"### Instruction:\nSay\n{answer}\n\n### Response:")
        end = lines.index(f"  | {answer}", lines.index(f"  | {answer}") + 1)
        assert lines[end - 6 : end] == [
            *("  | ### Instruction:", "  | Say", f"  | {answer}", "  | ", "  | ### Response:", "answer:")
        ]


def test_the_ids_of_the_file_are_kept(made):
    data = made([{**row, "id": f"id {number}"} for number, row in enumerate(pairs())])
    ids = {}
    for split in data.splits.values():
        ids |= zip(split.completion, split.metadata["id"], strict=True)
    assert ids == {row["output"]: f"id {number}" for number, row in enumerate(pairs())}


# Dropped rows ---------------------------------------------------------------------------------------------------------


def test_duplicates_and_unusable_rows(made):
    rows = pairs()
    shouted = {name: text.upper() + "!" for name, text in rows[0].items()}
    nearly = {**rows[1], "output": rows[1]["output"] + "s"}
    other = {**rows[2], "output": sentence(999)}  # another answer to the same instruction is no duplicate
    useless = [{**rows[3], "output": ["a list"]}, {**rows[4], "output": ""}, {"output": "An answer."}]
    data = made([*rows, shouted, nearly, other, *useless])
    assert data.audit["dropped"] == {
        "no instruction": 1,
        "no answer": 1,
        "the answer is not a text": 1,
        "exact duplicate": 1,
        "near duplicate": 1,
    }
    assert data.audit["rows_read"] == 30
    answers = Counter(answer for _, answer in rows_of(data))
    assert answers == Counter(row["output"] for row in [*rows, other])


def test_lengths_are_those_of_the_answers(made):
    rows = [*pairs(), {"instruction": sentence(50), "output": "one"}, {"instruction": "go", "output": sentence(51, 20)}]
    assert made(rows).audit["dropped"] == {}
    data = made(rows, "--min_words", 2, "--max_words", 19)
    assert data.audit["dropped"] == {"too short": 1, "too long": 1}
    assert rows_of(data) == rows_of(made(pairs()))


def test_a_filter_that_drops_most_rows_gives_a_warning(call):
    rows = [*pairs(), *({"instruction": sentence(n), "output": "yes"} for n in range(100, 140))]
    code, _, err = call(rows, "--min_words", 2)
    assert code == 0
    assert "warning: 40 of 64 rows were dropped (too short): lower --min_words" in err


def test_excluded_words_count_in_every_message(made):
    rows = pairs()
    rows += [{"instruction": "Tell me a Secret.", "output": sentence(300)}]
    rows += [{"instruction": sentence(301), "input": "secret", "output": sentence(302)}]
    rows += [{"instruction": sentence(303), "output": "(SECRET) " + sentence(304)}]
    rows += [{"instruction": sentence(305), "output": "secretly " + sentence(306)}]
    data = made(rows, "--exclude", "secret")
    assert data.audit["dropped"] == {"excluded word": 3}
    assert "secretly " + sentence(306) in [answer for _, answer in rows_of(data)]


def test_one_language(made, refused):
    rows = [{**row, "language": ("en", "pt-BR", "")[number % 3]} for number, row in enumerate(pairs(72))]
    data = made(rows, "--lang", "pt")
    assert data.audit["dropped"] == {"other language": 48}
    assert {answer for _, answer in rows_of(data)} == {row["output"] for row in rows if row["language"] == "pt-BR"}


def test_a_missing_language(refused):
    rows = [{**row, "lang": "en"} for row in pairs()]
    assert "choose one" in refused(3, ["no row is in the language 'fr': the languages are en"], rows, "--lang", "fr")
    refused(3, ["the data has no language column"], pairs(), "--lang", "fr")


def test_a_sample_is_drawn_with_the_seed(made):
    rows = pairs(60)
    data = made(rows, "--sample", "0.5", "--max_rows", "28")
    assert data.audit["dropped"] == {"not sampled": 32}
    assert sum(data.audit["kept"].values()) == 28
    assert rows_of(made(rows, "--sample", "0.5", "--max_rows", "28")) == rows_of(data)
    assert rows_of(made(rows, "--sample", "0.5", "--max_rows", "28", "--seed", "1")) != rows_of(data)


def test_nothing_left(refused):
    hint = refused(
        3,
        ["all 6 rows were dropped: 5 no answer, 1 the answer is not a text"],
        [
            *({**row, "output": ""} for row in pairs(5)),
            {"instruction": "a", "output": {}},
        ],
    )
    assert hint == "check the input data, or choose other filters"
    assert refused(3, ["all 24 rows were dropped: 24 too short"], pairs(), "--min_words", 9) == "lower --min_words"


# Groups ---------------------------------------------------------------------------------------------------------------


def test_no_instruction_is_in_two_splits(made):
    rows = [
        {
            "instruction": f"{sentence(n % 30)}{'.!'[n % 2]}".title(),
            "input": sentence(n + 100),
            "output": sentence(n + 500),
        }
        for n in range(120)
    ]
    rows[0]["system"] = "Be kind."
    data = made(rows)
    assert data.audit["kept"] == {"train": 104, "validation": 12, "test": 4}
    sides = [
        {messages[-1]["content"].rstrip(".!").lower() for messages in split.metadata["messages"]}
        for split in data.splits.values()
    ]
    assert sum(map(len, sides)) == len(set.union(*sides)) == 30
    groups = [set(split.group) for split in data.splits.values()]
    assert set.union(*groups) == {f"instruction {number}" for number in range(30)}
    assert sum(map(len, groups)) == 30


# Chats ----------------------------------------------------------------------------------------------------------------


def chat(number, turns, system=None):
    """A conversation of so many questions, each with its answer."""
    said = [{"role": "system", "content": system}] if system else []
    for turn in range(turns):
        said += [{"role": "user", "content": sentence(1000 * number + 2 * turn)}]
        said += [{"role": "assistant", "content": sentence(1000 * number + 2 * turn + 1)}]
    return said


def test_every_answer_of_a_chat_is_an_example_of_one_group(made):
    chats = [chat(number, 1 + number % 3) for number in range(30)]
    data = made([{"messages": messages} for messages in [*chats, chats[0], chats[1][:3]]], "--multi_turn")
    assert data.recipe["multi_turn"] is True
    audit = data.audit
    assert (audit["rows_read"], audit["further_turns"]) == (32, 30)
    assert audit["dropped"] == {"exact duplicate": 1}
    assert sum(audit["kept"].values()) == 61
    expected = [
        (messages[:place], messages[place]["content"])
        for messages in [*chats, chats[1][:2]]
        for place in range(1, len(messages), 2)
    ]
    assert rows_of(data) == sorted(expected, key=json.dumps)
    groups = [set(split.group) for split in data.splits.values()]
    assert sum(map(len, groups)) == len(set.union(*groups)) == 30
    side = next(split for split in data.splits.values() if len(split.metadata["messages"][-1]) == 5)
    number = len(side) - 1
    assert side.prompt[number].count("### Response:") == 3


def test_the_first_pair_of_a_chat(made):
    chats = [chat(number, 3) for number in range(24)]
    data = made([{"messages": messages} for messages in chats])
    assert data.recipe["multi_turn"] is False
    assert rows_of(data) == sorted(((c[:1], c[1]["content"]) for c in chats), key=json.dumps)


def test_chats_that_start_with_the_assistant(made):
    chats = [[{"role": "assistant", "content": "Hello!"}, *chat(number, 1)] for number in range(24)]
    lonely = [{"role": "assistant", "content": "Hello?"}]
    data = made([{"messages": messages} for messages in [*chats, lonely]])
    assert data.audit["dropped"] == {"only the assistant speaks": 1}
    assert data.audit["cleaned"] == {"answers before the first instruction, left out": 24}
    assert rows_of(data) == sorted(((c[1:2], c[2]["content"]) for c in chats), key=json.dumps)


def test_a_system_message_is_left_out_where_the_template_has_no_place(call, made, chat_model):
    rows = [{"messages": chat(number, 1, "Be kind." if number < 5 else None)} for number in range(24)]
    plain = sorted(([message for message in r["messages"] if message["role"] == "user"] for r in rows), key=json.dumps)
    data = made(rows)
    assert [messages for messages, _ in rows_of(data)] == plain
    assert data.audit["cleaned"] == {"system message, left out": 5}
    problem = "warning: the template has no place for a system message: 5 are left out; to keep them, use "
    assert f"{problem}a --model whose own chat template has one, and --template chat\n" in call(rows)[2]
    assert f"{problem}--template chat\n" in call(rows, "--model", chat_model(SYSTEM_TEMPLATE))[2]

    data = made(rows, "--template", "chat", "--model", chat_model(SYSTEM_TEMPLATE))
    assert data.recipe["template"] == "chat"
    assert data.audit["cleaned"] == {}
    assert [messages for messages, _ in rows_of(data)] == sorted((r["messages"][:-1] for r in rows), key=json.dumps)
    prompts = [prompt for split in data.splits.values() for prompt in split.prompt]
    assert sum(prompt.startswith("<system>Be kind.<|endoftext|><user>") for prompt in prompts) == 5
    assert all(prompt.endswith("<|endoftext|><assistant>") for prompt in prompts)


# Other formats --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("flags", "kept"), [([], 9), (["--multi_turn"], 15)])
def test_the_same_question_after_different_earlier_turns(made, flags, kept):
    things = ("lamp", "sofa", "bike", "tent", "clock", "drill")
    rows = [
        {
            "instruction": "And how heavy is it?",
            "output": f"{number} kg",
            "history": [[f"Tell me about the {thing}.", f"The {thing} is new."]],
        }
        for number, thing in enumerate(things)
    ]
    rows += [{"instruction": f"Who sells the {t}?", "output": f"Shop {t}", "history": []} for t in things[:3]]
    data = made(rows, *flags)
    assert (sum(data.audit["kept"].values()), data.audit["dropped"]) == (kept, {})
    prompts = [prompt for split in data.splits.values() for prompt in split.prompt]
    for thing in things:
        earlier = f"### Instruction:\nTell me about the {thing}.\n\n### Response:The {thing} is new.<|endoftext|>\n\n"
        assert (
            sum(f"{earlier}### Instruction:\nAnd how heavy is it?\n\n### Response:" in prompt for prompt in prompts)
            == 1
        )


def test_bad_answers_and_other_names_of_columns(made, refused):
    rows = [
        {"ASK": row["instruction"], "SAY": {"text": row["output"]}, "label": n % 4 > 0} for n, row in enumerate(pairs())
    ]
    refused(3, ["has no columns of instructions and answers; the columns are: 'ASK', 'SAY', 'label'; expected"], rows)
    refused(3, ["there is no column 'asked'"], rows, "--columns", "instruction=asked,output=say.text")
    refused(2, ["--columns has 'reply=say', but 'reply' is not a key"], rows, "--columns", "instruction=ask,reply=say")
    refused(2, ["--columns is for instructions, not for short texts"], rows, "--columns", "output=SAY", task=[])
    data = made(rows, "--columns", "instruction=ask,output=say.text")
    assert data.audit["dropped"] == {"marked as a bad answer": 6}
    assert {answer for _, answer in rows_of(data)} == {row["SAY"]["text"] for row in rows if row["label"]}


# Length hints ---------------------------------------------------------------------------------------------------------


def test_half_of_the_training_prompts_ask_for_the_length_of_their_answer(made):
    rows = [{"instruction": sentence(n), "output": sentence(n + 200, 1 + n % 30)} for n in range(120)]
    data = made(rows, "--length_hints")
    plain = made(rows)
    assert plain.recipe["lengths"] is None
    train, same = data.splits["train"], plain.splits["train"]
    words = sorted(map(count_words, train.completion))
    assert len(words) == 102
    limits = {"short": words[33], "medium": words[67]}  # the last of the first 34, and of the first 68
    assert data.recipe["lengths"] == limits
    hinted = []
    for messages, before, answer, prompt in zip(
        train.metadata["messages"], same.metadata["messages"], train.completion, train.prompt, strict=True
    ):
        length = "short" if count_words(answer) <= limits["short"] else "long"
        if limits["short"] < count_words(answer) <= limits["medium"]:
            length = "medium"
        assert messages in (before, with_length(before, length))
        assert messages[-1]["content"] in prompt
        hinted += [length] if messages != before else []
    assert len(hinted) == 51
    assert set(hinted) == {"short", "medium", "long"}
    assert train.group == same.group
    for name in ("validation", "test"):
        assert data.splits[name] == plain.splits[name]
    again = made(rows, "--length_hints")
    assert again.splits == data.splits
    other = made(rows, "--length_hints", "--seed", "7").splits["train"].metadata["messages"]
    assert other != train.metadata["messages"]


def test_answers_of_one_length_give_a_warning(call):
    code, _, err = call(pairs(), "--length_hints")
    assert code == 0
    assert "warning: the answers have too few lengths to learn all of short, medium, long" in err


# Bad input ------------------------------------------------------------------------------------------------------------


def test_missing_keys(refused):
    rows = [{"instruction": "a", "tags": "b"}]
    words = ["rows.jsonl has no columns of instructions and answers; the columns are: 'instruction', 'tags'; expected"]
    hint = "give the columns these names, or name your own: --columns instruction=QUESTION,output=REPLY"
    assert refused(3, words, rows) == hint


def test_too_few_rows_for_three_splits(refused, made):
    rows = [{"instruction": "Same!", "output": sentence(number)} for number in range(20)]
    refused(3, ["2 rows in 2 groups are left, too few for three splits"], rows[:2])
    assert made(rows).audit["kept"] == {"train": 17, "validation": 2, "test": 1}


def test_a_conversation_that_the_chat_template_refuses(refused, chat_model):
    once = "{% if messages[2] %}{{ raise_exception('no role ' ~ messages[2]['role'] ~ ' again') }}{% endif %}"
    folder = chat_model(once + CHAT_TEMPLATE)
    rows = [{"messages": chat(number, 2 if number == 17 else 1)} for number in range(24)]
    words = ("rows.jsonl, row 18: the chat template refuses it: no role user again",)
    hint = refused(3, words, rows, "--template", "chat", "--model", folder, "--multi_turn")
    assert "--template" in hint


def test_a_base_model_without_a_chat_template(refused):
    hint = refused(1, ["--template chat", "tiny has no chat template"], pairs(), "--template", "chat")
    assert hint == "use --template stanford or --template plain"


def test_a_base_model_without_end_of_text(refused, chat_model):
    folder = chat_model(None, eos_token=None)
    refused(1, [f"the tokenizer of {folder} has no end-of-text token"], pairs(), "--model", folder)


@pytest.mark.parametrize("flag", [*CHOICES, "text_column", "scrape", "no_header", "num_proc"])
def test_flags_that_are_not_for_instructions(refused, flag):
    values = {"text_column": ["output"], "scrape": ["telegram-channel", "x"], "no_header": [], "num_proc": ["2"]}
    values = values.get(flag) or [] if flag in values else [CHOICES[flag][0]]
    hint = refused(2, [f"--{flag} is for ", "not for instructions"], pairs(), f"--{flag}", *values)
    assert hint == "remove it, or choose --task " + (
        "tweets or reviews or emoji" if flag == "text_column" else "tweets or reviews"
    )


@pytest.mark.parametrize("flag", ["keep_replies", "keep_retweets", "keep_content_warnings", "keep_users"])
def test_posts_are_not_for_instructions(refused, flag):
    refused(2, [f"--{flag} is for ", "not for instructions"], pairs(), f"--{flag}")


def test_labels_are_not_for_instructions(refused):
    hint = refused(2, ["--label_map is for labeled texts, not for instructions"], pairs(), "--label_map", "a=b")
    assert hint == "remove it, or choose --task reviews"


@pytest.mark.parametrize("flag", [("--template", "plain"), ("--multi_turn",), ("--length_hints",)])
@pytest.mark.parametrize("task", [(), ("--task", "reviews")])
def test_flags_only_for_instructions(refused, flag, task):
    assert (
        refused(2, [f"{flag[0]} is for instructions"], pairs(), *flag, task=task)
        == "remove it, or choose --task alpaca"
    )


def test_instructions_without_the_task_give_a_hint(refused, call):
    rows = pairs()
    refused(3, ["no column looks like the text of tweets"], rows, task=())
    assert "look like instructions and answers; to learn to answer: --task alpaca" in call(rows, task=())[2]
    assert "--task alpaca" not in call([{"text": row["output"]} for row in rows], task=())[2]
