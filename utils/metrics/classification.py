"""How well texts are classified: decisions, ranking and calibration, with bootstrap intervals."""

from collections.abc import Iterator, Sequence

import datasets
import evaluate
import numpy as np

RESAMPLES = 1000
PERCENTILES = (2.5, 97.5)
BINS = 15
CELLS_AT_ONCE = 1_000_000  # a block of resamples × texts float64 takes 8 MB
_DESCRIPTION = f"""\
Accuracy, precision, recall, F1, ROC-AUC, expected calibration error, Brier score, log loss and the confusion matrix.

Precision, recall and F1 as scikit-learn has them with zero_division=0: "precision", "recall" and "f1" are of the second
of two classes; the "macro_" ones are means over the classes that the truth or the predictions hold. ROC-AUC is of the
second class's probability or, with more than two classes, the mean of every class against the rest.
The expected calibration error (Guo et al. 2017) has their {BINS} bins of equal width over the probability of the
predicted class: the mean distance between accuracy and mean probability in a bin, weighted by its texts. Equal width,
since it is what others report, and since the bins stay the same in every resample. Chance alone makes this error larger
than 0 where texts are few, in a resample more so: its interval leans upwards and may leave out the value itself.
The Brier score and the log loss, which have no bins, have no such bias."""
_CITATION = """\
@inproceedings{guo-etal-2017-calibration,
  title = {On Calibration of Modern Neural Networks},
  author = {Guo, Chuan and Pleiss, Geoff and Sun, Yu and Weinberger, Kilian Q.},
  booktitle = {Proceedings of ICML}, year = {2017}, url = {https://proceedings.mlr.press/v70/guo17a.html}
}"""
_INPUTS = """
Args:
    predictions: the number of the class that each text was given; a threshold may choose another than the likeliest.
    references: the number of its true class.
    probabilities: (texts, classes), each row adding up to 1.
    seed: of the bootstrap.
Returns:
    {"accuracy", "precision", "recall", "f1", "macro_precision", "macro_recall", "macro_f1", "roc_auc",
    "expected_calibration_error", "brier_score", "log_loss": {"value", "low", "high"},
    "confusion_matrix": rows of the truth, columns of predictions, "texts": int}
    "precision", "recall" and "f1" are there for two classes only. low and high are the ends of the 95 % percentile
    bootstrap interval over texts (Efron & Tibshirani 1993). roc_auc is None where no class has texts on both sides; a
    resample in which that happens is left out of its interval. The Brier score is the mean square of what the second
    class's probability is off or, with more than two classes, the sum over all classes.
Raises:
    ValueError: no text, lengths or class numbers that don't fit, or a row that is no probabilities.
"""


class Classification(evaluate.Metric):
    def _info(self):
        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation=_CITATION,
            inputs_description=_INPUTS,
            features=datasets.Features({name: datasets.Value("int64") for name in ("predictions", "references")}),
        )

    def _compute(self, predictions, references, probabilities, seed: int = 0):
        predictions, references = np.array(predictions), np.array(references)
        probabilities = np.array(probabilities, dtype=np.float64)
        _check_probabilities(probabilities)
        texts, classes = probabilities.shape
        _check(predictions, references, texts, classes)
        columns = _sums_of_texts(predictions, references, probabilities)

        def figures(counts):
            """Each figure of each draw; `counts` (draws, texts) says how often a draw holds each text."""
            sums = counts @ columns / texts
            return {
                **_decision_figures(_confusion(counts, predictions, references, classes)),
                "roc_auc": _roc_auc(counts, references, probabilities),
                "expected_calibration_error": np.abs(sums[:, :BINS]).sum(axis=1),
                "brier_score": sums[:, BINS],
                "log_loss": sums[:, BINS + 1],
            }

        confusion = _confusion(np.ones((1, texts)), predictions, references, classes)[0]
        return {
            **_with_intervals(figures, texts, seed),
            "confusion_matrix": confusion.astype(int).tolist(),
            "texts": texts,
        }


def classification_difference(
    references: Sequence[int], tuned: Sequence[int], baseline: Sequence[int], classes: int, seed: int = 0
) -> dict[str, dict[str, float]]:
    """Accuracy and macro F1 of `tuned` minus those of `baseline` on the same texts: {"value", "low", "high"} of each.

    All three hold class numbers below `classes`. Above zero, the tuned model is better. Both models share every
    resample, so the 95 % interval is free of the difficulty of the texts. ValueError as for the metric.
    """
    references, tuned, baseline = np.array(references), np.array(tuned), np.array(baseline)
    for predictions in (tuned, baseline):
        _check(predictions, references, len(references), classes)

    def differences(counts):
        ours, theirs = (
            _decision_figures(_confusion(counts, predictions, references, classes)) for predictions in (tuned, baseline)
        )
        return {name: ours[name] - theirs[name] for name in ("accuracy", "macro_f1")}

    return _with_intervals(differences, len(references), seed)


def _check_probabilities(probabilities: np.ndarray) -> None:
    if probabilities.ndim != 2 or probabilities.shape[1] < 2:
        raise ValueError(f"probabilities of the shape {probabilities.shape}, expected (texts, two classes or more)")
    right = (probabilities >= 0).all(axis=1) & (np.abs(probabilities.sum(axis=1) - 1) < 1e-3)
    if not right.all():
        index = int(np.argmin(right))
        raise ValueError(f"text {index}: {probabilities[index].tolist()} are no probabilities that add up to 1")


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

    A bin is open below and closed above. The gap is accuracy less mean probability.
    """
    rows = np.arange(len(references))
    confidence = probabilities[rows, predictions]
    gaps = np.zeros((len(rows), BINS))
    bins = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
    gaps[rows, bins] = (predictions == references) - confidence
    off = probabilities.copy()
    off[rows, references] -= 1
    brier = off[:, 1] ** 2 if probabilities.shape[1] == 2 else (off**2).sum(axis=1)
    log_loss = -np.log(np.maximum(probabilities[rows, references], np.finfo(np.float64).eps))
    return np.column_stack([gaps, brier, log_loss])


def _confusion(counts: np.ndarray, predictions: np.ndarray, references: np.ndarray, classes: int) -> np.ndarray:
    """The confusion matrix of each draw: (draws, true class, predicted class)."""
    cells = references * classes + predictions
    flat = [np.bincount(cells, weights=draw, minlength=classes**2) for draw in counts]
    return np.stack(flat).reshape(-1, classes, classes)


def _decision_figures(confusion: np.ndarray) -> dict[str, np.ndarray]:
    hits = np.diagonal(confusion, axis1=1, axis2=2)
    true, predicted = confusion.sum(axis=2), confusion.sum(axis=1)
    by_class = {
        "precision": _ratio(hits, predicted),
        "recall": _ratio(hits, true),
        "f1": _ratio(2 * hits, true + predicted),
    }
    present = true + predicted > 0
    macro = {f"macro_{name}": (values * present).sum(axis=1) / present.sum(axis=1) for name, values in by_class.items()}
    second = {name: values[:, 1] for name, values in by_class.items()} if confusion.shape[1] == 2 else {}
    return {"accuracy": hits.sum(axis=1) / true.sum(axis=1), **second, **macro}


def _roc_auc(counts: np.ndarray, references: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Of the second of two classes, or the mean of each class against the rest; nan where there is none."""
    classes = [1] if probabilities.shape[1] == 2 else range(probabilities.shape[1])
    areas = np.stack([_area(counts, references == number, probabilities[:, number]) for number in classes])
    known = ~np.isnan(areas)
    return _ratio(np.where(known, areas, 0).sum(axis=0), known.sum(axis=0), otherwise=np.nan)


def _area(counts: np.ndarray, positive: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """The share of (positive, negative) pairs in which the positive has the higher score; equal scores count half."""
    order = np.argsort(scores, kind="stable")
    first_of_equals = np.flatnonzero(np.append(True, np.diff(scores[order]) > 0))
    counts, positive = counts[:, order], positive[order]
    positives = np.add.reduceat(counts * positive, first_of_equals, axis=1)
    negatives = np.add.reduceat(counts * ~positive, first_of_equals, axis=1)
    won = (positives * (np.cumsum(negatives, axis=1) - negatives / 2)).sum(axis=1)
    return _ratio(won, positives.sum(axis=1) * negatives.sum(axis=1), otherwise=np.nan)


def _ratio(parts: np.ndarray, wholes: np.ndarray, otherwise: float = 0.0) -> np.ndarray:
    return np.divide(parts, wholes, out=np.full(np.shape(parts), otherwise), where=wholes > 0)


def _with_intervals(figures, texts: int, seed: int) -> dict[str, dict[str, float] | None]:
    drawn = [figures(counts) for counts in _resampled_counts(texts, seed)]
    found = {}
    for name, (value,) in figures(np.ones((1, texts))).items():
        values = np.concatenate([block[name] for block in drawn])
        values = values[~np.isnan(values)]
        found[name] = None
        if not np.isnan(value):
            low, high = np.percentile(values if len(values) else value, PERCENTILES)
            found[name] = {"value": float(value), "low": float(low), "high": float(high)}
    return found


def _resampled_counts(texts: int, seed: int) -> Iterator[np.ndarray]:
    """`RESAMPLES` draws of n texts with replacement, in blocks (draws, n): how often a draw holds each text."""
    generator = np.random.default_rng(seed)
    size = max(1, CELLS_AT_ONCE // texts)
    for first in range(0, RESAMPLES, size):
        draws = range(first, min(first + size, RESAMPLES))
        counts = [np.bincount(generator.integers(texts, size=texts), minlength=texts) for _ in draws]
        yield np.stack(counts).astype(np.float64)
