"""Scores at each threshold for the probability of the second of two classes, with pointwise 95% bands."""

from collections.abc import Hashable, Sequence

import numpy as np

from utils.metrics.bootstrap import bootstrap_lines, cluster_numbers, ratio
from utils.metrics.labels.bands import GRID, Line, cumulative, independent, mean_line, widened, widened_f1


def threshold_lines(
    positive: np.ndarray, scores: np.ndarray, seed: int, clusters: Sequence[Hashable] | None = None
) -> dict[str, Line]:
    """Return the figures of predicting the second class where `scores` reach each threshold of `GRID`.

    "precision" (NaN where it is never predicted), "recall" (NaN where no text has it), "f1", "macro_f1" (as in
    `Classification`) and "predicted_share".
    """
    order = np.argsort(-scores, kind="stable")
    positive = positive[order]
    cuts = np.searchsorted(-scores[order], -GRID, side="right")  # the texts that reach each threshold

    def figures(counts: np.ndarray) -> dict[str, np.ndarray]:
        return _figures(counts[:, order], positive, cuts)

    lines = bootstrap_lines(figures, len(scores), seed, clusters)
    numbers = cluster_numbers(clusters, len(scores))[order]
    texts, positives, others = (independent(part)[-1] for part in (numbers, numbers[positive], numbers[~positive]))
    predicted, rest = independent(numbers)[cuts], independent(numbers[::-1])[len(numbers) - cuts]
    f1 = widened_f1(lines["f1"], np.maximum(positives, predicted))
    f1_of_first = widened_f1(lines["f1_of_first"], np.maximum(others, rest))
    return {
        "precision": widened(lines["precision"], predicted),
        "recall": widened(lines["recall"], positives),
        "f1": f1,
        "macro_f1": mean_line(lines["macro_f1"], [f1_of_first, f1]),
        "predicted_share": widened(lines["predicted_share"], texts),
    }


def _figures(weights: np.ndarray, positive: np.ndarray, cuts: np.ndarray) -> dict[str, np.ndarray]:
    """The figures of each draw; `weights` (draws, texts) says how often it holds each text, the highest score first."""
    predicted, found = (cumulative(part)[:, cuts] for part in (weights, weights * positive))
    texts, positives = weights.sum(axis=1)[:, None], (weights @ positive)[:, None]
    positives = np.broadcast_to(positives, found.shape)
    rest, others = texts - predicted, texts - positives
    of_second, of_first = predicted + positives, rest + others
    f1 = ratio(2 * found, of_second, otherwise=0.0)
    f1_of_first = ratio(2 * (rest - positives + found), of_first, otherwise=0.0)
    return {
        "precision": ratio(found, predicted),
        "recall": ratio(found, positives),
        "f1": f1,
        "f1_of_first": f1_of_first,
        "macro_f1": (f1 + f1_of_first) / ((of_second > 0).astype(float) + (of_first > 0)),
        "predicted_share": predicted / texts,
    }
