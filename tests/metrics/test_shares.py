"""Intervals of shares: against scipy and plain draws of whole clusters, and that they hold the truth at the ends."""

import random
import statistics

import numpy as np
import pytest
from scipy.stats import binomtest

from utils.metrics.shares import area_interval, mean_interval, ratio_interval, share_difference_interval, share_interval


@pytest.mark.parametrize(("right", "rows"), [(0, 50), (1, 50), (33, 50), (50, 50), (3, 4), (985, 1000)])
def test_independent_rows_have_wilsons_interval(right, rows):
    expected = binomtest(right, rows).proportion_ci(method="wilson")
    found = share_interval([True] * right + [False] * (rows - right))
    assert list(found.values()) == pytest.approx([right / rows, *expected], abs=1e-12)
    assert found["low"] <= found["value"] <= found["high"]


def plain_interval(values: list[float], clusters: list) -> tuple[float, float]:
    """Draws of whole clusters, with Python's own random numbers."""
    rows = {name: [value for value, one in zip(values, clusters, strict=True) if one == name] for name in clusters}
    names, drawn = sorted(rows), []
    generator = random.Random(5)
    for _ in range(2000):
        sample = [value for name in generator.choices(names, k=len(names)) for value in rows[name]]
        drawn.append(statistics.fmean(sample))
    cuts = statistics.quantiles(drawn, n=40)
    return cuts[0], cuts[-1]


def test_the_interval_is_over_clusters():
    generator = random.Random(3)
    clusters = [number % 40 for number in range(400)]
    luck = {name: generator.random() for name in sorted(set(clusters))}
    outcomes = [generator.random() < luck[name] for name in clusters]
    found = share_interval(outcomes, clusters)
    assert found["value"] == pytest.approx(sum(outcomes) / 400)
    ends = plain_interval([float(one) for one in outcomes], clusters)
    assert (found["low"], found["high"]) == pytest.approx(ends, abs=0.015)
    independent = share_interval(outcomes)
    assert independent["high"] - independent["low"] < 0.8 * (found["high"] - found["low"])


def test_rows_that_are_all_alike_count_as_their_clusters():
    clusters = [number // 5 for number in range(50)]
    assert share_interval([True] * 50, clusters) == share_interval([True] * 10)
    assert share_interval([True] * 50, [0] * 50) == share_interval([True] * 50)  # one cluster tells nothing


def test_parts_of_wholes():
    """Repetitions of answers: what belongs to one answer is alike, so a loop in one of 20 is little evidence."""
    wholes = np.full(20, 30.0)
    parts = np.zeros(20)
    none = ratio_interval(parts, wholes)
    assert (none["value"], none["low"]) == (0.0, 0.0)
    assert none["high"] == pytest.approx(binomtest(0, 20).proportion_ci(method="wilson").high)
    parts[3] = 30.0
    assert ratio_interval(parts, wholes) == pytest.approx(share_interval([True] + [False] * 19))
    assert ratio_interval(np.zeros(3), np.zeros(3)) is None
    assert share_interval([]) is None


def test_a_paired_difference():
    ours, theirs = [True, True, False, True] * 50, [True, False, False, False] * 50
    found = share_difference_interval(ours, theirs)
    assert found["value"] == pytest.approx(0.5)
    gains = [float(a) - b for a, b in zip(ours, theirs, strict=True)]
    assert (found["low"], found["high"]) == pytest.approx(plain_interval(gains, list(range(200))), abs=0.015)
    # By hand (Agresti & Min 2005): of 50 pairs 5 against 2, with half a pair added to each of four cells.
    found = share_difference_interval([True] * 5 + [False] * 45, [False] * 48 + [True] * 2)
    middle, error = 3 / 52, 1.959964 / 52 * (8 - 9 / 52) ** 0.5
    assert list(found.values()) == pytest.approx([0.06, middle - error, middle + error], abs=1e-6)
    # Equal on all rows is no proof that they are equal on all others.
    found = share_difference_interval(ours, ours)
    assert found["low"] == pytest.approx(-found["high"])
    assert 0 < found["high"] < 0.02
    with pytest.raises(ValueError, match="1 outcomes and 0"):
        share_difference_interval([True], [])


def test_the_mean_of_independent_and_of_equal_figures():
    interval = {"value": 0.5, "low": 0.3, "high": 0.8}
    influence = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    independent = mean_interval([interval, interval], influence)
    assert list(independent.values()) == pytest.approx([0.5, 0.5 - 0.2 / 2**0.5, 0.5 + 0.3 / 2**0.5])
    equal = mean_interval([interval, interval], influence[:, [0, 0]])
    assert equal == pytest.approx(interval)


def test_an_area_of_one_is_no_certainty():
    positive = np.array([True] * 12 + [False] * 30)
    found = area_interval(np.ones(42), positive)
    assert found["high"] == 1.0
    assert found["low"] == pytest.approx(binomtest(12, 12).proportion_ci(method="wilson").low)
