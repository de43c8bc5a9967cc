"""fine_tune.py --lora: a plain model with merged adapters, the adapters beside it, and refusals."""

import importlib.util
import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from running import assert_one_error, run_script
from safetensors import safe_open
from safetensors.torch import load_file
from small_models import MODEL_FILES, random_model, tiny_tokenizer, weights_of
from transformers import AutoModelForCausalLM

import classify
import evaluate_model
import fine_tune
import generate
import preprocess
from utils.models import checkpoint

ROOT = Path(fine_tune.__file__).parent
SAMPLES = ROOT / "data" / "samples"
LORA = ["--lora", 2, "--precision", "fp32", "--device", "cpu"]
ADAPTER_FILES = {
    *("adapter_config.json", "adapter_model.safetensors", "run.json"),
    *("tokenizer.json", "tokenizer_config.json"),
}


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "base"
    random_model("llama").save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def trained(base, processed, tmp_path_factory) -> Path:
    """A model with its adapter beside it."""
    path = tmp_path_factory.mktemp("trained") / "mine"
    words = [*LORA, "--max_steps", 3, "--save_adapter", "--data", processed, "--model", base, "--output_path", path]
    assert run_script(fine_tune.main, *words) == 0
    return path


def files_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def trains(capsys, *words) -> str:
    """Run fine_tune.py, which must succeed, and return its log."""
    code = run_script(fine_tune.main, *words)
    err = capsys.readouterr().err
    assert code == 0, err
    return err


def refuses(capsys, script, code: int, words: list, *parts: str) -> str:
    assert run_script(script.main, *words) == code
    return assert_one_error(capsys.readouterr().err, *parts)


# ---- what is written


def test_the_model_is_plain_and_differs_from_its_base_by_products_of_that_rank(trained, base):
    assert files_in(trained) == MODEL_FILES
    before, after = load_file(base / "model.safetensors"), load_file(trained / "model.safetensors")
    assert before.keys() == after.keys()
    adapted = {name for name in before if "_proj" in name}
    assert {name for name in before if not torch.equal(before[name], after[name])} == adapted
    added = {name: after[name].double() - before[name] for name in adapted}
    assert {int(torch.linalg.matrix_rank(matrix, rtol=1e-3)) for matrix in added.values()} == {2}
    run = json.loads((trained / "run.json").read_text())
    assert run["total_parameters"] == random_model("llama").num_parameters()
    assert run["trainable_parameters"] == sum(2 * sum(after[name].shape) for name in adapted)
    assert (run["arguments"]["lora"], run["arguments"]["learning_rate"]) == (2, 1e-3)  # ten times the usual rate
    assert "LoRA adapters of rank 2" in (trained / "README.md").read_text()


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated")  # which peft asks for
def test_peft_opens_the_adapter_and_gives_the_logits_of_the_model(trained, base):
    adapter = trained.with_name("mine.adapter")
    assert files_in(adapter) == ADAPTER_FILES
    theirs = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), adapter)
    ours = AutoModelForCausalLM.from_pretrained(trained)
    text = torch.tensor([[72, 105, 33]])
    torch.testing.assert_close(theirs(text).logits, ours(text).logits, rtol=1e-4, atol=1e-4)


def test_an_adapter_is_a_model_wherever_one_is_named(trained, capsys, processed, tmp_path):
    adapter, texts = trained.with_name("mine.adapter"), []
    for model in (trained, adapter):
        assert run_script(generate.main, "--model_path", model, "--prompt", "I", "--greedy", "--max_new_tokens", 9) == 0
        texts.append(capsys.readouterr().out)
    assert texts[0] == texts[1] != ""
    ours, theirs = (weights_of(checkpoint.load(str(model)).model) for model in (trained, adapter))
    for name, weight in ours.items():
        torch.testing.assert_close(weight, theirs[name], rtol=1e-5, atol=1e-6)
    words = ["--data", processed, "--model", adapter, "--max_steps", 1, *LORA, "--save_adapter"]
    trains(capsys, *words, "--output_path", tmp_path / "further")
    on_top = checkpoint.load(str(tmp_path / "further.adapter")).model  # of two adapters, one upon the other
    for name, weight in weights_of(checkpoint.load(str(tmp_path / "further")).model).items():
        torch.testing.assert_close(weight, weights_of(on_top)[name], rtol=1e-5, atol=1e-6)


def test_the_base_model_of_an_adapter_can_be_named(trained, base, capsys, processed, tmp_path):
    adapter, moved, other = (tmp_path / name for name in ("mine.adapter", "moved", "other"))
    shutil.copytree(trained.with_name("mine.adapter"), adapter)
    config = json.loads((adapter / "adapter_config.json").read_text()) | {"base_model_name_or_path": "/nowhere/base"}
    (adapter / "adapter_config.json").write_text(json.dumps(config))
    shutil.copytree(base, moved)
    shutil.copytree(base, other)
    random_model("llama", seed=1).save_pretrained(other)

    generated = ["--model_path", adapter, "--prompt", "I", "--greedy", "--max_new_tokens", 9]
    assert "--base_model" in refuses(capsys, generate, 1, generated, "/nowhere/base")
    assert run_script(generate.main, *generated, "--base_model", moved) == 0
    named = capsys.readouterr().out
    assert run_script(generate.main, "--model_path", trained, *generated[2:]) == 0
    assert capsys.readouterr().out == named != ""

    hint = refuses(capsys, generate, 1, [*generated, "--base_model", other], "not those that it was trained on")
    assert "--base_model" in hint
    refuses(capsys, generate, 1, generated, "/nowhere/base")  # what was named is forgotten
    refuses(capsys, generate, 1, ["--model_path", "nowhere/a", "--prompt", "I", "--base_model", moved], "nowhere/a")
    words = ["--model_path", trained, "--prompt", "I", "--base_model", moved]
    refuses(capsys, generate, 2, words, f"--base_model is for an adapter, and {trained} is not one")

    refuses(capsys, generate, 2, [*generated, "--base_model", ""], "--base_model is empty")

    words = ["--data", processed, "--base_model", moved, "--max_steps", 1, "--output_path", tmp_path / "x"]
    assert f"--model {moved}" in refuses(capsys, fine_tune, 2, words, "no --model names one")
    classifier = tmp_path / "classifier"
    shutil.copytree(base, classifier)
    config = json.loads((base / "config.json").read_text()) | {"architectures": ["LlamaForSequenceClassification"]}
    (classifier / "config.json").write_text(json.dumps(config))
    problem = f"{classifier}, the base model of the adapter {adapter}, is a LlamaForSequenceClassification"
    assert "--base_model" in refuses(capsys, generate, 1, [*generated, "--base_model", classifier], problem)

    words = ["--data", processed, "--model", adapter, "--base_model", moved, "--max_steps", 1, *LORA]
    trains(capsys, *words, "--output_path", tmp_path / "further")
    words = ["--data", processed, "--model_path", adapter, "--base_model", moved, "--compare_base", "--limit", 5]
    assert run_script(evaluate_model.main, *words[:7], "--output_path", tmp_path / "e.json") == 0
    assert json.loads((tmp_path / "e.json").read_text())["model_path"] == str(adapter)


def test_a_classifier_and_its_adapter_answer_alike(tmp_path, capsys, base):
    data, path = tmp_path / "reviews.pkl", tmp_path / "reviews.pt"
    words = ["--task", "reviews", "--data", SAMPLES / "reviews.csv", "--model", base, "--output_path", data]
    assert run_script(preprocess.main, *words) == 0
    words = ["--data", data, *LORA, "--unfreeze_last", 1, "--max_steps", 2, "--save_adapter"]
    trains(capsys, *words, "--output_path", path)
    config = json.loads((tmp_path / "reviews.adapter" / "adapter_config.json").read_text())
    assert (config["modules_to_save"], config["task_type"]) == (["score"], "SEQ_CLS")
    answers = []
    for model in (path, tmp_path / "reviews.adapter"):
        assert run_script(classify.main, "--model_path", model, "--text", "Good food, slow service", "--json") == 0
        answers.append(json.loads(capsys.readouterr().out))
    assert answers[0]["label"] == answers[1]["label"]
    probabilities = [list(answer["probabilities"].values()) for answer in answers]
    assert probabilities[0] == pytest.approx(probabilities[1], abs=1e-4)


def test_a_soup_of_adapters_is_the_mean_of_the_runs_and_has_an_adapter_too(base, processed, tmp_path, capsys):
    words = ["--data", processed, "--model", base, *LORA, "--epochs", 1, "--lr", 1e-3]
    trains(capsys, *words, "--model_soup", 2, "--save_adapter", "--output_path", tmp_path / "soup")
    for seed in (42, 43):
        log = trains(capsys, *words, "--seed", seed, "--output_path", tmp_path / str(seed))
    assert "worse" not in log
    soup, *runs = (load_file(tmp_path / name / "model.safetensors") for name in ("soup", "42", "43"))
    start = load_file(base / "model.safetensors")
    moved = {name for name in start if not torch.equal(start[name], runs[0][name])}
    assert moved
    adapted = checkpoint.load(str(tmp_path / "soup.adapter")).model.state_dict()
    for name in moved:
        torch.testing.assert_close(adapted[name], soup[name], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("words", [["--dry_run", "--json"], ["--max_steps", 2, "--time_limit", "1h"]])
def test_measurements_before_training_compute_in_bfloat16_too(words, base, processed, tmp_path, capsys):
    flags = ["--data", processed, "--model", base, *LORA[:2], "--precision", "bf16", "--device", "cpu", "--epochs", 1]
    trains(capsys, *flags, *words, "--output_path", tmp_path / "out")


def test_an_interrupted_run_continues_as_if_it_had_not_been(base, processed, tmp_path, capsys):
    words = ["--data", processed, "--model", base, *LORA, "--unfreeze_last", 2, "--lora_dropout", 0.1]
    words += ["--max_steps", 6, "--save_steps", 3, "--eval_strategy", "no", "--save_total_limit", 5]
    trains(capsys, *words, "--output_path", tmp_path / "whole")
    command = [sys.executable, ROOT / "fine_tune.py", *words, "--logging_steps", 1, "--output_path", tmp_path / "mine"]
    with subprocess.Popen(list(map(str, command)), stderr=subprocess.PIPE, text=True) as run:
        for line in run.stderr:
            if line.startswith("step 4"):
                run.send_signal(signal.SIGINT)
    assert run.returncode == 130
    for state in (tmp_path / "mine.training").glob("checkpoint-*/model.safetensors"):
        with safe_open(state, "pt") as file:
            assert all(".lora_" in name for name in file.keys())  # noqa: SIM118 - no dict
    trains(capsys, *words, "--resume", "--output_path", tmp_path / "mine")
    whole, mine = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "mine"))
    assert all(torch.equal(whole[name], mine[name]) for name in whole)


# ---- what is refused


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["--lora_alpha", 16], ["--lora_alpha is for adapters"]),
        (["--save_adapter"], ["--save_adapter is for adapters"]),
        (["--lora", 4, "--train_head"], ["--train_head trains the whole head"]),
        (["--lora", 4, "--unfreeze_last", 0], ["--unfreeze_last 0 trains none"]),
        (["--lora", 0], ["--lora"]),
        (["--lora", 4, "--lora_dropout", 1], ["--lora_dropout"]),
        (["--load_in_4bit"], ["--load_in_4bit is for adapters"]),
    ],
)
def test_flags_that_contradict_each_other(words, parts, capsys, processed, tmp_path):
    refuses(capsys, fine_tune, 2, ["--data", processed, "--output_path", tmp_path / "out", *words], *parts)
    assert not list(tmp_path.iterdir())


def test_an_adapter_alone_is_not_kept_of_a_classifier_that_is_mixed_with_its_baseline(capsys, tmp_path):
    data = tmp_path / "reviews.pkl"
    words = ["--task", "reviews", "--data", SAMPLES / "reviews.csv", "--model", "tiny", "--output_path", data]
    assert run_script(preprocess.main, *words) == 0
    words = ["--data", data, *LORA, "--save_adapter", "--with_baseline", "auto", "--output_path", tmp_path / "out"]
    refuses(capsys, fine_tune, 2, words, "--with_baseline mixes in a part")


def test_without_peft_the_command_that_installs_it_is_told(capsys, processed, tmp_path, monkeypatch, trained):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    words = ["--data", processed, "--output_path", tmp_path / "out", "--lora", 4]
    assert "requirements-adapters.txt" in refuses(capsys, fine_tune, 2, words, "peft is not installed")
    words = ["--model_path", trained.with_name("mine.adapter"), "--prompt", "I"]
    assert "requirements-adapters.txt" in refuses(capsys, generate, 1, words, "peft is not installed")


@pytest.mark.parametrize(
    ("words", "part", "hint"),
    [
        ([], "this run is on the CPU", "--lora alone trains here"),
        (["--search", 2], "--search trains copies of the model", "smaller base model"),
        (["--prefix_cache", "on"], "--prefix_cache on keeps", "remove one"),
        (["--prefix_cache", "on", "--unfreeze_last", 1], "--prefix_cache on keeps", "remove one"),
        (["--keep_prefix_cache"], "--keep_prefix_cache keeps", "remove one"),
    ],
)
def test_weights_in_4_bits_are_refused_where_they_make_no_sense(
    words, part, hint, capsys, processed, tmp_path, monkeypatch
):
    find = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: "there" if name == "bitsandbytes" else find(name))
    words = ["--data", processed, "--output_path", tmp_path / "out", *LORA, "--load_in_4bit", *words]
    assert hint in refuses(capsys, fine_tune, 2, words, part)
    assert not list(tmp_path.iterdir())


def test_without_bitsandbytes_the_command_that_installs_it_is_told(capsys, processed, tmp_path, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "bitsandbytes" else find(name))
    words = ["--data", processed, "--output_path", tmp_path / "out", *LORA, "--load_in_4bit"]
    assert "requirements-4bit.txt" in refuses(capsys, fine_tune, 2, words, "bitsandbytes is not installed")


def test_a_quantized_base_is_refused_with_adapters_too(capsys, processed, tmp_path, base):
    config = json.loads((base / "config.json").read_text()) | {"quantization_config": {"quant_method": "gptq"}}
    for file in base.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "config.json").write_text(json.dumps(config))
    words = ["--data", processed, "--model", tmp_path, *LORA, "--output_path", tmp_path / "models" / "out"]
    refuses(capsys, fine_tune, 1, words, "quantized weights (gptq)")


def test_a_folder_of_somebody_else_in_the_adapters_place_stays(capsys, processed, tmp_path):
    (tmp_path / "out.adapter").mkdir()
    (tmp_path / "out.adapter" / "notes.txt").write_text("mine")
    words = ["--data", processed, *LORA, "--save_adapter", "--max_steps", 1, "--output_path", tmp_path / "out"]
    refuses(capsys, fine_tune, 1, words, "out.adapter exists, and fine_tune.py did not write it")
    assert (tmp_path / "out.adapter" / "notes.txt").read_text() == "mine"
