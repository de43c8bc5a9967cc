"""95% intervals of shares that hold for few rows and near 0 and 1, where the bootstrap's are too narrow.

The bootstrap interval of a share of 1.0 of 50 rows is [1, 1], which seldom holds the truth (docs/results.md).
"""

import math
from collections.abc import Hashable, Sequence

import numpy as np

from utils.metrics.bootstrap import cluster_numbers

NORMAL_97_5 = 1.959963984540054
Interval = dict[str, float]  # "value", "low", "high"


def share_interval(outcomes: Sequence[float], clusters: Sequence[Hashable] | None = None) -> Interval | None:
    """Return the mean of outcomes between 0 and 1, such as false and true, with its interval; None without any."""
    outcomes = np.asarray(outcomes, dtype=np.float64)
    return ratio_interval(outcomes, np.ones(len(outcomes)), clusters)


def ratio_interval(
    parts: np.ndarray, wholes: np.ndarray, clusters: Sequence[Hashable] | None = None
) -> Interval | None:
    """Return the sum of parts over the sum of wholes, at least as large each, and Wilson's interval (1927).

    Its number of observations is the one that has the standard error of this ratio. `clusters` has the cluster of each
    row, where rows of one source are right or wrong together. If there is no variation to learn it from, all that
    belongs to one cluster counts as alike (Kish 1965). None if the wholes are 0.
    """
    whole = float(np.sum(wholes))
    if whole == 0:
        return None
    share = float(np.sum(parts)) / whole
    observations = _observations(share * (1 - share), parts - share * wholes, wholes, clusters)
    return _wilson(share, observations)


def share_difference_interval(
    first: Sequence[bool], second: Sequence[bool], clusters: Sequence[Hashable] | None = None
) -> Interval:
    """Return the share of true outcomes in `first` minus that in `second`, of the same rows, with its interval.

    The interval is that of A. Agresti & Y. Min ("Simple improved confidence intervals for comparing matched
    proportions", 2005): half a row is added to each of the four combinations of outcomes. `clusters` as above.
    """
    if len(first) != len(second):
        raise ValueError(f"{len(first)} outcomes and {len(second)} to compare them with")
    gains = np.asarray(first, dtype=np.float64) - np.asarray(second, dtype=np.float64)
    rows = _observations(gains.var(), gains - gains.mean(), np.ones(len(gains)), clusters)
    better, worse = (rows * (gains == sign).mean() for sign in (1, -1))
    middle = (better - worse) / (rows + 2)
    error = NORMAL_97_5 * math.sqrt(better + worse + 1 - (better - worse) ** 2 / (rows + 2)) / (rows + 2)
    value = float(gains.mean())
    return {"value": value, "low": max(-1.0, min(value, middle - error)), "high": min(1.0, max(value, middle + error))}


def area_interval(placements: np.ndarray, positive: np.ndarray, clusters: Sequence[Hashable] | None = None) -> Interval:
    """Return the area under the ROC curve and Wilson's interval with the standard error of E. DeLong et al. (1988).

    `placements` has, for each text, the share of texts of the other side (`positive` or not) that it is ranked rightly
    against. Where none is ranked wrongly (or all), the smaller side is the number of observations. Equal scores rank
    nothing: their area is 0.5 for sure.
    """
    sides = np.where(positive, positive.sum(), (~positive).sum())
    area = float(placements[positive].mean())
    sums = np.bincount(cluster_numbers(clusters, len(placements)), (placements - area) / sides)
    squares = float(sums @ sums)
    if squares > 1e-12:
        return _wilson(area, area * (1 - area) / squares)
    return _wilson(area, float(sides.min())) if area in (0, 1) else dict.fromkeys(("value", "low", "high"), area)


def class_intervals(
    correct: np.ndarray, counted: np.ndarray, clusters: Sequence[Hashable] | None = None
) -> list[Interval]:
    """Return the share of `counted` rows that are `correct` of each class: both (rows, classes); 0 without any."""
    intervals = []
    for right, rows in zip(correct.T, counted.T, strict=True):
        of_rows = None if clusters is None else [cluster for cluster, row in zip(clusters, rows, strict=True) if row]
        intervals.append(share_interval(right[rows], of_rows) or {"value": 0.0, "low": 0.0, "high": 0.0})
    return intervals


def mean_interval(
    intervals: Sequence[Interval], influence: np.ndarray, clusters: Sequence[Hashable] | None = None
) -> Interval:
    """Return the mean of figures and its interval, from theirs and from what each row adds to each: (rows, figures).

    The distances from values to ends add up as standard errors do, with the correlations of the figures (the method of
    variance estimates recovery, G. Zou & A. Donner 2008). Where one of two does not vary, they are taken to be alike.
    """
    numbers = cluster_numbers(clusters, len(influence))
    sums = np.zeros((int(numbers.max()) + 1, influence.shape[1]))
    np.add.at(sums, numbers, influence)
    covariance = sums.T @ sums
    deviations = np.sqrt(np.diag(covariance))
    products = np.outer(deviations, deviations)
    correlation = np.divide(covariance, products, out=np.ones_like(products), where=products > 1e-18)
    value, low, high = (np.array([interval[end] for interval in intervals]) for end in ("value", "low", "high"))
    below, above = (
        math.sqrt(max(0.0, distance @ correlation @ distance)) / len(value) for distance in (value - low, high - value)
    )
    mean = float(value.mean())
    return {"value": mean, "low": max(0.0, mean - below), "high": min(1.0, mean + above)}


def wilson_ends(share: np.ndarray, observations: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the ends of Wilson's interval of each share of so many independent observations, which need not be whole.

    Without an observation, they are 0 and 1.
    """
    observations = np.maximum(observations, 1e-12)
    middle = (share + NORMAL_97_5**2 / (2 * observations)) / (1 + NORMAL_97_5**2 / observations)
    error = NORMAL_97_5 * np.sqrt(share * (1 - share) / observations + (NORMAL_97_5 / (2 * observations)) ** 2)
    error /= 1 + NORMAL_97_5**2 / observations
    # At shares of 0 and 1 the share itself is an end; rounding must not exclude it.
    return np.clip(np.minimum(share, middle - error), 0, 1), np.clip(np.maximum(share, middle + error), 0, 1)


def _wilson(share: float, observations: float) -> Interval:
    low, high = wilson_ends(np.float64(share), np.float64(observations))
    return {"value": share, "low": float(low), "high": float(high)}


def _observations(
    variance: float, residuals: np.ndarray, wholes: np.ndarray, clusters: Sequence[Hashable] | None
) -> float:
    """Return the number of independent observations of this variance with the same standard error as the residuals."""
    numbers = cluster_numbers(clusters, len(residuals))
    sums, sizes = np.bincount(numbers, residuals), np.bincount(numbers, wholes)
    squares = float(sums @ sums)
    if squares < 1e-12 or variance < 1e-12:
        return float(sizes.sum() ** 2 / (sizes @ sizes))
    if 1 < len(sums) < len(residuals):
        squares *= len(sums) / (len(sums) - 1)
    return variance * float(sizes.sum()) ** 2 / squares
