"""Histograms of several samples over the same bins."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

BINS = 20  # at most
HIGHEST = 99  # percentile: the few values above are counted, but would stretch the axis


def shared_histogram(samples: Mapping[str, Sequence[float]], least_step: float = 0.0) -> dict | None:
    """Return how often the values of each sample lie in the same bins, at most 20; None without any value.

    {"edges": those of the bins, at multiples of 1, 2 or 5 times a power of ten and at least `least_step` apart (1 for
    whole numbers), "counts": {sample: how many are in each bin, its lower edge included and its upper one not},
    "above": {sample: how many are at the last edge or above}, "median": {sample: its median, None without any}}. The
    last edge is above 99% of all values.
    """
    values = np.concatenate([np.asarray(sample, dtype=np.float64) for sample in samples.values()])
    if not len(values):
        return None
    low, high = float(values.min()), float(np.percentile(values, HIGHEST, method="higher"))
    step = max(_step((high - low) / (BINS - 1)), least_step)  # one more bin, since edges are multiples
    first, last = math.floor(low / step), math.floor(high / step) + 1
    edges = [round(number * step, 10) for number in range(first, last + 1)]
    counts, above = {}, {}
    for name, sample in samples.items():
        bins = np.searchsorted(edges, np.asarray(sample, dtype=np.float64), side="right") - 1
        counted = np.bincount(bins, minlength=len(edges)).tolist()
        counts[name], above[name] = counted[:-1], counted[-1]
    median = {name: float(np.median(sample)) if len(sample) else None for name, sample in samples.items()}
    return {"edges": edges, "counts": counts, "above": above, "median": median}


def _step(least: float) -> float:
    """Return the least of 1, 2 and 5 times a power of ten that is `least` or more; 1 for 0."""
    if least <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(least))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least * (1 - 1e-9))
