"""How well texts are classified: decisions, ranking and calibration, with bootstrap intervals."""

from collections.abc import Sequence

import datasets
import evaluate
import numpy as np

from utils.metrics.bootstrap import bootstrap, ratio

BINS = 15


class Classification(evaluate.Metric):
    """Accuracy, precision, recall, F1, ROC-AUC, calibration error, Brier score, log loss and the confusion matrix.

    Precision, recall and F1 are those of scikit-learn with zero_division=0: "precision", "recall" and "f1" are of the
    second of two classes; the "macro_" figures are means over the classes that occur in the truth or in the
    predictions. ROC-AUC is of the second class's probability or, with more than two classes, the mean of one class
    against the rest. The Brier score is the mean squared error of the second class's probability or, with more than two
    classes, of all classes' probabilities, summed over classes.
    The expected calibration error (Guo et al. 2017, https://proceedings.mlr.press/v70/guo17a.html) is the mean distance
    between accuracy and mean probability of the predicted class in 15 bins of equal width, weighted by their texts.
    With few texts, chance alone makes it greater than 0, in a resample even more so: its interval is biased upwards and
    may exclude the value itself.

    Args:
        predictions: the predicted class number of each text; with a threshold, this may not be the most probable class.
        references: the true class number of each text.
        probabilities: (texts, classes), each row adding up to 1.
        seed: seed of the bootstrap over texts.
    Returns:
        {"accuracy", "precision", "recall", "f1", "macro_precision", "macro_recall", "macro_f1", "roc_auc",
        "expected_calibration_error", "brier_score", "log_loss": {"value", "low", "high"},
        "confusion_matrix": rows are true classes, columns are predicted classes, "texts": int}
        "precision", "recall" and "f1" exist for two classes only. "roc_auc" is None if no class has both positive and
        negative texts.
    Raises:
        ValueError: no text, lengths or class numbers that don't match, or a row that does not hold probabilities.
    """

    def _info(self):
        features = datasets.Features(dict.fromkeys(("predictions", "references"), datasets.Value("int64")))
        return evaluate.MetricInfo(description=self.__doc__, citation="", features=features)

    def _compute(self, predictions, references, probabilities, seed: int = 0):
        predictions, references, probabilities = map(np.asarray, (predictions, references, probabilities))
        _check_probabilities(probabilities)
        texts, classes = probabilities.shape
        _check(predictions, references, texts, classes)
        columns = _sums_of_texts(predictions, references, probabilities)

        def figures(counts):
            """Each figure of each draw; `counts` (draws, texts) holds how often each text was drawn."""
            sums = counts @ columns / texts
            return {
                **_decision_figures(_confusion(counts, predictions, references, classes)),
                "roc_auc": _roc_auc(counts, references, probabilities),
                "expected_calibration_error": np.abs(sums[:, :BINS]).sum(axis=1),
                "brier_score": sums[:, BINS],
                "log_loss": sums[:, BINS + 1],
            }

        confusion = _confusion(np.ones((1, texts)), predictions, references, classes)[0].astype(int).tolist()
        return {**bootstrap(figures, texts, seed), "confusion_matrix": confusion, "texts": texts}


def classification_difference(
    references: Sequence[int], tuned: Sequence[int], baseline: Sequence[int], classes: int, seed: int = 0
) -> dict[str, dict[str, float]]:
    """Return accuracy and macro F1 of `tuned` minus those of `baseline`: {"value", "low", "high"} of each.

    All three sequences hold the class numbers, below `classes`, of the same texts. Both models share every resample, so
    the 95 % interval does not depend on how difficult the texts are. ValueError as for the metric.
    """
    references, tuned, baseline = np.array(references), np.array(tuned), np.array(baseline)
    for predictions in (tuned, baseline):
        _check(predictions, references, len(references), classes)

    def differences(counts):
        of_tuned, of_baseline = (
            _decision_figures(_confusion(counts, predictions, references, classes)) for predictions in (tuned, baseline)
        )
        return {name: of_tuned[name] - of_baseline[name] for name in ("accuracy", "macro_f1")}

    return bootstrap(differences, len(references), seed)


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


def _sums_of_texts(predictions: np.ndarray, references: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """What each text adds to each bin's calibration gap, to the Brier score and to the log loss: (texts, BINS + 2).

    A bin includes its upper bound, not its lower one. The gap is accuracy minus mean probability.
    """
    rows = np.arange(len(references))
    confidence = probabilities[rows, predictions]
    gaps = np.zeros((len(rows), BINS))
    bins = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
    gaps[rows, bins] = (predictions == references) - confidence
    errors = probabilities.copy()
    errors[rows, references] -= 1
    brier = errors[:, 1] ** 2 if probabilities.shape[1] == 2 else (errors**2).sum(axis=1)
    log_loss = -np.log(np.maximum(probabilities[rows, references], np.finfo(np.float64).eps))
    return np.column_stack([gaps, brier, log_loss])


def _confusion(counts: np.ndarray, predictions: np.ndarray, references: np.ndarray, classes: int) -> np.ndarray:
    """The confusion matrix of each draw: (draws, true class, predicted class)."""
    cells = references * classes + predictions
    flat = [np.bincount(cells, weights=draw, minlength=classes**2) for draw in counts]
    return np.stack(flat).reshape(-1, classes, classes)


def _decision_figures(confusion: np.ndarray) -> dict[str, np.ndarray]:
    correct = np.diagonal(confusion, axis1=1, axis2=2)
    true, predicted = confusion.sum(axis=2), confusion.sum(axis=1)
    by_class = {
        "precision": ratio(correct, predicted, otherwise=0.0),
        "recall": ratio(correct, true, otherwise=0.0),
        "f1": ratio(2 * correct, true + predicted, otherwise=0.0),
    }
    present = true + predicted > 0
    macro = {f"macro_{name}": (values * present).sum(axis=1) / present.sum(axis=1) for name, values in by_class.items()}
    second = {name: values[:, 1] for name, values in by_class.items()} if confusion.shape[1] == 2 else {}
    return {"accuracy": correct.sum(axis=1) / true.sum(axis=1), **second, **macro}


def _roc_auc(counts: np.ndarray, references: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """ROC-AUC of the second of two classes, or the mean of one class against the rest; NaN if all are undefined."""
    classes = [1] if probabilities.shape[1] == 2 else range(probabilities.shape[1])
    areas = np.stack([_area(counts, references == number, probabilities[:, number]) for number in classes])
    defined = ~np.isnan(areas)
    return ratio(np.where(defined, areas, 0).sum(axis=0), defined.sum(axis=0))


def _area(counts: np.ndarray, positive: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """The share of (positive, negative) pairs in which the positive has the higher score; ties count half."""
    order = np.argsort(scores, kind="stable")
    first_of_ties = np.flatnonzero(np.append(True, np.diff(scores[order]) > 0))
    counts, positive = counts[:, order], positive[order]
    positives = np.add.reduceat(counts * positive, first_of_ties, axis=1)
    negatives = np.add.reduceat(counts * ~positive, first_of_ties, axis=1)
    won = (positives * (np.cumsum(negatives, axis=1) - negatives / 2)).sum(axis=1)
    return ratio(won, positives.sum(axis=1) * negatives.sum(axis=1))
