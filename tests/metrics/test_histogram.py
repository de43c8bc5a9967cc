"""Histograms of several samples over the same bins."""

import random
from itertools import pairwise

import pytest

from utils.metrics.histogram import shared_histogram


def test_lengths_are_counted_in_bins_of_whole_numbers():
    found = shared_histogram({"a": [0, 1, 1, 3], "b": [2]}, least_step=1)
    assert found == {
        "edges": [0, 1, 2, 3, 4],
        "counts": {"a": [1, 2, 0, 1], "b": [0, 0, 1, 0]},
        "above": {"a": 0, "b": 0},
        "median": {"a": 1.0, "b": 2.0},
    }


@pytest.mark.parametrize("scale", [0.003, 1.0, 47.0, 1e6])
def test_every_value_is_counted_once_where_it_lies(scale):
    generator = random.Random(0)
    samples = {name: [generator.expovariate(1 / scale) for _ in range(300)] for name in ("train", "test")}
    found = shared_histogram(samples)
    edges = found["edges"]
    assert 8 <= len(edges) - 1 <= 20
    assert [edges[1] - edges[0]] * (len(edges) - 1) == pytest.approx([b - a for a, b in pairwise(edges)])
    for name, values in samples.items():
        counts = [sum(low <= value < high for value in values) for low, high in pairwise(edges)]
        assert found["counts"][name] == counts
        assert found["above"][name] == len(values) - sum(counts)
    assert sum(found["above"].values()) <= 6


def test_one_long_text_does_not_stretch_the_axis():
    found = shared_histogram({"texts": [*range(20)] * 10 + [10_000]}, least_step=1)
    assert found["edges"][-1] <= 20
    assert found["above"] == {"texts": 1}


def test_equal_values_and_none():
    assert shared_histogram({"a": [7, 7], "b": []}, least_step=1) == {
        "edges": [7, 8], "counts": {"a": [2], "b": [0]}, "above": {"a": 0, "b": 0},
        "median": {"a": 7.0, "b": None},
    }  # fmt: skip
    assert shared_histogram({"a": [], "b": []}) is None
