"""generate.py on models that follow instructions: what is asked, what is printed, what is refused."""

import json
from pathlib import Path

import pytest
from answering_models import CHAT_TEMPLATE, answer_to, save_model
from running import assert_one_error, json_of

from utils.models.chat_templates import with_length

pytestmark = pytest.mark.usefixtures("_no_progress_bars")

SHORT = ["--max_new_tokens", "6"]
PREAMBLE = (
    "Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n"
)


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> Path:
    """A folder of models: endless, ending, of tweets, with a system's place; and base models with and without one."""
    folder = tmp_path_factory.mktemp("models")
    save_model(folder / "endless", lengths=None)
    save_model(folder / "ending", ends=True)
    save_model(folder / "tweets", None, kind="generate", template="{prompt}")
    save_model(folder / "system", CHAT_TEMPLATE)
    save_model(folder / "base_chat", CHAT_TEMPLATE, kind="")
    save_model(folder / "base", None, kind="")
    return folder


def test_the_answers_alone_are_printed(cli, models):
    arguments = ["--model_path", models / "endless", "--instruction", "Sing.", "--instruction", "Dance.", *SHORT]
    records = json_of(cli(*arguments, "--json"))
    assert [(record["prompt"], record["input"], record["prompt_index"]) for record in records] == [
        ("Sing.", "", 0),
        ("Dance.", "", 1),
    ]
    assert [set(record) for record in records] == 2 * [
        {"prompt", "input", "text", "tokens", "finished", "model", "prompt_index", "sequence_index", "seed"}
    ]
    code, out, err = cli(*arguments)
    assert (code, out, err) == (0, f"{records[0]['text']}\n\n{records[1]['text']}\n", "")
    assert [len(record["text"]) for record in records] == [6, 6]


def test_the_stored_template_is_what_the_model_reads(cli, models):
    # A model of tweets with the same weights goes on with the Stanford prompt, written out.
    for flags, prompt in (
        (["--instruction", " Sing.\r\nNow. "], PREAMBLE + "### Instruction:\nSing.\nNow.\n\n### Response:"),
        (["--prompt", "Sing."], PREAMBLE + "### Instruction:\nSing.\n\n### Response:"),
        (
            ["--instruction", "Sing.", "--input", "la la\n"],
            PREAMBLE.replace("task.", "task, paired with an input that provides further context.")
            + "### Instruction:\nSing.\n\n### Input:\nla la\n\n### Response:",
        ),
    ):
        [answer] = json_of(cli("--model_path", models / "endless", *flags, "--json", *SHORT))
        [text] = json_of(cli("--model_path", models / "tweets", "--prompt", prompt, "--json", *SHORT))
        assert answer["text"] == text["text"]


def test_instructions_inputs_prompts_and_files_in_this_order(cli, models, tmp_path):
    (tmp_path / "asked.jsonl").write_text(
        '{"instruction": "five", "input": "5", "output": "ignored"}\n\n{"prompt": "six"}\n'
        '{"instruction": "seven", "input": null}\n{"instruction": "seven", "input": "No input"}\n'
        '{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"},'
        ' {"role": "user", "content": "eight", "input": "8"}]}\n',
        "utf-8",
    )
    (tmp_path / "asked.txt").write_text("nine\n\nten\n", "utf-8")
    flags = ["--prompt", "three", "--instruction", "one", "--input", "1", "--instruction", "two", "--input", ""]
    arguments = ["--model_path", models / "endless", "--json", *SHORT]
    from_json = json_of(cli(*arguments, *flags, "--prompts_file", tmp_path / "asked.jsonl"))
    assert [(record["prompt"], record["input"]) for record in from_json] == [
        ("one", "1"),
        ("two", ""),
        ("three", ""),
        ("five", "5"),
        ("six", ""),
        ("seven", ""),
        ("seven", ""),
        ("eight", "8"),
    ]
    from_lines = json_of(cli(*arguments, "--prompts_file", tmp_path / "asked.txt"))
    assert [record["prompt"] for record in from_lines] == ["nine", "ten"]


def test_a_conversation_of_a_file_is_answered_as_a_whole(cli, models, tmp_path):
    conversation = [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "b"},
        {"role": "user", "content": "c"},
    ]
    path = tmp_path / "asked.jsonl"
    path.write_text(json.dumps({"messages": conversation}) + "\n")
    [record] = json_of(cli("--model_path", models / "endless", "--prompts_file", path, "--json", *SHORT))
    assert record["text"] == answer_to(models / "endless", conversation)
    assert record["text"] != answer_to(models / "endless", conversation[2:])


def test_several_answers_a_file_and_stopping(cli, models, tmp_path):
    path = tmp_path / "answers.jsonl"
    arguments = ["--model_path", models / "ending", "--instruction", "Sing.", "--num_return_sequences", 3]
    code, out, err = cli(*arguments, "--json", "--output_path", path)
    records = [json.loads(line) for line in out.splitlines()]
    assert (code, err, path.read_text("utf-8")) == (0, f"wrote 3 texts to {path}\n", out)
    assert len({record["text"] for record in records}) == 3
    assert all(record["finished"] and record["tokens"] == len(record["text"]) < 256 for record in records)


def test_an_answer_may_have_256_tokens_and_a_text_60(cli, models):
    for name, flag, expected in (
        ("endless", "--instruction", 256),
        ("endless", "--prompt", 256),
        ("tweets", "--prompt", 60),
        ("base_chat", "--prompt", 60),
        ("base_chat", "--instruction", 256),
    ):
        [record] = json_of(cli("--model_path", models / name, flag, "Sing.", "--json", "--greedy"))
        assert (record["tokens"], record["finished"]) == (expected, False), name
    [record] = json_of(cli("--model_path", models / "ending", "--instruction", "x", "--json", "--min_new_tokens", 200))
    assert 200 <= record["tokens"] <= 256


def test_a_system_message_where_the_template_has_a_place(cli, models, tmp_path):
    arguments = ["--instruction", "Sing.", "--json", "--system", "Be brief.", *SHORT]
    conversation = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Sing."}]
    [record] = json_of(cli("--model_path", models / "system", *arguments))
    assert (
        record["text"] == answer_to(models / "system", conversation) != answer_to(models / "system", conversation[1:])
    )
    code, out, err = cli("--model_path", models / "endless", *arguments)
    assert (code, out) == (1, "")
    assert "--system" in assert_one_error(err, "no place for a system message")
    # One that stands in the file stays, and is refused where it would be lost.
    path = tmp_path / "asked.jsonl"
    path.write_text(json.dumps({"messages": [{"role": "system", "content": "Be kind."}, conversation[1]]}))
    arguments = ["--prompts_file", path, "--system", "Be brief.", "--json", *SHORT]
    [record] = json_of(cli("--model_path", models / "system", *arguments))
    assert record["text"] == answer_to(models / "system", [{"role": "system", "content": "Be kind."}, conversation[1]])
    code, out, err = cli("--model_path", models / "endless", "--prompts_file", path)
    assert (code, out) == (1, "")
    assert_one_error(err, "no place for a system message")


def test_a_learnt_length_is_asked_for(cli, models):
    arguments = ["--instruction", "Sing.", "--length", "short", "--json", *SHORT]
    [record] = json_of(cli("--model_path", models / "ending", *arguments))
    conversation = [{"role": "user", "content": "Sing."}]
    assert record["prompt"] == "Sing."
    assert record["text"] == answer_to(models / "ending", with_length(conversation, "short"))
    assert record["text"] != answer_to(models / "ending", conversation)
    code, out, err = cli("--model_path", models / "endless", *arguments)
    assert (code, out) == (1, "")
    assert "preprocess.py --length_hints" in assert_one_error(err, "has not learnt", "short")


def test_the_base_model_is_prompted_with_its_own_template_or_else_the_tuned_ones(cli, models, tmp_path):
    conversation = [{"role": "user", "content": "Sing."}]
    for base in ("base", "base_chat"):
        path = save_model(tmp_path / base, base_model=str(models / base), ends=True)
        arguments = ["--model_path", path, "--instruction", "Sing.", "--compare_base", *SHORT]
        base_record, tuned_record = json_of(cli(*arguments, "--json"))
        assert (base_record["model"], tuned_record["model"]) == ("base", "tuned")
        assert tuned_record["text"] == answer_to(path, conversation)
        own = models / base if base == "base_chat" else models / "endless"  # the base's weights, the tuned's template
        assert base_record["text"] == answer_to(own, conversation)
        out = cli(*arguments)[1]
        assert out == f"base:\n{base_record['text']}\n\ntuned:\n{tuned_record['text']}\n"


def test_flags_of_drawing_reach_the_model(cli, models):
    arguments = ["--model_path", models / "endless", "--instruction", "Sing.", "--json", "--max_new_tokens", 40]
    plain = json_of(cli(*arguments))[0]["text"]
    once_each = json_of(cli(*arguments, "--no_repeat_ngram_size", 1, "--max_new_tokens", 26))[0]["text"]
    assert len(set(once_each)) == 26 > len(set(plain[:26]))
    likeliest = json_of(cli(*arguments, "--greedy"))[0]["text"]
    assert json_of(cli(*arguments, "--min_p", 1))[0]["text"] == likeliest != plain


@pytest.mark.parametrize(
    ("arguments", "problem", "hint"),
    [
        (["--instruction", "a", "--instruction", "b", "--input", "c"], "1 --input for 2 --instruction", '--input ""'),
        (["--input", "c"], "1 --input for 0 --instruction", "one for each"),
        (["--instruction", " \n"], "an --instruction is empty", "leave it out"),
        (["--instruction", "caf\udce9"], "--instruction", "--prompts_file"),
        (["--instruction", "a", "--input", "caf\udce9"], "--input", "--prompts_file"),
        (["--system", "caf\udce9"], "--system", ""),
        (["--length", "tiny"], "--length", "--help"),
        (["--min_p", "2"], "min_p 2", "from 0"),
        (["--chat", "--instruction", "a"], "--instruction has no use", "/save"),
        (["--chat", "--prompt", "a"], "--prompt has no use", "leave"),
        (["--chat", "--compare_base"], "--compare_base has no use", "leave"),
        (["--chat", "--output_path", "answers.jsonl"], "--output_path has no use", "/save"),
        (["--chat", "--num_beams", "2"], "--num_beams has no use", "leave"),
        (["--chat", "--num_return_sequences", "2"], "--num_return_sequences has no use", "leave"),
    ],
)
def test_usage_errors(cli, arguments, problem, hint):
    code, out, err = cli("--model_path", "missing.pt", *arguments)
    assert (code, out) == (2, "")
    assert hint in assert_one_error(err, problem)


@pytest.mark.parametrize(
    "flags",
    [["--instruction", "a"], ["--chat"], ["--prompt", "a", "--system", "b"], ["--prompt", "a", "--length", "long"]],
)
@pytest.mark.parametrize("name", ["tweets", "base"])
def test_a_model_of_another_kind_says_what_it_takes(cli, models, name, flags):
    code, out, err = cli("--model_path", models / name, *flags)
    assert (code, out) == (1, "")
    assert "--prompt" in assert_one_error(err, str(models / name), flags[-2] if len(flags) > 2 else flags[0])


def test_instructions_of_a_file_are_for_models_that_follow_them(cli, models, tmp_path):
    path = tmp_path / "asked.jsonl"
    path.write_text('{"prompt": "a"}\n{"instruction": "b"}\n')
    code, out, err = cli("--model_path", models / "tweets", "--prompts_file", path)
    assert (code, out) == (1, "")
    assert "--prompt" in assert_one_error(err, str(path), "follows no instructions")


def test_nothing_to_answer(cli, models, tmp_path):
    code, out, err = cli("--model_path", models / "endless")
    assert (code, out) == (1, "")
    assert "--chat" in assert_one_error(err, "was given none")
    code, out, err = cli("--model_path", models / "endless", "--prompt", "a", "--prompt", " ")
    assert (code, out) == (1, "")
    assert_one_error(err, "prompt 2 is empty")


USER = '{"role": "user", "content": "a"}'
ASSISTANT = '{"role": "assistant", "content": "b"}'


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('{"instruction": 3}', 'line 2 has no "instruction" that is a text'),
        ('{"instruction": " "}', 'line 2 has no "instruction" that is a text'),
        ('{"instruction": "a", "input": ["b"]}', 'line 2 has an "input" that is no text'),
        ('{"instruction": "\\ud83d"}', 'line 2 has no "instruction" that is a text'),
        ('{"messages": "a"}', 'line 2 has no "messages" that are a list'),
        ('{"messages": []}', 'line 2 has no "messages" that are a list'),
        ('{"messages": ["a"]}', "line 2: message 1 has no role"),
        ('{"messages": [{"role": "tool", "content": "a"}]}', "line 2: message 1 has no role"),
        ('{"messages": [{"role": "user", "content": null}]}', "line 2: message 1 has no role"),
        ('{"messages": [{"role": "user", "content": " "}]}', "line 2: message 1, the one to answer, is empty"),
        (f'{{"messages": [{ASSISTANT}, {USER}]}}', "line 2: the messages' roles are assistant, user;"),
        (f'{{"messages": [{USER}, {ASSISTANT}]}}', "line 2: the messages' roles are user, assistant;"),
        ('{"messages": [{"role": "system", "content": "a"}]}', "line 2: the messages' roles are system;"),
        ('{"messages": [{"role": "user", "content": "a", "input": 3}]}', 'line 2: message 1 has an "input"'),
    ],
)
def test_a_bad_line_of_a_file_is_named(cli, tmp_path, line, problem):
    path = tmp_path / "asked.jsonl"
    path.write_text('{"instruction": "fine"}\n' + line + "\n", "utf-8")
    code, out, err = cli("--model_path", "missing.pt", "--prompts_file", path)
    assert (code, out) == (3, "")
    assert_one_error(err, f"{path}, ".removesuffix(", "), problem)


def test_an_instruction_longer_than_the_context(cli, models):
    code, out, err = cli("--model_path", models / "endless", "--instruction", "x" * 9000)
    assert (code, out) == (3, "")
    assert_one_error(err, "prompt 1 has 9,", "context of 8,192")
