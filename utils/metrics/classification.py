"""Metrics of classifiers: decisions, ranking and calibration, with intervals."""

from collections.abc import Hashable, Sequence

import datasets
import evaluate
import numpy as np

from utils.metrics.bootstrap import bootstrap, ratio
from utils.metrics.calibration_error import calibration_errors
from utils.metrics.shares import (
    Interval,
    area_interval,
    class_intervals,
    mean_interval,
    share_difference_interval,
    share_interval,
)


class Classification(evaluate.Metric):
    """Accuracy, precision, recall, F1, ROC-AUC, calibration error, Brier score, log loss and the confusion matrix.

    Precision, recall and F1 are those of scikit-learn with zero_division=0: "precision", "recall" and "f1" are of the
    second of two classes; the "macro_" figures are means over the classes that occur in the truth or in the
    predictions. ROC-AUC is of the second class's probability or, with more than two classes, the mean of one class
    against the rest. The Brier score is the mean squared error of the second class's probability or, with more than two
    classes, of all classes' probabilities, summed over classes.
    "calibrated_error" is the calibration error that a perfectly calibrated model would show, see
    `calibration_errors`.

    Args:
        predictions: the predicted class number of each text; with a threshold, this may not be the most probable class.
        references: the true class number of each text.
        probabilities: (texts, classes), each row adding up to 1.
        clusters: the cluster of each text, for texts of one source; without it, every text is its own.
        seed: seed of the bootstrap over clusters.
    Returns:
        {"accuracy", "precision", "recall", "f1", "macro_precision", "macro_recall", "macro_f1", "roc_auc",
        "expected_calibration_error", "calibrated_error", "brier_score", "log_loss": {"value", "low", "high"},
        "confusion_matrix": rows are true classes, columns are predicted classes, "texts": int}
        "precision", "recall" and "f1" exist for two classes only. "roc_auc" is None if no class has both positive and
        negative texts.
    Raises:
        ValueError: no text, lengths or class numbers that don't match, or a row that does not hold probabilities.
    """

    def _info(self):
        features = datasets.Features(dict.fromkeys(("predictions", "references"), datasets.Value("int64")))
        return evaluate.MetricInfo(description=self.__doc__, citation="", features=features)

    def _compute(self, predictions, references, probabilities, clusters=None, seed: int = 0):
        predictions, references, probabilities = map(np.asarray, (predictions, references, probabilities))
        _check_probabilities(probabilities)
        texts, classes = probabilities.shape
        _check(predictions, references, texts, classes)
        log_losses = -np.log(np.maximum(probabilities[np.arange(texts), references], np.finfo(np.float64).eps))

        def log_loss(counts):
            """The log loss of each draw; `counts` (draws, texts) holds how often each text was drawn."""
            return {"log_loss": counts @ log_losses / counts.sum(axis=1)}

        confidence = probabilities[np.arange(texts), predictions]
        confusion = _confusion(np.ones((1, texts)), predictions, references, classes)[0].astype(int).tolist()
        return {
            **_decision_intervals(predictions, references, classes, clusters),
            "roc_auc": _area_interval(references, probabilities, clusters),
            **calibration_errors(predictions == references, confidence, seed, clusters),
            "brier_score": _brier_interval(references, probabilities, clusters),
            **bootstrap(log_loss, texts, seed, clusters),
            "confusion_matrix": confusion,
            "texts": texts,
        }


def classification_difference(
    references: Sequence[int],
    tuned: Sequence[int],
    baseline: Sequence[int],
    classes: int,
    clusters: Sequence[Hashable] | None = None,
    seed: int = 0,
) -> dict[str, dict[str, float]]:
    """Return accuracy and macro F1 of `tuned` minus those of `baseline`: {"value", "low", "high"} of each.

    All three sequences hold the class numbers, below `classes`, of the same texts. The 95% intervals are of pairs, so
    they do not depend on how difficult the texts are. `clusters` and ValueError as for the metric.
    """
    references, tuned, baseline = np.array(references), np.array(tuned), np.array(baseline)
    for predictions in (tuned, baseline):
        _check(predictions, references, len(references), classes)

    def difference(counts):
        of_tuned, of_baseline = (
            _macro_f1(_confusion(counts, predictions, references, classes)) for predictions in (tuned, baseline)
        )
        return {"macro_f1": of_tuned - of_baseline}

    return {
        "accuracy": share_difference_interval(tuned == references, baseline == references, clusters),
        **bootstrap(difference, len(references), seed, clusters),
    }


def class_area(positive: np.ndarray, scores: np.ndarray, clusters: Sequence[Hashable] | None = None) -> Interval | None:
    """Return the ROC-AUC of `scores` for the texts that are `positive`, with its interval; None without either side."""
    if not 0 < positive.sum() < len(positive):
        return None
    return area_interval(_placements(positive, scores), positive, clusters)


def _check_probabilities(probabilities: np.ndarray) -> None:
    if probabilities.ndim != 2 or probabilities.shape[1] < 2:
        raise ValueError(f"probabilities have the shape {probabilities.shape}, expected (texts, two classes or more)")
    valid = (probabilities >= 0).all(axis=1) & (np.abs(probabilities.sum(axis=1) - 1) < 1e-3)
    if not valid.all():
        index = int(np.argmin(valid))
        raise ValueError(f"text {index}: {probabilities[index].tolist()} are not probabilities that add up to 1")


def _check(predictions: np.ndarray, references: np.ndarray, texts: int, classes: int) -> None:
    if texts == 0:
        raise ValueError("no texts to measure")
    for name, numbers in (("predictions", predictions), ("references", references)):
        if len(numbers) != texts:
            raise ValueError(f"{len(numbers)} {name} for {texts} texts")
        if numbers.min() < 0 or numbers.max() >= classes:
            raise ValueError(f"{name} hold a class number outside 0 to {classes - 1}")


def _brier_interval(references: np.ndarray, probabilities: np.ndarray, clusters: Sequence[Hashable] | None) -> Interval:
    errors = probabilities.copy()
    errors[np.arange(len(references)), references] -= 1
    scores = (errors**2).sum(axis=1) / 2  # at most 1; of two classes, both have the same error
    scale = 1 if probabilities.shape[1] == 2 else 2
    return {end: scale * value for end, value in share_interval(scores, clusters).items()}


def _confusion(counts: np.ndarray, predictions: np.ndarray, references: np.ndarray, classes: int) -> np.ndarray:
    """The confusion matrix of each draw: (draws, true class, predicted class)."""
    cells = references * classes + predictions
    flat = [np.bincount(cells, weights=draw, minlength=classes**2) for draw in counts]
    return np.stack(flat).reshape(-1, classes, classes)


def _decision_intervals(
    predictions: np.ndarray, references: np.ndarray, classes: int, clusters: Sequence[Hashable] | None
) -> dict[str, Interval]:
    """Accuracy, and precision, recall and F1 of the second of two classes and as means over classes.

    All are shares of rows: precision of those predicted as the class, recall of those that have it, and F1 is 2 share /
    (1 + share) of those that are either, which turns the ends of the interval too.
    """
    predicted, true = (numbers[:, None] == np.arange(classes) for numbers in (predictions, references))
    both, present = predicted & true, (predicted | true).any(axis=0)
    of_second, means = {}, {}
    for name, counted in (("precision", predicted), ("recall", true), ("f1", predicted | true)):
        intervals = class_intervals(both, counted, clusters)
        weights = counted.astype(np.float64)
        if name == "f1":
            intervals = [{end: 2 * share / (1 + share) for end, share in one.items()} for one in intervals]
            weights = predicted / 2 + true / 2
        values = np.array([interval["value"] for interval in intervals])
        influence = (both - values * weights) / np.maximum(1, weights.sum(axis=0))
        means[f"macro_{name}"] = mean_interval(
            [interval for interval, there in zip(intervals, present, strict=True) if there],
            influence[:, present],
            clusters,
        )
        of_second[name] = intervals[1]
    accuracy = share_interval(predictions == references, clusters)
    return {"accuracy": accuracy, **(of_second if classes == 2 else {}), **means}


def _macro_f1(confusion: np.ndarray) -> np.ndarray:
    sums = confusion.sum(axis=2) + confusion.sum(axis=1)
    by_class = ratio(2 * np.diagonal(confusion, axis1=1, axis2=2), sums, otherwise=0.0)
    return by_class.sum(axis=1) / (sums > 0).sum(axis=1)


def _area_interval(
    references: np.ndarray, probabilities: np.ndarray, clusters: Sequence[Hashable] | None
) -> Interval | None:
    """ROC-AUC of the second of two classes, or the mean of one class against the rest; None if all are undefined."""
    classes = [1] if probabilities.shape[1] == 2 else range(probabilities.shape[1])
    areas = [(references == number, probabilities[:, number]) for number in classes]
    areas = [(positive, scores) for positive, scores in areas if 0 < positive.sum() < len(positive)]
    if not areas:
        return None
    placed = [_placements(positive, scores) for positive, scores in areas]
    intervals = [
        area_interval(placements, positive, clusters) for placements, (positive, _) in zip(placed, areas, strict=True)
    ]
    influence = np.column_stack(
        [
            (placements - interval["value"]) / np.where(positive, positive.sum(), (~positive).sum())
            for placements, interval, (positive, _) in zip(placed, intervals, areas, strict=True)
        ]
    )
    return mean_interval(intervals, influence, clusters)


def _placements(positive: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """The share of texts of the other side that each text is ranked rightly against; ties count half."""
    placements = np.empty(len(scores))
    for side, sign in ((positive, 1), (~positive, -1)):
        others = np.sort(sign * scores[~side])
        below, up_to = (np.searchsorted(others, sign * scores[side], where) for where in ("left", "right"))
        placements[side] = (below + up_to) / 2 / len(others)
    return placements
