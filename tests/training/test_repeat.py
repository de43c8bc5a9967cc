"""A run that is repeated from its run.json: the same weights, bit for bit."""

import json

import pytest
from running import assert_one_error, run_script
from safetensors.torch import load_file
from small_classifiers import labeled_data, opinions
from small_models import processed_data
from training_runs import TEXTS, VALIDATION

import fine_tune
import generate
from utils.processed import save_processed

pytestmark = pytest.mark.usefixtures("_no_progress_bars")
WORDS = ["--max_steps", 3, "--precision", "fp32", "--device", "cpu"]


@pytest.fixture
def work(tmp_path, monkeypatch):
    """A folder with `texts.pkl` and `labels.pkl`, which the test runs in."""
    save_processed(tmp_path / "texts.pkl", processed_data(train=TEXTS, validation=VALIDATION))
    splits = {"train": opinions(16), "validation": opinions(8, 16), "test": opinions(8, 24)}
    save_processed(tmp_path / "labels.pkl", labeled_data(splits, ["neg", "pos"]))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def train(*words) -> int:
    return run_script(fine_tune.main, *words)


def same_weights(one, other) -> bool:
    first, second = (load_file(path / "model.safetensors") for path in (one, other))
    return first.keys() == second.keys() and all(first[name].equal(second[name]) for name in first)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("texts.pkl", ["--unfreeze_last", 1, "--train_head", "--seed", 7]),
        ("texts.pkl", ["--unfreeze_last", "all", "--model_soup", 2, "--lr", 0.003]),
        ("texts.pkl", ["--lr_scheduler_type", "cosine", "--warmup_ratio", 0.3, "--eval_strategy", "no"]),
        ("labels.pkl", ["--unfreeze_last", "all", "--class_weights", "2,1", "--threshold", 0.4]),
        ("labels.pkl", ["--search", 2, "--epochs", 1]),
    ],
    ids=["head", "soup", "names", "classes", "search"],
)
def test_a_run_is_repeated_bit_for_bit(work, data, words, capsys):
    words = WORDS[2:] + words if "--search" in words else WORDS + words
    assert train("--data", data, *words, "--output_path", "first") == 0
    assert train("--config", "first/run.json", "--output_path", "second") == 0, capsys.readouterr().err
    assert same_weights(work / "first", work / "second")
    if data == "texts.pkl":  # a classifier may keep its start
        assert train("--config", "second/run.json", "--output_path", "third", "--lr", 0.02) == 0
        assert not same_weights(work / "first", work / "third")


@pytest.fixture
def first(work):
    """The run.json of a run in the folder `first`."""
    assert train("--data", "texts.pkl", *WORDS, "--output_path", "first", "--overwrite") == 0
    return work / "first" / "run.json"


def test_a_repeated_run_does_not_overwrite_the_first(first, capsys):
    capsys.readouterr()
    assert train("--config", first) == 2
    assert "--output_path" in assert_one_error(capsys.readouterr().err, "but not a new output")
    assert train("--config", first, "--output_path", "first") == 1  # without the --overwrite of the run
    assert "--overwrite" in capsys.readouterr().err


def test_data_that_changed_is_refused(first, work, capsys):
    save_processed(work / "texts.pkl", processed_data(train=TEXTS[1:], validation=VALIDATION))
    capsys.readouterr()
    assert train("--config", first, "--output_path", "second") == 1
    assert_one_error(capsys.readouterr().err, "texts.pkl has changed since the run")
    assert train("--config", first, "--output_path", "second", "--data", "texts.pkl") == 0


def test_flags_of_other_versions_and_other_libraries_are_named(first, work, capsys):
    run = json.loads(first.read_text())
    run["arguments"] |= {"average_runs": 1, "forgotten": 3}
    del run["arguments"]["lr_scheduler_type"], run["arguments"]["model_soup"]
    run["versions"]["torch"] = "1.0"
    first.write_text(json.dumps(run))
    capsys.readouterr()
    assert train("--config", first, "--output_path", "second") == 0
    said = capsys.readouterr().err
    assert said.count("--forgotten, which is no longer a flag") == 1
    assert said.count("it had torch 1.0, here") == 1
    assert same_weights(work / "first", work / "second")


def test_it_is_for_fine_tune_alone(first, capsys):
    capsys.readouterr()
    assert run_script(generate.main, "--config", first) == 2
    assert_one_error(capsys.readouterr().err, "records a run of fine_tune.py, not of generate.py")
