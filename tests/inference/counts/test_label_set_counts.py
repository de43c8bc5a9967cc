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
    assert counts.unknown_labels == {}
    assert counts.scores()["subset_accuracy"] == counts.scores()["micro_f1"] == 1.0
    assert [each["rows"] for each in counts.scores()["per_label"].values()] == [2, 2]


def test_labels_of_others_are_named():
    counts = LabelSetCounts(["1", "food"])
    counts.add(PREDICTIONS, ["1;2", '["food", "staff"]', "", "nan"])
    assert counts.unknown_labels == {"2": 1, "staff": 1}
    assert counts.scores()["rows"] == 2
