"""Every point that the report of a classifier draws: curves, calibration, thresholds, classes and lengths of texts."""

from collections.abc import Hashable, Sequence

import numpy as np
from scipy.special import softmax

from utils.metrics.calibration_error import calibration_bins, calibration_errors
from utils.metrics.classification import class_area
from utils.metrics.labels.bands import GRID, Line
from utils.metrics.labels.by_class import class_scores
from utils.metrics.labels.by_length import accuracy_by_length
from utils.metrics.labels.curves import ranking_curves
from utils.metrics.labels.thresholds import threshold_lines

MOST_CURVES = 5  # classes, of more than two
DECIMALS = 4  # of points


def classifier_points(
    references: np.ndarray,
    models: dict[str, tuple[np.ndarray, np.ndarray]],
    labels: Sequence[str],
    *,
    lengths: Sequence[int],
    temperature: float,
    clusters: Sequence[Hashable],
    seed: int,
) -> dict:
    """Return the points, as plain JSON values; docs/evaluate_model.md describes them.

    `models` has the predictions and probabilities of each, the evaluated one first under "tuned". `lengths` are the
    tokens of each text. The probabilities of "tuned" come from logits that were divided by the `temperature`.
    """
    predictions, probabilities = models["tuned"]
    right = predictions == references
    return {
        "curves": _curves(references, {name: each[1] for name, each in models.items()}, labels, clusters, seed),
        "calibration": _calibration(right, predictions, probabilities, temperature, clusters, seed),
        "thresholds": _thresholds(references, probabilities, clusters, seed) if len(labels) == 2 else None,
        "classes": {
            name: [
                {"label": label, **scores}
                for label, scores in zip(labels, class_scores(*each[:1], references, each[1], clusters), strict=True)
            ]
            for name, each in models.items()
        },
        "lengths": accuracy_by_length(right, lengths, clusters),
    }


def _curves(
    references: np.ndarray, probabilities: dict[str, np.ndarray], labels: Sequence[str], clusters, seed: int
) -> list[dict]:
    """The curves of the second of two classes, or of each of the most frequent ones against the rest."""
    counts = np.bincount(references, minlength=len(labels))
    drawn = [1] if len(labels) == 2 else sorted(np.argsort(-counts, kind="stable")[:MOST_CURVES].tolist())
    drawn = [number for number in drawn if 0 < counts[number] < len(references)]
    rankings = {
        (number, name): (references == number, each[:, number])
        for number in drawn
        for name, each in probabilities.items()
    }
    lines = ranking_curves(rankings, seed, clusters) if rankings else {}
    return [
        {
            "label": labels[number],
            "texts": int(counts[number]),
            "others": int(len(references) - counts[number]),
            "false_positive_rate": _points(GRID),
            "recall": _points(GRID),
            "models": {
                name: {
                    "roc_auc": class_area(*rankings[number, name], clusters),
                    "average_precision": {
                        end: float(point) for end, (point,) in lines[number, name]["average_precision"].items()
                    },
                    "true_positive_rate": _line(lines[number, name]["true_positive_rate"]),
                    "precision": _line(lines[number, name]["precision"]),
                }
                for name in probabilities
            },
        }
        for number in drawn
    ]


def _calibration(
    right: np.ndarray, predictions: np.ndarray, probabilities: np.ndarray, temperature: float, clusters, seed: int
) -> dict:
    """The bins of the predictions' probabilities, and of those before the temperature, which decide alike."""
    stages = {"after": probabilities}
    if temperature != 1:
        logarithms = np.log(np.maximum(probabilities, np.finfo(np.float64).tiny))
        stages = {"before": softmax(temperature * logarithms, axis=1), **stages}
    found = {"before": None}
    for stage, each in stages.items():
        confidence = each[np.arange(len(right)), predictions]
        error = calibration_errors(right, confidence, seed, clusters)["expected_calibration_error"]
        found[stage] = {"expected_calibration_error": error, "bins": calibration_bins(right, confidence, clusters)}
    return found


def _thresholds(references: np.ndarray, probabilities: np.ndarray, clusters, seed: int) -> dict:
    """Figures at each threshold, and how many texts it gives the second label, in all and rightly ("found")."""
    scores = probabilities[:, 1]
    lines = threshold_lines(references == 1, scores, seed, clusters)
    return {
        "threshold": _points(GRID),
        "predicted": [int((scores >= threshold).sum()) for threshold in GRID],
        "found": [int((scores[references == 1] >= threshold).sum()) for threshold in GRID],
        **{name: _line(line) for name, line in lines.items()},
    }


def _line(line: Line) -> dict[str, list[float | None]]:
    return {end: _points(points) for end, points in line.items()}


def _points(points: np.ndarray) -> list[float | None]:
    return [None if np.isnan(point) else round(float(point), DECIMALS) for point in points]
