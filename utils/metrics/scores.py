"""Errors of predicted scores: MAE, RMSE and Spearman's rank correlation, with 95% intervals."""

from collections.abc import Hashable, Sequence

import numpy as np

from utils.metrics.bootstrap import Intervals, bootstrap

PARTS = 10  # of the given scores, at most


def score_figures(references: np.ndarray, predictions: np.ndarray) -> dict[str, float]:
    """Return the mean absolute error, the root of the mean squared error and Spearman's ρ of scores (texts,).

    ρ is NaN where all references or all predictions are the same.
    """
    from scipy.stats import rankdata

    errors = predictions - references
    return {
        "mae": float(np.abs(errors).mean()),
        "rmse": float(np.sqrt((errors**2).mean())),
        "spearman": _correlation(rankdata(references), rankdata(predictions)),
    }


def score_intervals(
    references: np.ndarray, predictions: np.ndarray, clusters: Sequence[Hashable] | None, seed: int
) -> Intervals:
    """Return the figures of `score_figures` with their percentile bootstrap intervals; ρ is None where undefined."""
    return bootstrap(lambda counts: _drawn(references, predictions, counts), len(references), seed, clusters)


def score_differences(
    references: np.ndarray,
    predictions: np.ndarray,
    others: np.ndarray,
    clusters: Sequence[Hashable] | None,
    seed: int,
) -> Intervals:
    """Return MAE and RMSE of predictions minus those of others on the same texts: below 0 where they are better."""

    def differences(counts: np.ndarray) -> dict[str, np.ndarray]:
        first, second = (_errors(references, some, counts) for some in (predictions, others))
        return {name: first[name] - second[name] for name in first}

    return bootstrap(differences, len(references), seed, clusters)


def _errors(references: np.ndarray, predictions: np.ndarray, counts: np.ndarray) -> dict[str, np.ndarray]:
    errors = predictions - references
    rows = counts.sum(axis=1)
    return {"mae": counts @ np.abs(errors) / rows, "rmse": np.sqrt(counts @ errors**2 / rows)}


def _drawn(references: np.ndarray, predictions: np.ndarray, counts: np.ndarray) -> dict[str, np.ndarray]:
    orders = [np.unique(scores, return_inverse=True)[1] for scores in (references, predictions)]
    correlations = [_weighted_correlation(*(_weighted_ranks(order, draw) for order in orders), draw) for draw in counts]
    return {**_errors(references, predictions, counts), "spearman": np.array(correlations)}


def _weighted_ranks(order: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the mean rank of each row where each is there `weights` times; `order` numbers the different values."""
    of_value = np.bincount(order, weights)
    return (np.cumsum(of_value) - of_value + (of_value + 1) / 2)[order]


def _weighted_correlation(first: np.ndarray, second: np.ndarray, weights: np.ndarray) -> float:
    first, second = (ranks - np.average(ranks, weights=weights) for ranks in (first, second))
    deviations = np.sqrt((weights @ first**2) * (weights @ second**2))
    return float(weights @ (first * second) / deviations) if deviations > 0 else float("nan")


def _correlation(first: np.ndarray, second: np.ndarray) -> float:
    return _weighted_correlation(first, second, np.ones(len(first)))


def scores_by_part(
    references: np.ndarray, predictions: dict[str, np.ndarray], clusters: Sequence[Hashable] | None, seed: int
) -> list[dict]:
    """Return the mean prediction of the texts of each score, or of up to ten ranges of equal size of many scores.

    Each is {"lowest", "highest", "texts", "score": the mean of the given ones, and for each model of `predictions` its
    mean prediction with an interval}.
    """
    parts = _parts(references)
    found = []
    for part in np.unique(parts):
        chosen = np.flatnonzero(parts == part)
        scores = references[chosen]
        of_part = None if clusters is None else [clusters[row] for row in chosen]
        found.append(
            {
                "lowest": float(scores.min()),
                "highest": float(scores.max()),
                "texts": len(chosen),
                "score": float(scores.mean()),
                **{name: _mean_interval(some[chosen], of_part, seed) for name, some in predictions.items()},
            }
        )
    return found


def _parts(scores: np.ndarray) -> np.ndarray:
    values, numbers = np.unique(scores, return_inverse=True)
    if len(values) <= PARTS:
        return numbers
    edges = np.unique(np.quantile(scores, np.arange(1, PARTS) / PARTS))
    return np.searchsorted(edges, scores, side="right")


def _mean_interval(values: np.ndarray, clusters: Sequence[Hashable] | None, seed: int) -> dict[str, float]:
    means = bootstrap(lambda counts: {"mean": counts @ values / counts.sum(axis=1)}, len(values), seed, clusters)
    return means["mean"]
