"""Percentile bootstrap: 95 % intervals of figures, from rows drawn with replacement."""

from collections.abc import Callable, Iterator

import numpy as np

RESAMPLES = 1000
PERCENTILES = (2.5, 97.5)
CELLS_AT_ONCE = 1_000_000  # a block of draws × rows in float64 takes 8 MB
Figures = Callable[[np.ndarray], dict[str, np.ndarray]]
Intervals = dict[str, dict[str, float] | None]  # of each figure "value", "low", "high"


def bootstrap(figures: Figures, rows: int, seed: int) -> Intervals:
    """Return figures of `rows` rows with their 95 % percentile intervals (Efron & Tibshirani 1993).

    `figures` takes how often each draw holds each row (draws, rows), and returns one value per draw for each figure,
    NaN where it is undefined. A figure that is undefined for the rows themselves becomes None; resamples in which it is
    undefined are left out of its interval.
    """
    blocks = [figures(counts) for counts in resampled_counts(rows, seed)]
    intervals = {}
    for name, (value,) in figures(np.ones((1, rows))).items():
        resampled = np.concatenate([block[name] for block in blocks])
        defined = resampled[~np.isnan(resampled)]
        low, high = np.percentile(defined if len(defined) else value, PERCENTILES)
        interval = {"value": float(value), "low": float(low), "high": float(high)}
        intervals[name] = None if np.isnan(value) else interval
    return intervals


def bootstrap_totals(figures: Figures, columns: np.ndarray, seed: int) -> Intervals:
    """Do the same for `figures` that take the sums of the drawn rows of `columns`: (draws, columns)."""
    return bootstrap(lambda counts: figures(counts @ columns), len(columns), seed)


def resampled_counts(rows: int, seed: int) -> Iterator[np.ndarray]:
    """Yield how often each of `RESAMPLES` draws with replacement holds each row, in blocks (draws, rows)."""
    generator = np.random.default_rng(seed)
    size = max(1, CELLS_AT_ONCE // rows)
    for first in range(0, RESAMPLES, size):
        draws = range(first, min(first + size, RESAMPLES))
        counts = [np.bincount(generator.integers(rows, size=rows), minlength=rows) for _ in draws]
        yield np.stack(counts).astype(np.float64)


def ratio(parts: np.ndarray, wholes: np.ndarray, otherwise: float = np.nan) -> np.ndarray:
    """Return parts / wholes, and `otherwise` where the divisor is 0."""
    return np.divide(parts, wholes, out=np.full(np.shape(parts), otherwise), where=wholes > 0)
