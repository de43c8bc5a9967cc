"""ROC and precision-recall curves of rankings: points on a grid, with pointwise 95% bands."""

from collections.abc import Hashable, Sequence

import numpy as np

from utils.metrics.bootstrap import bootstrap_lines, cluster_numbers, ratio
from utils.metrics.labels.bands import GRID, Line, cumulative, independent, widened

ROUNDING = 1e-9


def ranking_curves(
    rankings: dict[str, tuple[np.ndarray, np.ndarray]], seed: int, clusters: Sequence[Hashable] | None = None
) -> dict[str, dict[str, Line]]:
    """Return the curves of named rankings (positive, scores) of the same texts, all from one bootstrap.

    Each has "true_positive_rate" at the false positive rates of `GRID`, "precision" at its recalls, and the one point
    "average_precision", as scikit-learn defines them: of texts with equal scores all are found or none; between two
    points the ROC curve is straight, and a recall has the precision of the first threshold that reaches it. In each
    ranking, some texts must be positive and some not.
    """
    sorted_texts = {name: _sort(positive, scores) for name, (positive, scores) in rankings.items()}
    texts = len(next(iter(rankings.values()))[0])

    def figures(counts: np.ndarray) -> dict[str, np.ndarray]:
        found = {name: _lines(counts, *ranking) for name, ranking in sorted_texts.items()}
        return {(name, line): points for name, lines in found.items() for line, points in lines.items()}

    lines = bootstrap_lines(figures, texts, seed, clusters)
    numbers = cluster_numbers(clusters, texts)
    curves = {}
    for name, (order, positive, ends) in sorted_texts.items():
        positives = independent(numbers[order][positive])[-1]
        predicted = independent(numbers[order])[ends[_reached(np.cumsum(positive)[ends - 1])]]
        observations = {"true_positive_rate": positives, "precision": predicted, "average_precision": positives}
        curves[name] = {line: widened(lines[name, line], rows) for line, rows in observations.items()}
        for end in ("low", "high"):
            curves[name]["true_positive_rate"][end][-1] = 1.0  # where all are found, whatever the ranking
    return curves


def _sort(positive: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (the texts, highest score first, which of them are positive, how many reach each score that there is)."""
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.diff(scores[order], append=-np.inf)) + 1
    return order, positive[order], ends


def _lines(counts: np.ndarray, order: np.ndarray, positive: np.ndarray, ends: np.ndarray) -> dict[str, np.ndarray]:
    """The lines of each draw; `counts` (draws, texts) holds how often each text was drawn. NaN without either side."""
    weights = counts[:, order]
    places = np.concatenate([[0], ends])
    found, wrong = (cumulative(weights * side)[:, places] for side in (positive, ~positive))
    recall, false = (ratio(sums, np.broadcast_to(sums[:, -1:], sums.shape)) for sums in (found, wrong))
    precision = ratio(found[:, 1:], found[:, 1:] + wrong[:, 1:], otherwise=0.0)
    reached = np.stack([_reached(sums) for sums in found[:, 1:]])
    at_recalls = np.take_along_axis(precision, reached, axis=1)
    at_recalls[np.isnan(recall[:, -1])] = np.nan
    return {
        "true_positive_rate": np.stack([_upper(*draw) for draw in zip(false, recall, strict=True)]),
        "precision": at_recalls,
        "average_precision": (precision * np.diff(recall, axis=1)).sum(axis=1, keepdims=True),
    }


def _reached(found: np.ndarray) -> np.ndarray:
    """The first of ever lower thresholds that reaches each recall; `found` positive texts reach the thresholds."""
    needed = np.maximum(GRID * found[-1] - ROUNDING, ROUNDING)  # at a recall of 0, at least one text
    return np.minimum(np.searchsorted(found, needed), len(found) - 1)


def _upper(false: np.ndarray, true: np.ndarray) -> np.ndarray:
    """The highest point of a ROC curve at each false positive rate of `GRID`."""
    if np.isnan(false[-1]) or np.isnan(true[-1]):
        return np.full(len(GRID), np.nan)
    last = np.searchsorted(false, GRID + ROUNDING, side="right") - 1
    after = np.minimum(last + 1, len(false) - 1)
    steps = false[after] - false[last]
    share = np.divide(GRID - false[last], steps, out=np.zeros(len(GRID)), where=steps > 0)
    return true[last] + np.clip(share, 0, 1) * (true[after] - true[last])
