"""fine_tune.py --label_errors: the texts that it names, its output and record, and refusals."""

import csv
import json
import signal

import pytest
from running import assert_one_error, run_script
from small_classifiers import labeled_data, opinions

import fine_tune
from utils.processed import save_processed
from utils.training.steps import saving

LABELS = ["neg", "pos"]
EXCHANGED = (8, 21, 40)
FAST = ["--precision", "fp32", "--device", "cpu", "--max_steps", 1]


@pytest.fixture
def call(tmp_path, capsys):
    def calling(*words, train=None):
        pairs = train or opinions(120)
        if train is None:
            for row in EXCHANGED:
                text, label = pairs[row]
                pairs[row] = (text, "pos" if label == "neg" else "neg")
        rows = {"train": pairs, "validation": opinions(12, 120), "test": opinions(12, 132)}
        save_processed(tmp_path / "data.pkl", labeled_data(rows, LABELS))
        places = ["--data", tmp_path / "data.pkl", "--output_path", tmp_path / "model"]
        code = run_script(fine_tune.main, *places, *FAST, "--label_errors", tmp_path / "errors.csv", *words)
        return code, *capsys.readouterr()

    return calling


def test_labels_that_were_exchanged_are_named_with_their_rows(call, tmp_path):
    code, out, err = call()
    assert code == 0, err
    with (tmp_path / "errors.csv").open(newline="") as file:
        found = list(csv.DictReader(file))
    assert list(found[0]) == ["text", "label", "suggested_label", "confidence", "row"]
    assert {int(each["row"]) for each in found} >= set(EXCHANGED)
    pairs = opinions(120)
    for each in found:
        assert each["text"] == pairs[int(each["row"])][0]
        assert {each["label"], each["suggested_label"]} == set(LABELS)
        assert 0.5 <= float(each["confidence"]) <= 1
    path = tmp_path / "errors.csv"
    assert out == f"{len(found)} of 120 training labels are probably wrong: {path}\n{tmp_path / 'model'}\n"
    run = json.loads((tmp_path / "model" / "run.json").read_text())
    assert run["label_errors"] == {"path": str(path), "found": len(found), "texts": 120}
    assert run["data"]["rows"]["train"] == 120
    assert "may be right" not in err


def test_a_probe_that_knows_nothing_of_the_labels_accuses_none_without_a_warning(call):
    words = ["red", "green", "old", "new", "small", "large"]
    texts = [f"a {words[row % 6]} thing of {words[row // 6]} wood, {row}" for row in range(24)]
    labels = [1, 0, 0, 1, 0, 1, 1, 0, 1, 1, 0, 0, 1, 0, 1, 0, 0, 1, 1, 0, 1, 0, 0, 1]  # drawn by a coin
    code, _, err = call(train=[(text, LABELS[label]) for text, label in zip(texts, labels, strict=True)])
    assert code == 0, err
    assert "of 24 texts, and the most frequent label for 12: the labels that it calls wrong may be right" in err


@pytest.mark.parametrize("flag", ["--oversample", "--augment"])
def test_copies_in_other_folds_are_refused(call, tmp_path, flag):
    code, out, err = call(flag)
    assert (code, out) == (2, "")
    assert_one_error(err, f"{flag} copies it into others")
    assert not (tmp_path / "errors.csv").exists()


def test_a_class_whose_texts_are_in_fewer_groups_than_folds(call, tmp_path):
    data = labeled_data({"train": opinions(40), "validation": opinions(4, 40)}, LABELS)
    split = data.splits["train"]
    split.group[:] = ["one" if label == "pos" else group for label, group in zip(split.label, split.group, strict=True)]
    save_processed(tmp_path / "grouped.pkl", data)
    code, out, err = call("--data", tmp_path / "grouped.pkl")
    assert (code, out) == (1, "")
    assert_one_error(err, "--label_errors needs a linear probe", "in as many groups")


def test_a_class_with_fewer_texts_than_folds(call, tmp_path):
    code, out, err = call(train=[*[each for each in opinions(60) if each[1] == "pos"], ("bad", "neg")])
    assert (code, out) == (1, "")
    assert_one_error(err, "--label_errors needs a linear probe")
    assert not (tmp_path / "errors.csv").exists()


def test_the_data_is_not_replaced(call, tmp_path):
    code, _, err = call("--label_errors", tmp_path / "data.pkl")
    assert code == 2
    assert_one_error(err, "would replace")


def test_the_record_is_that_of_an_uninterrupted_run(call, tmp_path, monkeypatch):
    assert call("--max_steps", 4, "--save_steps", 2)[0] == 0
    path = tmp_path / "model" / "run.json"
    whole = json.loads(path.read_text())["label_errors"]
    steps = ["--max_steps", 4, "--save_steps", 2, "--overwrite"]
    with monkeypatch.context() as patch:
        patch.setattr(saving, "build_run_record", lambda *_: signal.raise_signal(signal.SIGINT))
        assert call(*steps)[0] == 130
    code, out, err = call("--resume", "--json", *steps)
    assert code == 0, err
    assert json.loads(out)["label_errors"] == json.loads(path.read_text())["label_errors"] == whole
