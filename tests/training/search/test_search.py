"""fine_tune.py --search: the trials, the settings that are kept, and how a search continues."""

import csv
import gc
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from running import assert_one_error, run_script
from safetensors.torch import load_file
from small_classifiers import labeled_data, opinions
from small_models import MODEL_FILES, processed_data, random_model

import fine_tune
from utils.models.checkpoint import load
from utils.processed import Processed, Split, save_processed
from utils.training.search.space import search_space

SCRIPT = Path(fine_tune.__file__)
TEXTS = {"train": ["a red cat", "the tall tree", "one more day"] * 8, "validation": ["a tall cat", "the red day"]}
ROWS = {"train": opinions(24), "validation": [*opinions(6, 24), ("bad thing", "pos"), ("good thing", "neg")]}
SEARCHED = ["learning_rate", "batch_size", "epochs", "weight_decay", "unfreeze_last"]
CPU = ["--device", "cpu", "--precision", "fp32", "--seed", 3]
SEARCH = ["--device", "cpu", "--precision", "bf16", "--seed", 3, "--search", 4, "--early_stopping_patience", 0]


def call(folder: Path, *words: object, data: Processed, output: str = "model") -> int:
    """Return the exit code of fine_tune.py with this data and output in the folder."""
    return run_script(fine_tune.main, *arguments(folder, *words, data=data, output=output))


def arguments(folder: Path, *words: object, data: Processed, output: str = "model") -> list[str]:
    path = folder / "data.pkl"
    save_processed(path, data)
    return [str(word) for word in ("--data", path, "--output_path", folder / output, *words)]


def trials_in(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def without_time(trials: Sequence[dict]) -> list[dict]:
    return [{name: value for name, value in trial.items() if name != "seconds"} for trial in trials]


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.fixture(scope="module", autouse=True)
def _quick_collections():
    """Trainer collects garbage several times per trial, which takes longer than these trials if much is imported."""
    import utils.training.search.search  # noqa: F401

    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(scope="module")
def writing() -> Processed:
    return processed_data(**TEXTS)


@pytest.fixture(scope="module")
def searched(tmp_path_factory, writing) -> Path:
    """A folder in which a search of four trials ended well."""
    folder = tmp_path_factory.mktemp("searched")
    assert call(folder, *SEARCH, data=writing) == 0
    return folder


def test_every_trial_is_in_the_table(searched):
    assert names_in(searched) == {"data.pkl", "model"}
    assert names_in(searched / "model") == MODEL_FILES | {"search.csv"}
    trials = trials_in(searched / "model" / "search.csv")
    assert [list(trial) for trial in trials] == [["number", "state", *SEARCHED, "bits_per_byte", "seconds"]] * 4
    assert [(trial["number"], trial["state"]) for trial in trials] == [(str(n), "finished") for n in (1, 2, 3, 4)]
    first = {"learning_rate": "0.0001", "batch_size": "16", "epochs": "2", "weight_decay": "0.01"}
    assert trials[0].items() >= (first | {"unfreeze_last": "all"}).items()
    for name in SEARCHED:
        assert len({trial[name] for trial in trials}) > 1
    for trial in trials:
        assert 2e-5 <= float(trial["learning_rate"]) <= 1e-3
        assert trial["batch_size"] in ("8", "16", "32")
        assert trial["unfreeze_last"] in ("1", "all")
        assert float(trial["seconds"]) > 0


def test_the_best_settings_are_trained_and_saved(searched):
    """The lowest value of the table is not that of the first trial, which has the defaults."""
    trials = trials_in(searched / "model" / "search.csv")
    best = min(trials, key=lambda trial: float(trial["bits_per_byte"]))
    assert best["number"] != "1"
    run = json.loads((searched / "model" / "run.json").read_text("utf-8"))
    found = {
        "learning_rate": float(best["learning_rate"]),
        "batch_size": int(best["batch_size"]),
        "epochs": int(best["epochs"]),
        "weight_decay": float(best["weight_decay"]),
    }
    blocks = None if best["unfreeze_last"] == "all" else int(best["unfreeze_last"])
    assert run["arguments"].items() >= (found | {"unfreeze_last": blocks, "search": 4}).items()
    assert run["search"] == {
        "trials": 4,
        "metric": "bits_per_byte",
        "best_trial": int(best["number"]),
        "best_value": float(best["bits_per_byte"]),
        "best_parameters": found | {"unfreeze_last": blocks or "all"},
    }
    assert run["results"]["validation_bits_per_byte_after"] == float(best["bits_per_byte"])


def flags_of(trial: dict[str, str]) -> list[str]:
    return [word for name in SEARCHED for word in (f"--{name}", trial[name])]


def test_a_trial_is_a_training_with_its_settings(searched, tmp_path, writing):
    """The best trial gives the same model; one with another number of blocks, in bfloat16, the same metric."""
    trials = trials_in(searched / "model" / "search.csv")
    best = min(trials, key=lambda trial: float(trial["bits_per_byte"]))
    other = next(trial for trial in trials if trial["unfreeze_last"] != best["unfreeze_last"])
    alone = [word for word in SEARCH if word not in ("--search", 4)]
    for trial, name in ((best, "best"), (other, "other")):
        assert call(tmp_path, *alone, *flags_of(trial), data=writing, output=name) == 0
        run = json.loads((tmp_path / name / "run.json").read_text("utf-8"))
        assert run["results"]["validation_bits_per_byte_after"] == float(trial["bits_per_byte"])
        assert "search" not in run
    weights = [load_file(folder / "model.safetensors") for folder in (tmp_path / "best", searched / "model")]
    assert weights[0].keys() == weights[1].keys()
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_a_search_continues_after_a_kill_and_after_ctrl_c(searched, tmp_path, writing, capsys):
    process = subprocess.Popen(
        [sys.executable, "-W", "error", SCRIPT, *arguments(tmp_path, *SEARCH, data=writing)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())},
    )
    with process:
        for line in process.stderr:
            assert "Warning" not in line
            if line.startswith("trial 1/4: bits per byte "):
                process.kill()
    assert process.returncode == -signal.SIGKILL
    table = tmp_path / "model.search" / "search.csv"
    assert names_in(tmp_path) == {"data.pkl", "model.search", ".model.lock"}  # which no living process holds
    assert len(trials_in(table)) == 1

    for words, data in (([*SEARCH, "--weight_decay", 0.5], writing), (SEARCH, processed_data(**TEXTS, test=["x"]))):
        assert call(tmp_path, *words, data=data) == 2
        hint = assert_one_error(
            capsys.readouterr().err, f"{tmp_path / 'model.search'} has a search with other settings"
        )
        assert "--overwrite" in hint
    assert len(trials_in(table)) == 1

    def interrupt():
        while len(trials_in(table)) < 2:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    assert call(tmp_path, *SEARCH, data=writing) == 130
    thread.join()
    err = capsys.readouterr().err
    assert f"continuing the search in {tmp_path / 'model.search'}: 1 trials are finished" in err
    assert "2 of 4 trials are finished and kept; to continue: the same once more" in err
    assert names_in(tmp_path) == {"data.pkl", "model.search"}

    assert call(tmp_path, *SEARCH, "--overwrite", data=writing) == 0  # of a model, not of a search like this
    err = capsys.readouterr().err
    assert "2 trials are finished" in err
    assert [line[:9] for line in err.splitlines() if line.startswith("trial ")] == ["trial 3/4", "trial 4/4"]
    assert names_in(tmp_path) == {"data.pkl", "model"}
    found, expected = (trials_in(folder / "model" / "search.csv") for folder in (tmp_path, searched))
    assert without_time(found) == without_time(expected)


def test_the_test_split_has_no_effect(searched, tmp_path):
    """Here it has texts; in `searched` it is empty."""
    data = processed_data(**TEXTS, test=["a red cat", "words that are nowhere else"])
    assert call(tmp_path, *SEARCH, data=data) == 0
    tables = [without_time(trials_in(folder / "model" / "search.csv")) for folder in (searched, tmp_path)]
    assert tables[0] == tables[1]


def test_given_flags_are_not_searched(tmp_path, capsys):
    """A classifier, written as one file."""
    data = labeled_data(ROWS, ["neg", "pos"])
    words = [*CPU, "--search", 2, "--batch_size", 4, "--weight_decay=0.3", "--max_steps", 3, "--lr", 1e-3]
    assert call(tmp_path, *words, data=data, output="mine.pt") == 0
    out, err = capsys.readouterr()
    assert out == f"{tmp_path / 'mine.pt'}\n"
    assert "searching unfreeze_last 1, 16, all\n" in err
    assert "trial 2/2: macro f1 " in err
    assert names_in(tmp_path) == {"data.pkl", "mine.pt", "mine.search.csv", "mine.training.svg"}
    trials = trials_in(tmp_path / "mine.search.csv")
    assert [list(trial) for trial in trials] == [["number", "state", "unfreeze_last", "macro_f1", "seconds"]] * 2
    run = load(str(tmp_path / "mine.pt")).run
    assert run["arguments"].items() >= {"batch_size": 4, "weight_decay": 0.3, "max_steps": 3}.items()
    best = max(float(trial["macro_f1"]) for trial in trials)
    assert run["results"]["validation_macro_f1_after"] == max(best, run["results"]["validation_macro_f1_before"])
    assert run["search"]["best_parameters"].keys() == {"unfreeze_last"}

    (tmp_path / "mine.pt").unlink()
    assert call(tmp_path, *words, data=data, output="mine.pt") == 1
    assert_one_error(capsys.readouterr().err, f"{tmp_path / 'mine.search.csv'} already has the table of a search")


def test_settings_that_cannot_train_and_unreadable_storage(tmp_path, capsys, writing):
    words = [*CPU, "--search", 2, "--lr", 1e30, "--unfreeze_last", "all"]
    assert call(tmp_path, *words, data=writing) == 1
    err = capsys.readouterr().err
    assert_one_error(err, "none of 2 trials could train: the loss became nan")
    assert "trial 2/2: failed, the loss became nan" in err
    trials = trials_in(tmp_path / "model.search" / "search.csv")
    assert [(trial["state"], trial["bits_per_byte"]) for trial in trials] == [("failed", "")] * 2
    assert names_in(tmp_path) == {"data.pkl", "model.search"}

    (tmp_path / "model.search" / "study.db").write_text("no database " * 1000)
    assert call(tmp_path, *words, data=writing) == 1
    hint = assert_one_error(capsys.readouterr().err, "model.search cannot be written or read", "not a database")
    assert "remove" in hint


ALL_GIVEN = ["--lr", 1, "--batch_size", 1, "--epochs", 1, "--weight_decay", 1, "--unfreeze_last", 1]


@pytest.mark.parametrize(
    ("words", "lacking", "code", "problem"),
    [
        (["--search", 2], "validation", 3, "data.pkl has no validation texts, which --search needs"),
        (["--search", 2, *ALL_GIVEN], None, 2, "every flag that it varies is given"),
        (["--search", 0], None, 2, "'0' is not a whole number of at least 1"),
    ],
)
def test_invalid_searches_are_refused(tmp_path, capsys, writing, words, lacking, code, problem):
    empty = Split([], [], [], [], [], [])
    data = replace(writing, splits=writing.splits | ({lacking: empty} if lacking else {}))
    assert call(tmp_path, *words, data=data) == code
    assert_one_error(capsys.readouterr().err, problem)
    assert names_in(tmp_path) == {"data.pkl"}


@pytest.mark.parametrize("name", ["results.txt", "study.db.backup", "my search.csv", ".search.csv.notes"])
def test_other_files_in_the_folder_of_a_search_stay(tmp_path, writing, name):
    (tmp_path / "model.search").mkdir()
    (tmp_path / "model.search" / name).write_text("years of work")
    assert call(tmp_path, "--search", 1, "--overwrite", data=writing) == 0
    assert names_in(tmp_path / "model.search") == {name}


@pytest.mark.parametrize("name", ["study.db", "search.csv", "arguments.json"])
def test_a_search_folder_of_another_program_is_refused(tmp_path, capsys, writing, name):
    (tmp_path / "model.search").mkdir()
    (tmp_path / "model.search" / name).write_text('{"other": "tool"}')
    assert call(tmp_path, "--search", 2, "--overwrite", data=writing) == 1
    assert_one_error(capsys.readouterr().err, f"model.search/{name} is")
    assert names_in(tmp_path / "model.search") == {name}


def test_the_search_space_includes_the_defaults():
    defaults = {"learning_rate": 1e-4, "batch_size": 24, "epochs": 4.0, "weight_decay": 0.01, "unfreeze_last": None}
    assert search_space(defaults, random_model("llama", num_hidden_layers=12)) == {
        "learning_rate": [2e-5, 1e-3],
        "batch_size": [8, 16, 24, 32],
        "epochs": [2, 8],
        "weight_decay": [0.0, 0.01, 0.1],
        "unfreeze_last": [2, 4, 8, "all"],
    }
    assert search_space({"unfreeze_last": 3}, random_model("gpt2", n_layer=6)) == {"unfreeze_last": [1, 2, 3, 4, "all"]}
    assert search_space({"epochs": 1.0}, random_model("gpt2")) == {"epochs": [1, 2]}
