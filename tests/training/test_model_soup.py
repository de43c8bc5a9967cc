"""A model soup is the mean of single runs, also after an interruption."""

import json
import logging
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from running import assert_one_error, run_script
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from small_models import END, processed_data, random_model, tiny_tokenizer, weights_of
from training_runs import SETTINGS, TEXTS, VALIDATION, interrupted, rows_of

import fine_tune
from utils.compute.prefix_cache import PrefixCache
from utils.errors import UserError
from utils.models import checkpoint
from utils.processed import save_processed
from utils.training.freezing import freeze_parameters
from utils.training.model_soup import train_soup
from utils.training.objectives import language_modeling
from utils.training.train import TrainingOutcome, train

ROWS = {"train": rows_of(TEXTS), "validation": rows_of(VALIDATION)}
LONG = {"epochs": 10, "learning_rate": 1e-2, "batch_size": 2}
THREE = {"model_soup": 3, **LONG}


def run(train, folder: Path, model, *, validation=ROWS["validation"], resume=False, cache=None, **changes):
    folder.mkdir(exist_ok=True)
    objective = language_modeling(checkpoint.Trained(model, tiny_tokenizer(), {}), [[END]])
    options = [] if cache is None else [cache]
    return train(model, objective, ROWS["train"], validation, replace(SETTINGS, **changes), folder, resume, *options)


def single_runs(tmp_path, number: int = 3, **changes) -> tuple[list[dict[str, torch.Tensor]], list[TrainingOutcome]]:
    """Return the weights and outcomes of runs from the same start, each with its own seed."""
    weights, outcomes = [], []
    for seed in range(SETTINGS.seed, SETTINGS.seed + number):
        model = random_model("gpt2")
        outcomes.append(run(train, tmp_path / f"single {seed}", model, seed=seed, **changes))
        weights.append(weights_of(model))
    return weights, outcomes


def mean_of(weights: list[dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    return {name: torch.stack([each[name] for each in weights]).mean(0) for name in weights[0]}


def assert_same_weights(model, wanted: dict[str, torch.Tensor]) -> None:
    for name, weight in weights_of(model).items():
        torch.testing.assert_close(weight, wanted[name], rtol=1e-5, atol=1e-7)


def test_the_weights_are_the_mean_of_single_runs(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    model = random_model("gpt2")
    outcome = run(train_soup, tmp_path / "average", model, **THREE)
    weights, singles = single_runs(tmp_path, **LONG)
    assert_same_weights(model, mean_of(weights))
    assert (outcome.steps, outcome.epochs) == (180, 10)  # 12 texts in batches of 2, ten times, in each run
    assert outcome.before == singles[0].before
    assert outcome.better
    measured = run_evaluation(model)
    assert outcome.after == pytest.approx(measured, rel=1e-6)
    assert outcome.after < min(single.after for single in singles)
    runs = [entry["run"] for entry in outcome.history if "eval_loss" in entry]
    assert runs == [*[1] * 11, *[2] * 11, *[3] * 11, "average"]
    assert [line for line in caplog.messages if line.startswith("run ")] == ["run 1 of 3", "run 2 of 3", "run 3 of 3"]
    assert sorted(path.name for path in (tmp_path / "average").iterdir()) == [
        f"run-{number}.safetensors" for number in (1, 2, 3)
    ]


def run_evaluation(model) -> float:
    objective = language_modeling(checkpoint.Trained(model, tiny_tokenizer(), {}), [[END]])
    return objective.evaluate(model, ROWS["validation"])["bits_per_byte"]


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_without_validation_it_is_also_the_mean(tmp_path, precision):
    model = random_model("gpt2")
    changes = {"epochs": 1, "learning_rate": 1e-3, "validation": [], "precision": precision}
    outcome = run(train_soup, tmp_path / "average", model, model_soup=2, **changes)
    assert (outcome.before, outcome.after, outcome.better) == (None, None, None)
    assert_same_weights(model, mean_of(single_runs(tmp_path, 2, **changes)[0]))


def test_without_a_validation_before_training_nobody_knows_whether_it_is_better(tmp_path):
    changes = {"eval_on_start": "off", "model_soup": 2, "learning_rate": 1e-3}
    outcome = run(train_soup, tmp_path / "average", random_model("gpt2"), **changes)
    assert (outcome.before, outcome.better) == (None, None)
    assert outcome.after is not None


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_run_that_makes_the_average_worse_is_left_out(place, tmp_path, caplog):
    """Runs are good ones, and one with random noise in its weights."""
    caplog.set_level(logging.INFO)
    folder, model = tmp_path / "average", random_model("gpt2")
    folder.mkdir()
    weights, outcomes = single_runs(tmp_path, 2, **LONG)
    astray = {name: weight + torch.randn_like(weight) for name, weight in weights[0].items()}
    runs = list(zip(weights, outcomes, strict=True))
    runs.insert(place, (astray, replace(outcomes[0], after=99.0)))
    for number, (each, outcome) in enumerate(runs):
        about = json.dumps(vars(outcome))
        save_file(each, folder / f"run-{number + 1}.safetensors", metadata={"outcome": about})
    outcome = run(train_soup, folder, model, resume=True, **THREE)
    assert_same_weights(model, mean_of(weights))
    assert outcome.after == pytest.approx(run_evaluation(model), rel=1e-6)
    assert outcome.history[-1] == {"run": "average", **outcome.history[-1]}
    assert outcome.history[-1]["eval_bits_per_byte"] == outcome.after
    assert any(line.startswith("average of 2 of 3 runs: validation bits per byte") for line in caplog.messages)


def test_an_average_that_is_worse_is_not_kept(tmp_path, caplog):
    folder, model = tmp_path / "average", random_model("gpt2")
    folder.mkdir()
    weights, [good] = single_runs(tmp_path, 1, learning_rate=1e-3)
    astray = {name: weight + torch.randn_like(weight) for name, weight in weights[0].items()}
    for number, (each, after) in enumerate([(astray, 99.0), (weights[0], good.after)]):
        about = json.dumps(vars(replace(good, after=after)))
        save_file(each, folder / f"run-{number + 1}.safetensors", metadata={"outcome": about})
    outcome = run(train_soup, folder, model, resume=True, model_soup=2)
    assert_same_weights(model, weights[0])
    assert (outcome.after, outcome.better) == (good.after, True)
    assert "average" not in [entry["run"] for entry in outcome.history]
    assert "warning: no average is better than the best of the runs, which is kept" in caplog.messages


@pytest.mark.parametrize("damaged", [False, True], ids=["whole", "damaged"])
def test_an_interrupted_soup_resumes_in_the_run_where_it_stopped(damaged, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    whole, halves, folder = random_model("gpt2"), random_model("gpt2"), tmp_path / "halves"
    run(train_soup, tmp_path / "whole", whole, **THREE)
    with pytest.raises(KeyboardInterrupt):
        run(train_soup, folder, interrupted(random_model("gpt2"), 70), **THREE)  # the tenth step of the second run
    names = {path.name for path in folder.iterdir()}
    assert "run-1.safetensors" in names and any(name.startswith("checkpoint-") for name in names)
    caplog.clear()
    if damaged:
        file = folder / "run-1.safetensors"
        file.write_bytes(file.read_bytes()[:-5])
    run(train_soup, folder, halves, resume=True, **THREE)
    runs = ["run 1 of 3"] * damaged + ["run 2 of 3", "run 3 of 3"]
    assert [line for line in caplog.messages if line.startswith("run ")] == runs
    assert (f"warning: {folder / 'run-1.safetensors'} is damaged: its run is done again" in caplog.messages) == damaged
    assert_same_weights(halves, weights_of(whole))


def test_a_disk_that_fills_up_after_a_run_is_explained_and_the_run_can_be_resumed(tmp_path, monkeypatch):
    def full(*_, **__):
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    folder, model = tmp_path / "full", random_model("gpt2")
    with monkeypatch.context() as patched, pytest.raises(UserError, match="No space left on device") as raised:
        patched.setattr("utils.training.model_soup.save_file", full)
        run(train_soup, folder, random_model("gpt2"), **THREE)
    assert "free some space" in raised.value.hint
    run(train_soup, folder, model, resume=True, **THREE)
    expected = random_model("gpt2")
    run(train_soup, tmp_path / "expected", expected, **THREE)
    assert_same_weights(model, weights_of(expected))


def test_runs_of_one_epoch_share_the_prefix_cache(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    model, plain = random_model("gpt2"), random_model("gpt2")
    for each in (model, plain):
        freeze_parameters(each, 1, train_head=False)
        each.config.use_cache = False
    cache = PrefixCache(tmp_path / "model.prefix_cache", "auto", 8.0, keep=False)
    run(train_soup, tmp_path / "cached", model, cache=cache, model_soup=2)
    run(train_soup, tmp_path / "plain", plain, model_soup=2)
    [line] = [line for line in caplog.messages if line.startswith("prefix cache")]
    assert line.startswith("prefix cache: 2 frozen blocks ran once over 16 texts")
    for name, weight in weights_of(model).items():
        if not name.endswith("c_attn.bias"):  # Adam makes steps of the rounding errors of the keys' biases
            torch.testing.assert_close(weight, weights_of(plain)[name], rtol=1e-3, atol=1e-4)


def test_the_script_logs_and_records_the_soup(tmp_path, capsys):
    data = tmp_path / "data.pkl"
    save_processed(data, processed_data(train=TEXTS))
    words = ["--data", data, "--precision", "fp32", "--device", "cpu", "--max_steps", 2, "--lr", 1e-3]
    output = tmp_path / "model"
    assert run_script(fine_tune.main, *words, "--model_soup", 2, "--output_path", output) == 0
    out, err = capsys.readouterr()
    assert out == f"{output}\n"
    assert "run 2 of 2" in err
    record = json.loads((output / "run.json").read_text("utf-8"))
    assert record["arguments"]["model_soup"] == 2
    assert record["results"]["steps"] == 4
    assert not Path(f"{output}.training").exists()
    for seed in (42, 43):
        single = tmp_path / f"single {seed}"
        assert run_script(fine_tune.main, *words, "--seed", seed, "--output_path", single) == 0
    found, *singles = (load_file(tmp_path / name / "model.safetensors") for name in ("model", "single 42", "single 43"))
    for name, mean in mean_of(singles).items():
        torch.testing.assert_close(found[name], mean, rtol=1e-5, atol=1e-7)


def test_several_processes_are_refused(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("LOCAL_RANK", "0")
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    data = tmp_path / "data.pkl"
    save_processed(data, processed_data(train=TEXTS))
    assert run_script(fine_tune.main, "--data", data, "--model_soup", 2) == 2
    assert_one_error(capsys.readouterr().err, "--model_soup")
