"""Answers to instructions: the choice of models, template, system message and length."""

import json
from pathlib import Path

import pytest
from answering_models import CHAT_TEMPLATE, answer_to, save_model
from running import assert_one_error, json_of

from utils.models.chat_templates import with_length

pytestmark = pytest.mark.usefixtures("_no_progress_bars")

SHORT = ["--max_new_tokens", "6"]


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
    assert "preprocess.py --length_hints" in assert_one_error(err, "has not learned", "short")


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


@pytest.mark.parametrize(
    "flags",
    [["--instruction", "a"], ["--chat"], ["--prompt", "a", "--system", "b"], ["--prompt", "a", "--length", "long"]],
)
@pytest.mark.parametrize("name", ["tweets", "base"])
def test_a_model_of_another_kind_names_its_own_input(cli, models, name, flags):
    code, out, err = cli("--model_path", models / name, *flags)
    assert (code, out) == (1, "")
    assert "--prompt" in assert_one_error(err, str(models / name), flags[-2] if len(flags) > 2 else flags[0])


def test_instructions_of_a_file_are_for_models_that_follow_them(cli, models, tmp_path):
    path = tmp_path / "asked.jsonl"
    path.write_text('{"prompt": "a"}\n{"instruction": "b"}\n')
    code, out, err = cli("--model_path", models / "tweets", "--prompts_file", path)
    assert (code, out) == (1, "")
    assert "--prompt" in assert_one_error(err, str(path), "does not follow instructions")


def test_nothing_to_answer(cli, models, tmp_path):
    code, out, err = cli("--model_path", models / "endless")
    assert (code, out) == (1, "")
    assert "--chat" in assert_one_error(err, "but there is none")
    code, out, err = cli("--model_path", models / "endless", "--prompt", "a", "--prompt", " ")
    assert (code, out) == (1, "")
    assert_one_error(err, "prompt 2 is empty")
