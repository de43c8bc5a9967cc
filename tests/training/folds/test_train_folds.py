"""fine_tune.py --folds: figures that separate trainings have, too, and the model that it would train without."""

import json
import math
import signal
from dataclasses import replace

import pytest
import torch
from running import assert_one_error, run_script
from small_classifiers import base_folder, labeled_data, opinions
from small_models import processed_data

import fine_tune
from classify import classify
from utils.models import checkpoint
from utils.processed import load_processed, save_processed
from utils.training.folds import train_folds
from utils.training.folds.split import fold_of_groups
from utils.training.state.state_files import foreign_states, read_folds, write_folds

FAST = ["--precision", "fp32", "--device", "cpu", "--epochs", 2, "--batch_size", 8, "--seed", 7]
LABELS = ["neg", "pos"]
WORDS = "rain soup monday cat bus coffee"


@pytest.fixture
def data(tmp_path):
    """Two texts in each group, and every eighth label wrong."""
    pairs = [(text, label if number % 8 else "pos") for number, (text, label) in enumerate(opinions(48))]
    made = labeled_data({"train": pairs, "validation": opinions(12, 48)}, LABELS)
    made.splits["train"].group[:] = [f"pair {number // 2}" for number in range(48)]
    save_processed(tmp_path / "data.pkl", made)
    return tmp_path / "data.pkl"


@pytest.fixture
def texts(tmp_path):
    train = [f"{WORDS.split()[number % 6]} and {WORDS.split()[number * 5 % 6]} {number}" for number in range(24)]
    save_processed(tmp_path / "texts.pkl", processed_data(train=train, validation=["rain again", "soup and cat"]))
    return tmp_path / "texts.pkl"


@pytest.fixture
def call(tmp_path, capsys):
    def calling(path, *words, output="model"):
        code = run_script(fine_tune.main, "--data", path, "--output_path", tmp_path / output, *FAST, *words)
        return code, *capsys.readouterr()

    return calling


def run_of(folder) -> dict:
    return json.loads((folder / "run.json").read_text("utf-8"))


def weights(folder) -> dict[str, torch.Tensor]:
    return checkpoint.load(str(folder)).model.state_dict()


def assert_same_weights(first, second) -> None:
    first, second = weights(first), weights(second)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def without_fold(path, fold: int, to):
    """Write the data without a fold of three, and return the texts and labels of that fold."""
    data = load_processed(path)
    train = data.splits["train"]
    fold_of = fold_of_groups(path, train, data.recipe["labels"], 3, seed=7)
    numbers = range(len(train))
    outside = train.take(number for number in numbers if fold_of[train.group[number]] != fold)
    inside = train.take(number for number in numbers if fold_of[train.group[number]] == fold)
    save_processed(to, replace(data, splits={**data.splits, "train": outside}))
    return inside


def test_classifiers_of_folds_are_those_that_are_trained_apart(call, data, tmp_path):
    code, out, err = call(data, "--folds", 3)
    assert code == 0, err
    folds = run_of(tmp_path / "model")["folds"]
    assert [fold["seed"] for fold in folds["each"]] == [8, 9, 10]
    assert sum(fold["texts"] for fold in folds["each"]) == 48
    inside = without_fold(data, 1, tmp_path / "part.pkl")
    assert call(tmp_path / "part.pkl", "--seed", 9, output="apart")[0] == 0
    predicted = classify(inside.prompt, model_path=tmp_path / "apart", device="cpu", precision="fp32")
    right = [each["label"] == label for each, label in zip(predicted, inside.label, strict=True)]
    assert folds["each"][1]["tuned"]["accuracy"] == pytest.approx(sum(right) / len(right))
    assert all(0.5 < fold["tfidf_logistic_regression"]["macro_f1"] <= 1 for fold in folds["each"])
    accuracies = [fold["tuned"]["accuracy"] for fold in folds["each"]]
    mean = sum(accuracies) / 3
    deviation = math.sqrt(sum((each - mean) ** 2 for each in accuracies) / 2)
    assert folds["mean"]["tuned"]["accuracy"] == pytest.approx(mean)
    assert folds["standard_deviation"]["tuned"]["accuracy"] == pytest.approx(deviation)
    *table, path = out.splitlines()
    assert path == str(tmp_path / "model")
    assert table[0].split("  ")[:2] == ["fold", "texts"]
    assert f"{mean:.3f} ± {deviation:.3f}" in table[-1]
    assert f"{mean:.3f} ± {deviation:.3f}" in (tmp_path / "model" / "README.md").read_text("utf-8")


@pytest.mark.parametrize("family", ["gpt2", "bert"])
def test_the_model_is_the_one_without_folds(call, data, tmp_path, family):
    base = base_folder(tmp_path / "base", family)
    code, _, err = call(data, "--folds", 3, "--model", base, "--unfreeze_last", 1)
    assert code == 0, err
    assert err.count("frozen blocks ran once over 60 texts") == 1
    assert call(data, "--model", base, "--unfreeze_last", 1, output="alone")[0] == 0
    assert_same_weights(tmp_path / "model", tmp_path / "alone")


def test_writers_of_folds_have_the_bits_of_those_that_are_trained_apart(call, texts, tmp_path):
    code, out, err = call(texts, "--folds", 3, "--json")
    assert code == 0, err
    result = json.loads(out)
    assert result["output_path"] == str(tmp_path / "model")
    folds = result["folds"]
    assert folds == run_of(tmp_path / "model")["folds"]
    inside = without_fold(texts, 1, tmp_path / "part.pkl")
    assert call(tmp_path / "part.pkl", "--seed", 9, output="apart")[0] == 0
    model = checkpoint.load(str(tmp_path / "apart")).model
    nats = tokens = 0
    for ids in map(torch.tensor, inside.ids):
        ids = ids.long()[None]
        tokens += ids.shape[1] - 1
        nats += model(ids, labels=ids).loss.item() * (ids.shape[1] - 1)
    figures = folds["each"][1]["tuned"]
    assert figures["loss"] == pytest.approx(nats / tokens, rel=1e-5)
    size = sum(len(text.encode()) for text in inside.completion)
    assert figures["bits_per_byte"] == pytest.approx(nats / math.log(2) / size, rel=1e-5)


def test_a_fold_that_is_finished_is_not_trained_again(call, data, tmp_path, monkeypatch):
    assert call(data, "--folds", 3)[0] == 0
    judged, real = [], train_folds.judge

    def interrupted(run, number):
        judged.append(number)
        return signal.raise_signal(signal.SIGINT) if number == 1 else real(run, number)

    with monkeypatch.context() as patch:
        patch.setattr(train_folds, "judge", interrupted)
        code, out, err = call(data, "--folds", 3, output="halves")
    assert (code, out) == (130, "")
    assert "to continue from the last saved state" in err
    assert sorted(path.name for path in (tmp_path / "halves.training").glob("*.json")) == [
        "arguments.json",
        "folds.json",
    ]
    code, _, err = call(data, "--folds", 2, "--resume", output="halves")
    assert code == 2
    assert_one_error(err, "this is not the run that was interrupted")
    code, _, err = call(data, "--folds", 3, "--resume", output="halves")
    assert code == 0, err
    assert judged == [0, 1]
    assert "fold 1 of 3" not in err and "fold 2 of 3" in err and "continuing from" in err
    assert run_of(tmp_path / "halves")["folds"] == run_of(tmp_path / "model")["folds"]
    assert_same_weights(tmp_path / "halves", tmp_path / "model")
    assert not (tmp_path / "halves.training").exists()


NOTED = {"seed": 8, "epochs": 2.0, "texts": 16, "tuned": {"accuracy": 0.75}}


@pytest.mark.parametrize(
    "folds",
    ["abc", 5, [1], [{}], [{**NOTED, "tuned": {"accuracy": "high"}}], [{**NOTED, "texts": math.nan}], [NOTED, NOTED]],
    ids=["text", "number", "numbers", "empty", "text as figure", "not a number", "twice"],
)
def test_figures_of_folds_that_no_run_noted_are_not_taken(tmp_path, folds):
    (tmp_path / "arguments.json").write_text('{"run": "1"}')
    write_folds(tmp_path, [NOTED])
    assert read_folds(tmp_path) == [NOTED]
    write_folds(tmp_path, folds)
    assert read_folds(tmp_path) == []
    assert foreign_states(tmp_path) == [tmp_path / "folds.json"]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["--search", 2], ["--folds", "--search"]),
        (["--model_soup", 2], ["--folds", "--model_soup"]),
        (["--average_runs", 2], ["--folds", "--model_soup"]),
        (["--time_limit", "1h"], ["--folds", "--time_limit"]),
        (["--folds", 1], ["'1' is not a whole number of at least 2"]),
        (["--folds", 50], ["48 training texts in 24 groups, too few for --folds 50"]),
    ],
    ids=str,
)
def test_unsuitable_flags_are_refused_before_any_work(call, data, tmp_path, words, found):
    code, out, err = call(data, "--folds", 3, *words)
    assert (code, out) == (3 if words[-1] == 50 else 2, "")
    assert all(word in err for word in found)
    assert {path.name for path in tmp_path.iterdir()} == {"data.pkl"}


def test_a_fold_that_leaves_too_few_texts_for_the_linear_probe(call, tmp_path):
    pairs = [("bad thing", "neg")] * 6 + [each for each in opinions(40) if each[1] == "pos"]
    save_processed(tmp_path / "data.pkl", labeled_data({"train": pairs, "validation": opinions(4, 40)}, LABELS))
    code, out, err = call(tmp_path / "data.pkl", "--folds", 3)
    assert (code, out) == (3, "")
    assert_one_error(err, "a label has fewer training texts than the 5 that the linear probe needs")
    assert {path.name for path in tmp_path.iterdir()} == {"data.pkl"}
