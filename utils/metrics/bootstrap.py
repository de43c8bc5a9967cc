"""Percentile bootstrap: 95 % intervals of figures, from rows drawn with replacement."""

from collections.abc import Callable, Iterator, Mapping

import numpy as np

RESAMPLES = 1000
PERCENTILES = (2.5, 97.5)
CELLS_AT_ONCE = 1_000_000  # a block of draws × rows in float64 takes 8 MB


def bootstrap_totals(
    figures: Callable[[np.ndarray], dict[str, np.ndarray]], columns: np.ndarray, seed: int
) -> dict[str, dict[str, float] | None]:
    """Return the figures that `figures` computes from column totals, with intervals over the rows of `columns`.

    `figures` takes totals (draws, columns) and returns one value per draw for each figure, NaN where it is undefined.
    See `with_intervals` for the result.
    """
    values = figures(columns.sum(axis=0, keepdims=True))
    return with_intervals({name: value for name, (value,) in values.items()}, figures(resampled_totals(columns, seed)))


def resampled_totals(columns: np.ndarray, seed: int) -> np.ndarray:
    """Return the column sums of `RESAMPLES` draws of all rows: (rows, columns) → (RESAMPLES, columns)."""
    return np.stack([draw @ columns for counts in resampled_counts(len(columns), seed) for draw in counts])


def resampled_counts(rows: int, seed: int) -> Iterator[np.ndarray]:
    """Yield how often each of `RESAMPLES` draws with replacement holds each row, in blocks (draws, rows)."""
    generator = np.random.default_rng(seed)
    size = max(1, CELLS_AT_ONCE // rows)
    for first in range(0, RESAMPLES, size):
        draws = range(first, min(first + size, RESAMPLES))
        counts = [np.bincount(generator.integers(rows, size=rows), minlength=rows) for _ in draws]
        yield np.stack(counts).astype(np.float64)


def with_intervals(
    values: Mapping[str, float], resampled: Mapping[str, np.ndarray]
) -> dict[str, dict[str, float] | None]:
    """Return {"value", "low", "high"} of each figure, from its value and its values in the resamples.

    A figure whose value is NaN becomes None. A resample in which a figure is NaN is left out of its interval.
    """
    figures = {}
    for name, value in values.items():
        figures[name] = None
        if not np.isnan(value):
            defined = resampled[name][~np.isnan(resampled[name])]
            low, high = np.percentile(defined if len(defined) else value, PERCENTILES)
            figures[name] = {"value": float(value), "low": float(low), "high": float(high)}
    return figures


def ratio(parts: np.ndarray, wholes: np.ndarray, otherwise: float = np.nan) -> np.ndarray:
    """Return parts / wholes, and `otherwise` where the divisor is 0."""
    return np.divide(parts, wholes, out=np.full(np.shape(parts), otherwise), where=wholes > 0)
