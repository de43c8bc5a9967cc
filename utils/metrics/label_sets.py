"""Predicted sets of labels against the given ones: macro and micro F1 and subset accuracy, with 95% intervals.

Labels and predictions are (texts, labels), true where a text has the label.
"""

from collections.abc import Hashable, Sequence

import numpy as np

from utils.metrics.bootstrap import Intervals, bootstrap_totals, ratio
from utils.metrics.shares import class_intervals, share_interval


def label_set_intervals(
    labels: np.ndarray, predictions: np.ndarray, clusters: Sequence[Hashable] | None, seed: int
) -> Intervals:
    """Return macro F1 (the mean over labels, 0 for one that is neither there nor predicted) and micro F1 (of all labels
    of all texts together), with percentile bootstrap intervals, and the share of texts whose labels are all right.
    """
    figures = bootstrap_totals(_f1, _columns(labels, predictions), seed, clusters)
    return {**figures, "subset_accuracy": share_interval((labels == predictions).all(axis=1), clusters)}


def label_set_differences(
    labels: np.ndarray,
    predictions: np.ndarray,
    others: np.ndarray,
    clusters: Sequence[Hashable] | None,
    seed: int,
) -> Intervals:
    """Return macro and micro F1 of predictions minus those of others on the same texts, with their intervals."""
    columns = [_columns(labels, some) for some in (predictions, others)]

    def differences(sums: np.ndarray) -> dict[str, np.ndarray]:
        first, second = (_f1(part) for part in np.split(sums, 2, axis=1))
        return {name: first[name] - second[name] for name in first}

    return bootstrap_totals(differences, np.concatenate(columns, axis=1), seed, clusters)


def scores_by_label(
    labels: np.ndarray, predictions: np.ndarray, clusters: Sequence[Hashable] | None
) -> list[dict[str, dict | int]]:
    """Return {"texts", "precision", "recall", "f1"} of each label, with the intervals of shares."""
    both, either = labels & predictions, labels | predictions
    precision, recall, shared = (class_intervals(both, counted, clusters) for counted in (predictions, labels, either))
    f1 = [{end: 2 * share / (1 + share) for end, share in one.items()} for one in shared]
    return [
        {"texts": int(count), "precision": first, "recall": second, "f1": third}
        for count, first, second, third in zip(labels.sum(axis=0), precision, recall, f1, strict=True)
    ]


def _columns(labels: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    """Return the terms of F1 for each text: its right labels, and its given and predicted ones together."""
    return np.concatenate([labels & predictions, labels.astype(float) + predictions], axis=1)


def _f1(sums: np.ndarray) -> dict[str, np.ndarray]:
    both, counted = np.split(sums, 2, axis=1)
    return {
        "macro_f1": ratio(2 * both, counted, otherwise=0.0).mean(axis=1),
        "micro_f1": ratio(2 * both.sum(axis=1), counted.sum(axis=1), otherwise=0.0),
    }
