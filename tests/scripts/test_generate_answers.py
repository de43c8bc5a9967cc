"""generate.py on models that follow instructions: prompts, output and refusals."""

import json
from pathlib import Path

import pytest
from answering_models import CHAT_TEMPLATE, answer_to, save_model
from running import assert_one_error, json_of

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
    save_model(folder / "tweets", None, kind="generate", template="{prompt}", cleaning={})
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
    # A base model with the same weights continues the written-out Stanford prompt.
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
        [text] = json_of(cli("--model_path", models / "base", "--prompt", prompt, "--json", *SHORT))
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


def test_an_answer_may_have_256_tokens_and_a_text_128(cli, models):
    for name, flag, expected in (
        ("endless", "--instruction", 256),
        ("endless", "--prompt", 256),
        ("tweets", "--prompt", 128),
        ("base_chat", "--prompt", 128),
        ("base_chat", "--instruction", 256),
    ):
        [record] = json_of(cli("--model_path", models / name, flag, "Sing.", "--json", "--greedy"))
        assert (record["tokens"], record["finished"]) == (expected, False), name
    [record] = json_of(cli("--model_path", models / "ending", "--instruction", "x", "--json", "--min_new_tokens", 200))
    assert 200 <= record["tokens"] <= 256


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
        (["--instruction", " \n"], "an --instruction is empty", "remove it"),
        (["--instruction", "caf\udce9"], "--instruction", "--prompts_file"),
        (["--instruction", "a", "--input", "caf\udce9"], "--input", "--prompts_file"),
        (["--system", "caf\udce9"], "--system", ""),
        (["--length", "tiny"], "--length", "--help"),
        (["--min_p", "2"], "min_p must be between 0 and 1, not 2", "use 0"),
        (["--chat", "--instruction", "a"], "does not support --instruction", "/save"),
        (["--chat", "--prompt", "a"], "does not support --prompt", "remove"),
        (["--chat", "--compare_base"], "does not support --compare_base", "remove"),
        (["--chat", "--output_path", "answers.jsonl"], "does not support --output_path", "/save"),
        (["--chat", "--num_beams", "2"], "does not support --num_beams", "remove"),
        (["--chat", "--num_return_sequences", "2"], "does not support --num_return_sequences", "remove"),
    ],
)
def test_usage_errors(cli, arguments, problem, hint):
    code, out, err = cli("--model_path", "missing.pt", *arguments)
    assert (code, out) == (2, "")
    assert hint in assert_one_error(err, problem)


def test_an_instruction_longer_than_the_context(cli, models):
    code, out, err = cli("--model_path", models / "endless", "--instruction", "x" * 9000)
    assert (code, out) == (3, "")
    assert_one_error(err, "prompt 1 has 9,", "context of 8,192")
