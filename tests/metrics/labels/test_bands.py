"""Bands of lines: numbers of independent texts against their definition, and ends that are never narrower."""

import numpy as np
import pytest

from utils.metrics.labels.bands import cumulative, independent, mean_line, widened, widened_f1
from utils.metrics.shares import share_interval


def test_texts_without_clusters_are_independent():
    assert independent(np.arange(4)).tolist() == [0, 1, 2, 3, 4]


def test_texts_of_one_cluster_count_as_one():
    """Kish: the square of the sum of the clusters' sizes over the sum of their squares, of every beginning."""
    numbers = np.array([2, 0, 2, 2, 1, 0])
    for first, found in enumerate(independent(numbers)):
        sizes = np.unique(numbers[:first], return_counts=True)[1]
        assert found == pytest.approx(sizes.sum() ** 2 / (sizes**2).sum() if first else 0)


def test_a_share_that_no_resample_changes_has_wilsons_interval():
    line = {end: np.array([1.0, 0.5]) for end in ("value", "low", "high")}
    found = widened(line, np.array([12, 4]))
    for point, outcomes in enumerate(([True] * 12, [True, True, False, False])):
        expected = share_interval(outcomes)
        assert {end: found[end][point] for end in found} == pytest.approx(expected)


def test_a_wider_band_stays():
    line = {"value": np.array([0.5]), "low": np.array([0.01]), "high": np.array([0.99])}
    assert widened(line, np.array([1000])) == line
    assert widened_f1(line, np.array([1000])) == line


def test_f1_is_wilsons_of_those_that_are_either():
    """6 of 8 that have the class or are predicted to: F1 is 2 × 6 / (6 + 8)."""
    value = np.array([12 / 14])
    found = widened_f1({"value": value, "low": value, "high": value}, np.array([8]))
    expected = share_interval([True] * 6 + [False] * 2)
    assert found["low"][0] == pytest.approx(2 * expected["low"] / (1 + expected["low"]))
    assert found["high"][0] == pytest.approx(2 * expected["high"] / (1 + expected["high"]))


def test_a_mean_is_as_wide_as_its_parts_are_on_average():
    parts = [
        {"value": np.array([0.9]), "low": np.array([0.7]), "high": np.array([1.0])},
        {"value": np.array([0.5]), "low": np.array([0.1]), "high": np.array([0.7])},
    ]
    narrow = {"value": np.array([0.7]), "low": np.array([0.65]), "high": np.array([0.9])}
    assert mean_line(narrow, parts) == {"value": 0.7, "low": pytest.approx(0.4), "high": pytest.approx(0.9)}


def test_sums_of_every_beginning():
    assert cumulative(np.array([[1.0, 2.0, 3.0]])).tolist() == [[0, 1, 3, 6]]
