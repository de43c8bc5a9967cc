"""ROC and precision-recall curves: points against scikit-learn, bands against a slow bootstrap."""

import numpy as np
import pytest
import sklearn.metrics as reference

from utils.metrics import bootstrap
from utils.metrics.labels.bands import GRID
from utils.metrics.labels.curves import ranking_curves
from utils.metrics.shares import share_interval, wilson_ends


def made_up(texts: int, seed: int = 3, decimals: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """A mask of positive texts, and scores of a fair ranking, with many ties."""
    generator = np.random.default_rng(seed)
    positive = generator.random(texts) < 0.4
    return positive, np.round(generator.normal(positive * 1.0, 1.0), decimals)


def precision_at(positive: np.ndarray, scores: np.ndarray, recall: float) -> float:
    """That of the highest threshold whose recall is at least this one, by scikit-learn's curve."""
    precisions, recalls, _ = reference.precision_recall_curve(positive, scores)
    reached = [(at, each) for each, at in zip(precisions[:-1], recalls[:-1], strict=True) if at >= max(recall, 1e-9)]
    least = min(at for at, _ in reached)
    return [each for at, each in reached if at == least][-1]  # the thresholds are in rising order


@pytest.mark.parametrize("decimals", [0, 1, 6])
def test_the_points_are_those_of_scikit_learn(decimals):
    positive, scores = made_up(60, decimals=decimals)
    found = ranking_curves({"a": (positive, scores)}, seed=1)["a"]
    false, true, _ = reference.roc_curve(positive, scores, drop_intermediate=False)
    upper = np.interp(GRID, false, true)
    for point, at in enumerate(GRID):
        if np.isclose(false, at).any():  # a vertical step, of which its upper end counts
            upper[point] = true[np.isclose(false, at)].max()
    assert found["true_positive_rate"]["value"] == pytest.approx(upper)
    expected = [precision_at(positive, scores, at - 1e-9) for at in GRID]
    assert found["precision"]["value"] == pytest.approx(expected)
    (average,) = found["average_precision"]["value"]
    assert average == pytest.approx(reference.average_precision_score(positive, scores))


def test_the_bands_hold_those_of_a_slow_bootstrap_over_clusters():
    positive, scores = made_up(40)
    clusters = [f"source {number // 2}" for number in range(40)]
    generator = np.random.default_rng(5)
    averages, at_half = [], []
    for _ in range(bootstrap.RESAMPLES):
        drawn = generator.integers(20, size=20)
        rows = np.stack([2 * drawn, 2 * drawn + 1], axis=1).ravel()
        averages.append(reference.average_precision_score(positive[rows], scores[rows]))
        at_half.append(precision_at(positive[rows], scores[rows], 0.5 - 1e-9))
    found = ranking_curves({"a": (positive, scores)}, 5, clusters)["a"]
    sizes = np.bincount(np.arange(40)[positive] // 2)
    alike = sizes.sum() ** 2 / (sizes**2).sum()
    low, high = np.percentile(averages, [2.5, 97.5])
    value, *ends = (found["average_precision"][end][0] for end in ("value", "low", "high"))
    wilson = wilson_ends(value, alike)
    assert ends == pytest.approx([min(low, wilson[0]), max(high, wilson[1])])
    low, high = np.percentile(at_half, [2.5, 97.5])
    assert found["precision"]["low"][50] <= low + 1e-9 < high - 1e-9 <= found["precision"]["high"][50]


def test_several_rankings_of_other_sides_are_independent_of_one_another():
    first, second = made_up(30), made_up(30, seed=8)
    both = ranking_curves({"first": first, "second": second}, 2)
    for name, ranking in (("first", first), ("second", second)):
        alone = ranking_curves({"a": ranking}, 2)["a"]
        for line, ends in alone.items():
            assert {end: points.tolist() for end, points in both[name][line].items()} == {
                end: points.tolist() for end, points in ends.items()
            }


def test_a_perfect_ranking_of_few_texts_is_not_certain():
    positive = np.array([True] * 3 + [False] * 5)
    found = ranking_curves({"a": (positive, positive + 0.0)}, seed=0)["a"]
    assert set(found["true_positive_rate"]["value"]) == set(found["precision"]["value"]) == {1.0}
    least = share_interval([True] * 3)["low"]
    assert found["true_positive_rate"]["low"][0] == pytest.approx(least)
    assert found["true_positive_rate"]["low"][-1] == 1.0
    assert found["average_precision"]["low"][0] == pytest.approx(least)


def test_scores_that_tell_nothing_give_a_diagonal():
    positive = np.array([True, False, False, False])
    found = ranking_curves({"a": (positive, np.zeros(4))}, seed=0)["a"]
    assert found["true_positive_rate"]["value"] == pytest.approx(GRID)
    assert set(found["precision"]["value"]) == {0.25}
    assert np.isfinite([found[line][end] for line in ("true_positive_rate", "precision") for end in found[line]]).all()
