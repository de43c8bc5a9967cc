"""Accuracy by length of text."""

from collections.abc import Hashable, Sequence

import numpy as np

from utils.metrics.shares import share_interval

MOST_BINS = 5
TEXTS_OF_BIN = 20  # at least, on average


def accuracy_by_length(
    right: np.ndarray, lengths: Sequence[int], clusters: Sequence[Hashable] | None = None
) -> list[dict]:
    """Return {"shortest", "longest", "texts", "accuracy": {"value", "low", "high"}} of texts in bins by their length.

    The bins, from the shortest texts on, hold about equally many texts; texts of equal length are in the same one.
    """
    lengths = np.asarray(lengths)
    bins = max(1, min(MOST_BINS, len(lengths) // TEXTS_OF_BIN))
    limits = np.quantile(lengths, np.arange(1, bins) / bins, method="inverted_cdf")
    of_bin = np.searchsorted(limits, lengths, side="left")  # a limit is the greatest length of its bin
    found = []
    for number in np.unique(of_bin):
        rows = np.flatnonzero(of_bin == number)
        found.append(
            {
                "shortest": int(lengths[rows].min()),
                "longest": int(lengths[rows].max()),
                "texts": len(rows),
                "accuracy": share_interval(right[rows], None if clusters is None else [clusters[row] for row in rows]),
            }
        )
    return found
