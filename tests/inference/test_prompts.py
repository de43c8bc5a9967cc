"""Prompts of flags and files: problems are named early, and cleaning and template are the model's."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest
from answering_models import save_model
from running import assert_one_error

from utils.models import checkpoint, saving
from utils.text.cleaning import Cleaning

pytestmark = pytest.mark.usefixtures("_no_progress_bars")

SHORT = ["--max_new_tokens", "6"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A trained model that writes small letters and never ends a text."""
    path = tmp_path_factory.mktemp("models") / "trained"
    return save_model(path, None, task="tweets", kind="generate", template="{prompt}", cleaning=asdict(Cleaning()))


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("prompts.txt", b"", "holds no prompts"),
        ("prompts.txt", b" \n\n", "holds no prompts"),
        ("prompts.txt", b"\x89PNG\r\n\x1a\n\0\0\0", "is not text"),
        ("prompts.jsonl", b'{"prompt": "a"}\n\n{"prompt": "b"\n', "line 3, column 15 is not JSON"),
        ("prompts.jsonl", b'{"prompt": "a"}\n{"text": "b"}\n', 'line 2 has no "prompt"'),
        ("prompts.jsonl", b'{"prompt": 3}\n', 'line 1 has no "prompt"'),
        ("prompts.jsonl", b'["a"]\n', 'line 1 has no "prompt"'),
        ("prompts.jsonl", b'{"prompt": "\\ud83d"}\n', 'line 1 has no "prompt"'),
    ],
)
def test_a_bad_prompts_file_is_named_with_its_line(cli, tmp_path, name, content, problem):
    path = tmp_path / name
    path.write_bytes(content)
    code, out, err = cli("--model_path", "tiny", "--prompts_file", path)
    assert (code, out) == (3, "")
    assert_one_error(err, str(path), problem)


def test_a_missing_prompts_file(cli, tmp_path):
    path = tmp_path / "prompts.txt"
    for name, reason in ((path, "No such file"), (tmp_path, "Is a directory")):
        code, out, err = cli("--model_path", "tiny", "--prompts_file", name)
        assert (code, out) == (3, "")
        assert_one_error(err, f"cannot read {name}", reason)


USER = '{"role": "user", "content": "a"}'
ASSISTANT = '{"role": "assistant", "content": "b"}'


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('{"instruction": 3}', 'line 2 has no "instruction" that is a non-empty string'),
        ('{"instruction": " "}', 'line 2 has no "instruction" that is a non-empty string'),
        ('{"instruction": "a", "input": ["b"]}', 'line 2 has an "input" that is not a string'),
        ('{"instruction": "\\ud83d"}', 'line 2 has no "instruction" that is a non-empty string'),
        ('{"messages": "a"}', 'line 2 has no "messages" that are a list'),
        ('{"messages": []}', 'line 2 has no "messages" that are a list'),
        ('{"messages": ["a"]}', "line 2: message 1 needs a role"),
        ('{"messages": [{"role": "tool", "content": "a"}]}', "line 2: message 1 needs a role"),
        ('{"messages": [{"role": "user", "content": null}]}', "line 2: message 1 needs a role"),
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


def test_prompts_are_cleaned_as_the_training_texts_were(cli, folder):
    prompts = ["Look at https://example.com  &lt;here&gt; ", "@someone", ""]
    flags = [word for prompt in prompts for word in ("--prompt", prompt)]
    code, out, err = cli("--model_path", folder, "--json", *flags, *SHORT)
    assert code == 0
    assert [json.loads(line)["prompt"] for line in out.splitlines()] == ["Look at <here>", "", ""]
    assert err.splitlines() == [
        "warning: prompt 2 ('@someone') is empty after cleaning: the model starts the text"
    ]  # and nothing about prompt 3, which was empty


def test_the_prompts_of_a_base_model_are_left_as_they_are(cli):
    _, out, err = cli("--model_path", "tiny", "--json", "--prompt", "@someone  ", *SHORT)
    assert (json.loads(out)["prompt"], json.loads(out)["model"], err) == ("@someone  ", "base", "")


def test_the_template_of_the_model_is_applied(cli, folder, tmp_path):
    trained = checkpoint.load(str(folder))
    recipe = {**trained.run, "template": "Q: {prompt} A:"}
    saving.save(tmp_path / "templated", checkpoint.Trained(trained.model, trained.tokenizer, recipe), "", "")
    arguments = ["--greedy", "--json", *SHORT]
    templated = json.loads(cli("--model_path", tmp_path / "templated", "--prompt", "why", *arguments)[1])
    written_out = json.loads(cli("--model_path", folder, "--prompt", "Q: why A:", *arguments)[1])
    assert templated["text"] == written_out["text"]
    assert templated["full_text"] == "why" + templated["text"]
