"""MAE, RMSE and Spearman's ρ against scikit-learn and SciPy, for the rows themselves and for draws of them."""

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import mean_absolute_error, root_mean_squared_error

from utils.metrics.bootstrap import resampled_counts
from utils.metrics.scores import score_differences, score_figures, score_intervals, scores_by_part

GENERATOR = np.random.default_rng(1)
SCORES = GENERATOR.integers(1, 6, 80).astype(float)
PREDICTIONS = np.round(SCORES + GENERATOR.normal(0, 1, 80), 1)


def expected(rows) -> dict[str, float]:
    references, predictions = SCORES[rows], PREDICTIONS[rows]
    return {
        "mae": mean_absolute_error(references, predictions),
        "rmse": root_mean_squared_error(references, predictions),
        "spearman": spearmanr(references, predictions).statistic,
    }


def test_figures_are_those_of_other_libraries():
    assert score_figures(SCORES, PREDICTIONS) == pytest.approx(expected(np.arange(80)))


@pytest.mark.parametrize("clusters", [None, [f"source {row // 4}" for row in range(80)]])
def test_intervals_are_percentiles_of_the_figures_of_drawn_rows(clusters):
    size = 80 if clusters is None else 20
    draws = np.concatenate(list(resampled_counts(size, seed=3))).astype(int)
    repeated = [np.repeat(np.arange(80), draw if clusters is None else np.repeat(draw, 4)) for draw in draws]
    figures = [expected(rows) for rows in repeated]
    found = score_intervals(SCORES, PREDICTIONS, clusters, seed=3)
    for name, value in expected(np.arange(80)).items():
        low, high = np.percentile([each[name] for each in figures], [2.5, 97.5])
        assert found[name] == pytest.approx({"value": value, "low": low, "high": high})


def test_equal_predictions_have_no_rank_correlation():
    found = score_intervals(SCORES, np.full(80, 3.0), None, seed=0)
    assert found["spearman"] is None
    assert found["mae"]["value"] == pytest.approx(np.abs(SCORES - 3).mean())


def test_a_difference_is_below_zero_where_the_first_errs_less():
    found = score_differences(SCORES, PREDICTIONS, np.full(80, 9.0), None, seed=0)
    assert found["mae"]["value"] == pytest.approx(expected(np.arange(80))["mae"] - np.abs(SCORES - 9).mean())
    assert found["mae"]["high"] < 0
    assert found["rmse"]["high"] < 0


def test_few_scores_are_parts_of_their_own_and_many_are_ranges():
    stars = scores_by_part(SCORES, {"tuned": PREDICTIONS}, None, seed=0)
    assert [(part["lowest"], part["highest"]) for part in stars] == [(star, star) for star in (1, 2, 3, 4, 5)]
    assert [part["texts"] for part in stars] == [int((star == SCORES).sum()) for star in (1, 2, 3, 4, 5)]
    assert [part["tuned"]["value"] for part in stars] == pytest.approx(
        [PREDICTIONS[star == SCORES].mean() for star in (1, 2, 3, 4, 5)]
    )
    ranges = scores_by_part(np.arange(100.0), {"tuned": np.arange(100.0)}, None, seed=0)
    assert [part["texts"] for part in ranges] == [10] * 10
    assert [part["score"] for part in ranges] == [part["tuned"]["value"] for part in ranges]
