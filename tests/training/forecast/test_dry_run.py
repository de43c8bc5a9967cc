"""--dry_run predicts the run, and leaves nothing behind."""

import json
import random
from pathlib import Path

import pytest
import torch
from running import assert_one_error, run_script
from small_classifiers import labeled_data, opinions
from small_models import processed_data
from training_runs import TEXTS, VALIDATION

import fine_tune
from utils.processed import save_processed

pytestmark = pytest.mark.usefixtures("_no_progress_bars")
LABELED = {"train": opinions(12), "validation": opinions(4, 20)}
FLAGS = ["--model", "tiny", "--precision", "fp32", "--device", "cpu", "--batch_size", 4, "--output_path", "new/model"]


@pytest.fixture
def texts(tmp_path, monkeypatch) -> str:
    """Processed texts in an otherwise empty folder."""
    monkeypatch.chdir(tmp_path)
    save_processed(Path("texts.pkl"), processed_data(train=TEXTS, validation=VALIDATION))
    return "texts.pkl"


def foreseen(capsys, *words) -> dict:
    assert run_script(fine_tune.main, *FLAGS, *words, "--dry_run", "--json") == 0
    return json.loads(capsys.readouterr().out)


def everything() -> set[str]:
    return {str(path) for path in Path().rglob("*")}


@pytest.mark.parametrize(
    ("words", "cache"),
    [
        (["--epochs", 2], "none: all blocks train"),
        (["--max_steps", 2, "--gradient_accumulation_steps", 2], "none: all blocks train"),
        (["--unfreeze_last", 1, "--epochs", 2], "for 1 frozen blocks"),
        (["--unfreeze_last", 1, "--epochs", 1], "none: it does not pay off for one epoch"),
        (["--unfreeze_last", 1, "--prefix_cache", "off"], "off"),
    ],
    ids=str,
)
def test_the_forecast_agrees_with_the_log_of_training(texts, capsys, words, cache):
    before = everything()
    forecast = foreseen(capsys, "--data", texts, *words)
    assert everything() == before
    assert cache in forecast["prefix_cache"]
    assert forecast["rows"] == {"train": len(TEXTS), "validation": len(VALIDATION)}
    assert 0 < forecast["first_evaluation"] < forecast["seconds"]
    assert run_script(fine_tune.main, "--data", texts, *FLAGS, *words) == 0
    record = json.loads(Path("new/model/run.json").read_text(encoding="utf-8"))
    assert forecast["steps"] == record["results"]["steps"]
    assert forecast["trained_parameters"] == record["trainable_parameters"]
    assert ("frozen blocks" in forecast["prefix_cache"]) == (record["prefix_cache"] is not None)
    lines = [json.loads(line) for line in Path("new/model/log.jsonl").read_text(encoding="utf-8").splitlines()]
    if "--epochs" in words:
        seen = [line["num_input_tokens_seen"] for line in lines if "num_input_tokens_seen" in line][-1]
        assert forecast["tokens_per_epoch"] * words[words.index("--epochs") + 1] == seen


def test_a_classifier_has_a_probe_and_a_label(texts, capsys):
    save_processed(Path("labeled.pkl"), labeled_data(LABELED, ["neg", "pos"]))
    before = everything()
    forecast = foreseen(capsys, "--data", "labeled.pkl", "--epochs", 1)
    assert everything() == before
    assert forecast["seconds_parts"]["linear probe"] > 0
    assert forecast["example"]["label"] in ("neg", "pos")
    assert forecast["supervised_per_epoch"] == len(LABELED["train"])


def test_rows_that_are_cut_or_left_out_are_counted(texts, capsys):
    forecast = foreseen(capsys, "--data", texts, "--max_length", 10)
    longer = [text for text in TEXTS + VALIDATION if len(text.encode()) + 2 > 10]
    assert (forecast["cut"], forecast["left_out"]) == (len(longer), 0)


def test_the_text_for_people_has_the_notes(texts, capsys):
    words = ["--epochs", 9, "--model_soup", 2, "--early_stopping_patience", 1]
    assert run_script(fine_tune.main, *FLAGS, "--data", texts, *words, "--dry-run") == 0
    out = capsys.readouterr().out
    for name in ("tokens per epoch", "memory at its peak", "disk at its peak", "first evaluation", "end  "):
        assert f"\n{name}" in out
    assert "--model_soup: 2 runs of 27 steps each" in out
    assert "at step 6 at the earliest" in out
    assert "⟦" in out and out.endswith("nothing was written\n")


def test_a_time_limit_is_when_it_ends(texts, capsys):
    forecast = foreseen(capsys, "--data", texts, "--time_limit", "10m", "--eval_strategy", "no")
    assert forecast["seconds"] == 600
    assert forecast["seconds_range"] == pytest.approx([570, 630])


def test_from_python_nothing_changes(texts):
    random_states = random.getstate(), torch.get_rng_state()
    before = everything()
    forecast = fine_tune.fine_tune(texts, model="tiny", output="new/model", epochs=1, dry_run=True)
    assert everything() == before
    assert random.getstate() == random_states[0] and torch.equal(torch.get_rng_state(), random_states[1])
    assert repr(forecast).startswith("base model")
    assert forecast.steps == 1


def test_the_errors_are_those_of_training(texts, capsys):
    before = everything()
    assert run_script(fine_tune.main, *FLAGS, "--data", texts, "--dry_run", "--prefix_cache", "on") == 2
    assert_one_error(capsys.readouterr().err, "--prefix_cache on", "all blocks train")
    assert run_script(fine_tune.main, *FLAGS, "--data", texts, "--dry_run", "--resume") == 2
    assert_one_error(capsys.readouterr().err, "--resume")
    assert everything() == before


def test_folds_are_in_the_time_and_in_the_notes(texts, capsys):
    alone, judged = (foreseen(capsys, "--data", texts, "--epochs", 4, *words) for words in ([], ["--folds", 3]))
    assert judged["steps"] == alone["steps"] == 12  # of the model
    assert judged["seconds_parts"].keys() - alone["seconds_parts"].keys() == {"folds"}
    assert judged["seconds_parts"]["folds"] > judged["seconds_parts"]["training"]
    assert "--folds: 3 further trainings, each on 67% of the training texts" in judged["notes"]
