"""The expected calibration error, with an interval that allows for chance, and that of a perfectly calibrated model."""

from collections.abc import Hashable, Sequence

import numpy as np

from utils.metrics import bootstrap
from utils.metrics.shares import share_interval

BINS = 15
CHANCE_PERCENTILE = 95.0


def calibration_errors(
    right: np.ndarray, confidence: np.ndarray, seed: int, clusters: Sequence[Hashable] | None = None
) -> dict[str, dict[str, float]]:
    """Return "expected_calibration_error" and "calibrated_error": {"value", "low", "high"} of each.

    `right` says which predictions are right, `confidence` has their probabilities. The expected calibration error (Guo
    et al. 2017, https://proceedings.mlr.press/v70/guo17a.html) is the mean distance between the share of right
    predictions and their mean probability in 15 bins of equal width, weighted by their texts. Chance alone makes it
    greater than 0, and greater still in a resample. So its interval is the basic one, 2 × value − ends of the
    percentile interval, and begins at 0 where a perfectly calibrated model would reach the value in 1 of 20 splits.
    That model is the second figure: the mean, and 95% of the values, over labels redrawn from the probabilities.
    """
    of_bin = _bins(confidence)[:, None] == np.arange(BINS)
    gaps = (right - confidence)[:, None] * of_bin

    def error(counts: np.ndarray) -> dict[str, np.ndarray]:
        return {"error": np.abs(counts @ gaps).sum(axis=1) / counts.sum(axis=1)}

    resampled = bootstrap.bootstrap(error, len(gaps), seed, clusters)["error"]
    value = resampled["value"]
    chance = _errors_of_redrawn_labels(confidence, of_bin, seed)
    low, high = 2 * value - resampled["high"], 2 * value - resampled["low"]
    if value < np.percentile(chance, CHANCE_PERCENTILE):
        low = 0.0
    ends = np.percentile(chance, bootstrap.PERCENTILES)
    return {
        # The basic interval may end below the value, which would only puzzle readers.
        "expected_calibration_error": {"value": value, "low": max(0.0, min(low, value)), "high": max(high, value)},
        "calibrated_error": dict(zip(("value", "low", "high"), map(float, (chance.mean(), *ends)), strict=True)),
    }


def calibration_bins(
    right: np.ndarray, confidence: np.ndarray, clusters: Sequence[Hashable] | None = None
) -> list[dict]:
    """Return the bins of the expected calibration error that hold texts, from the lowest.

    Each is {"from", "to", "texts", "mean_confidence", "right": {"value", "low", "high"}}: the share of its predictions
    that are right, with Wilson's interval.
    """
    bins = _bins(confidence)
    found = []
    for number in np.unique(bins):
        rows = np.flatnonzero(bins == number)
        found.append(
            {
                "from": number / BINS,
                "to": (number + 1) / BINS,
                "texts": len(rows),
                "mean_confidence": float(confidence[rows].mean()),
                "right": share_interval(right[rows], None if clusters is None else [clusters[row] for row in rows]),
            }
        )
    return found


def _bins(confidence: np.ndarray) -> np.ndarray:
    """The number of each text's bin, which includes its upper bound and not its lower one."""
    return np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)


def _errors_of_redrawn_labels(confidence: np.ndarray, of_bin: np.ndarray, seed: int) -> np.ndarray:
    """The calibration error of each of `RESAMPLES` draws in which every prediction is right with its probability."""
    generator = np.random.default_rng(seed)
    size = max(1, bootstrap.CELLS_AT_ONCE // len(confidence))
    errors = []
    for first in range(0, bootstrap.RESAMPLES, size):
        draws = min(size, bootstrap.RESAMPLES - first)
        right = generator.random((draws, len(confidence))) < confidence
        errors.append(np.abs((right - confidence) @ of_bin.astype(np.float64)).sum(axis=1) / len(confidence))
    return np.concatenate(errors)
