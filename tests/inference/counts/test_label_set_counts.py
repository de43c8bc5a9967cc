"""True labels beside predicted ones are read as preprocess.py reads them."""

import pytest

from utils.inference.counts.label_set_counts import LabelSetCounts

PREDICTIONS = [("1", "food"), ("food",), (), ("1",)]


@pytest.mark.parametrize(
    "cells",
    [
        ["1;food", "food", ";", "1"],
        [" FOOD ;; 1.0", "food;nan", ";;", "01"],
        ['[1, "food"]', '["food"]', "[]", "[1.0]"],
        ["['1', 'food']", "['food']", "[]", "['1']"],
    ],
    ids=["text", "other spellings", "JSON", "Python"],
)
def test_labels_in_any_form_are_those_of_the_model(cells):
    counts = LabelSetCounts(["1", "food"])
    counts.add(PREDICTIONS, cells)
    assert counts.unknown.count == 0
    assert counts.scores()["subset_accuracy"] == counts.scores()["micro_f1"] == 1.0
    assert [each["rows"] for each in counts.scores()["per_label"].values()] == [2, 2]


def test_labels_of_others_are_named():
    counts = LabelSetCounts(["1", "food"])
    counts.add(PREDICTIONS, ["1;2", '["food", "staff"]', "", "nan"])
    assert (counts.unknown.count, counts.unknown.first) == (2, ["2", "staff"])
    assert counts.scores()["rows"] == 2


def test_one_label_of_others(caplog):
    counts = LabelSetCounts(["food"])
    counts.add([("food",)], ["food;parking"])
    counts.log_labels(counts.scores(), "topics")
    problem = "1 label is not one of the model's ('parking'; it has 'food')"
    assert f"warning: column 'topics': {problem}, left out of the scores" in caplog.text


def test_of_many_labels_of_others_a_few_are_kept(caplog):
    counts = LabelSetCounts(["food"])
    counts.add([("food",)] * 1000, [f"food;topic {number}" for number in range(1000)])
    assert counts.unknown.count == counts.scores()["unknown_labels"] == 1000
    assert len(counts.unknown.first) == 6
    counts.log_labels(counts.scores(), "topics")
    listed = ", ".join(f"'topic {number}'" for number in range(5))
    assert f"1,000 labels are not the model's ({listed}, …; it has 'food'), left out" in caplog.text
