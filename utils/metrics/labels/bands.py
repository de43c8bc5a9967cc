"""Confidence bands of shares that hold even where no resample differs: the wider of bootstrap and Wilson (1927).

K. Boyd et al. ("Area under the precision-recall curve: point estimates and confidence intervals", 2013) show how much
too narrow the bootstrap's are with few texts.
"""

import numpy as np

from utils.metrics.shares import wilson_ends

GRID = np.arange(101) / 100  # of the lines' points
Line = dict[str, np.ndarray]  # "value", "low", "high", each with a number for every point


def independent(numbers: np.ndarray) -> np.ndarray:
    """Return how many independent texts the first 0, 1, 2, … texts are, given the number of each one's cluster.

    All that belongs to one cluster counts as alike (Kish 1965).
    """
    order = np.argsort(numbers, kind="stable")
    first = np.flatnonzero(np.diff(numbers[order], prepend=-1))
    earlier = np.empty(len(numbers), dtype=np.int64)  # texts of the same cluster before each text
    earlier[order] = np.arange(len(numbers)) - np.repeat(first, np.diff(first, append=len(numbers)))
    squares = np.concatenate([[0], np.cumsum(2 * earlier + 1)])  # the sum of the squared sizes of clusters
    return np.arange(len(numbers) + 1) ** 2 / np.maximum(1, squares)


def widened(line: Line, observations: np.ndarray) -> Line:
    """Return the line of shares with a band that is nowhere narrower than Wilson's of so many observations."""
    low, high = wilson_ends(line["value"], np.asarray(observations, dtype=np.float64))
    return {"value": line["value"], "low": np.minimum(line["low"], low), "high": np.maximum(line["high"], high)}


def widened_f1(line: Line, observations: np.ndarray) -> Line:
    """Do the same for F1, which is 2 share / (1 + share) of the texts that have the class or are predicted to."""
    share = line["value"] / (2 - line["value"])
    low, high = (2 * end / (1 + end) for end in wilson_ends(share, np.asarray(observations, dtype=np.float64)))
    return {"value": line["value"], "low": np.minimum(line["low"], low), "high": np.maximum(line["high"], high)}


def mean_line(line: Line, parts: list[Line]) -> Line:
    """Return a line that is a mean of `parts` with a band that is nowhere narrower than theirs are on average."""
    below, above = (sum(abs(part["value"] - part[end]) for part in parts) / len(parts) for end in ("low", "high"))
    low, high = np.minimum(line["low"], line["value"] - below), np.maximum(line["high"], line["value"] + above)
    return {"value": line["value"], "low": np.clip(low, 0, 1), "high": np.clip(high, 0, 1)}


def cumulative(parts: np.ndarray) -> np.ndarray:
    """Return the sums of the first 0, 1, 2, … of the parts: (draws, parts + 1)."""
    sums = np.zeros((len(parts), parts.shape[1] + 1))
    np.cumsum(parts, axis=1, out=sums[:, 1:])
    return sums
