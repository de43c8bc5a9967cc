"""Accuracy of short and long texts."""

import numpy as np

from utils.metrics.labels.by_length import accuracy_by_length
from utils.metrics.shares import share_interval


def test_the_bins_hold_equally_many_texts():
    lengths = np.random.default_rng(0).permutation(np.arange(1, 101))
    found = accuracy_by_length(lengths <= 20, lengths)
    assert [(bin["shortest"], bin["longest"]) for bin in found] == [(1, 20), (21, 40), (41, 60), (61, 80), (81, 100)]
    assert [bin["accuracy"]["value"] for bin in found] == [1.0, 0.0, 0.0, 0.0, 0.0]
    assert found[0]["accuracy"] == share_interval([True] * 20)


def test_texts_of_equal_length_stay_together():
    lengths = [5] * 70 + [9] * 30
    found = accuracy_by_length(np.ones(100, dtype=bool), lengths)
    assert [(bin["shortest"], bin["longest"], bin["texts"]) for bin in found] == [(5, 5, 70), (9, 9, 30)]


def test_few_texts_are_one_bin():
    found = accuracy_by_length(np.array([True, False, True]), [3, 900, 7], ["a", "a", "b"])
    assert found == [
        {"shortest": 3, "longest": 900, "texts": 3, "accuracy": share_interval([True, False, True], ["a", "a", "b"])}
    ]
