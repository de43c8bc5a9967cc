"""generate.py --engine and --precision: the same texts, and refusals before anything is loaded."""

import importlib.util
import json

import pytest
from running import assert_one_error
from small_models import random_model, tiny_tokenizer

from utils.inference.ctranslate2.kept import SOURCE_FILE
from utils.inference.generation import encode_prompts, generate_from_ids
from utils.inference.sampling import Sampling
from utils.models import checkpoint, saving

pytestmark = pytest.mark.usefixtures("_no_progress_bars")


def saved(path, model, run=None):
    """A model on disk, and as it is loaded from there."""
    saving.save(path, checkpoint.Trained(model, tiny_tokenizer(), run or {"task": "tweets"}), "", "")
    return checkpoint.load(str(path))


def test_the_engine_writes_what_the_script_prints(cli, tmp_path):
    saved(tmp_path / "model", random_model("llama"), {"task": "tweets", "template": "{prompt}", "cleaning": None})
    arguments = ["--model_path", tmp_path / "model", "--prompt", "one", "--prompt", "été", "--greedy", "--json"]
    arguments += ["--max_new_tokens", 9]
    expected = cli(*arguments)
    assert expected[0] == 0
    code, out, err = cli(*arguments, "--engine", "ctranslate2", "--precision", "fp32")
    assert (code, out) == expected[:2]
    assert err == f"converting {tmp_path / 'model'} once for CTranslate2, into {tmp_path / 'model.ctranslate2'}\n"
    assert json.loads((tmp_path / "model.ctranslate2" / SOURCE_FILE).read_text())["weights"]
    code, out, err = cli(*arguments, "--engine", "ctranslate2")  # int8
    assert (code, err) == (0, "")
    assert [json.loads(line)["tokens"] > 0 for line in out.splitlines()] == [True, True]


def test_bf16_writes_with_the_rounding_of_bf16(cli, tmp_path):
    trained = saved(
        tmp_path / "model", random_model("llama"), {"task": "tweets", "template": "{prompt}", "cleaning": None}
    )
    code, out, err = cli("--model_path", tmp_path / "model", "--prompt", "one", "--precision", "bf16", "--json")
    assert (code, err) == (0, "")
    ids = encode_prompts(trained.tokenizer, ["one"])
    expected = generate_from_ids(trained.model.bfloat16(), trained.tokenizer, ids, Sampling())[0][0].text
    assert json.loads(out)["text"] == expected


@pytest.mark.parametrize(
    ("flags", "refused"),
    [
        (["--num_beams", 2], "--num_beams"),
        (["--min_p", 0.1], "--min_p"),
        (["--repetition_penalty", 1.2], "--repetition_penalty"),
        (["--device", "cuda"], "--device cuda"),
        (["--precision", "bf16"], "--precision bf16"),
    ],
)
def test_an_engine_refuses_flags_by_name_before_anything_is_loaded(cli, flags, refused):
    code, out, err = cli("--model_path", "missing.pt", "--engine", "ctranslate2", *flags)
    assert (code, out) == (2, "")
    assert "--engine transformers" in assert_one_error(err, f"--engine ctranslate2 does not support {refused}")


def test_an_engine_that_is_not_installed_says_how_to_install_it(cli, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    code, out, err = cli("--model_path", "missing.pt", "--engine", "ctranslate2")
    assert (code, out) == (2, "")
    assert "pip install" in assert_one_error(err, "--engine ctranslate2: the package ctranslate2 is not installed")


def test_vllm_is_no_engine_of_ours_and_opens_the_model_folder_itself(cli):
    code, out, err = cli("--model_path", "missing.pt", "--engine", "vllm")
    assert (code, out) == (2, "")
    assert "vllm serve models/name" in assert_one_error(err, "--engine: invalid choice: 'vllm'")


@pytest.mark.parametrize("flags", [["--engine", "ctranslate2"], ["--precision", "bf16"]])
def test_emoji_are_for_transformers_in_fp32(cli, tmp_path, flags):
    run = {"task": "emoji", "kind": "emoji", "template": "{prompt}", "targets": [["🐈", "🐈", None, "1F408"]]}
    saved(tmp_path / "emoji", random_model("gpt2"), run)
    code, out, err = cli("--model_path", tmp_path / "emoji", "--prompt", "a cat", *flags)
    assert (code, out) == (2, "")
    assert_one_error(err, " ".join(flags), "does not rank emoji")
