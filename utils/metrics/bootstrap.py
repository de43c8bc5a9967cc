"""Percentile bootstrap: 95% intervals of figures, from rows (or clusters of rows) drawn with replacement."""

from collections.abc import Callable, Hashable, Iterator, Sequence

import numpy as np

RESAMPLES = 1000
PERCENTILES = (2.5, 97.5)
CELLS_AT_ONCE = 1_000_000  # a block of draws × rows in float64 takes 8 MB
Figures = Callable[[np.ndarray], dict[str, np.ndarray]]
Intervals = dict[str, dict[str, float] | None]  # of each figure "value", "low", "high"
Lines = dict[str, dict[str, np.ndarray]]  # of each line "value", "low", "high", each with a number for every point


def bootstrap(figures: Figures, rows: int, seed: int, clusters: Sequence[Hashable] | None = None) -> Intervals:
    """Return figures of `rows` rows with their 95% percentile intervals (Efron & Tibshirani 1993).

    `figures` takes how often each draw holds each row (draws, rows), and returns one value per draw for each figure,
    NaN where it is undefined. A figure that is undefined for the rows themselves becomes None; resamples in which it is
    undefined are left out of its interval. `clusters` has the cluster of each row, where rows of one source depend on
    each other: whole clusters are drawn then (Field & Welsh 2007).
    """
    numbers = cluster_numbers(clusters, rows)
    blocks = [figures(counts[:, numbers]) for counts in resampled_counts(int(numbers.max()) + 1, seed)]
    intervals = {}
    for name, (value,) in figures(np.ones((1, rows))).items():
        resampled = np.concatenate([block[name] for block in blocks])
        low, high = _ends(resampled, value)
        interval = {"value": float(value), "low": float(low), "high": float(high)}
        intervals[name] = None if np.isnan(value) else interval
    return intervals


def bootstrap_lines(figures: Figures, rows: int, seed: int, clusters: Sequence[Hashable] | None = None) -> Lines:
    """Return lines of `rows` rows with their pointwise 95% bands, from the draws that `bootstrap` makes.

    `figures` returns (draws, points) for each line. A point that is undefined for the rows themselves is NaN.
    """
    numbers = cluster_numbers(clusters, rows)
    blocks = [figures(counts[:, numbers]) for counts in resampled_counts(int(numbers.max()) + 1, seed)]
    lines = {}
    for name, (value,) in figures(np.ones((1, rows))).items():
        resampled = np.concatenate([block[name] for block in blocks])
        ends = [_ends(draws, point) for draws, point in zip(resampled.T, value, strict=True)]
        low, high = np.array(ends).T
        lines[name] = {"value": value, "low": low, "high": high}
    return lines


def bootstrap_totals(
    figures: Figures, columns: np.ndarray, seed: int, clusters: Sequence[Hashable] | None = None
) -> Intervals:
    """Do the same for `figures` that take the sums of the drawn rows of `columns`: (draws, columns)."""
    numbers = cluster_numbers(clusters, len(columns))
    sums = np.zeros((int(numbers.max()) + 1, columns.shape[1]))
    np.add.at(sums, numbers, columns)
    return bootstrap(lambda counts: figures(counts @ sums), len(sums), seed)


def cluster_numbers(clusters: Sequence[Hashable] | None, rows: int) -> np.ndarray:
    """Return the number of each row's cluster, in order of appearance; without `clusters`, every row is its own.

    So it is where all rows are in one cluster, which says nothing about how clusters differ.
    """
    if clusters is not None and len(clusters) != rows:
        raise ValueError(f"{len(clusters)} clusters of {rows} rows")
    if clusters is None or len(set(clusters)) < 2:
        return np.arange(rows)
    numbers = {cluster: number for number, cluster in enumerate(dict.fromkeys(clusters))}
    return np.array([numbers[cluster] for cluster in clusters])


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


def _ends(resampled: np.ndarray, value: float) -> np.ndarray:
    """The ends of a figure's interval: the value itself where no resample defines it, NaN where nothing does."""
    defined = np.full(1, np.nan) if np.isnan(value) else resampled[~np.isnan(resampled)]
    return np.percentile(defined if len(defined) else value, PERCENTILES)
