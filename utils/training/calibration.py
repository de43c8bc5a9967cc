"""Calibration of a classifier on the validation split: the temperature and the decision threshold."""

import logging
from collections.abc import Sequence

import numpy

from utils.inference.classifier import classifier_logits
from utils.models.checkpoint import Trained
from utils.models.classifier_tokenizer import find_head, fold_temperature

log = logging.getLogger(__name__)
TEMPERATURES = (0.05, 20.0)
RESAMPLES = 200


def calibrate_model(trained: Trained, *arguments, **options) -> dict[str, float | None]:
    """Divide the model's logits by a temperature, in its head; return the result of `calibrate`, with its arguments.

    A model without a linear head keeps its logits, and its temperature is 1.
    """
    head = find_head(trained.model, trained.tokenizer)
    if head is None:
        name = type(trained.model).__name__
        log.warning("warning: the head of a %s cannot be scaled, so no temperature is fitted", name)
    calibration = calibrate(trained, *arguments, **options, scalable=head is not None)
    fold_temperature(head, calibration["temperature"])
    return calibration


def calibrate(
    trained: Trained,
    validation_rows: Sequence[dict],
    threshold: str,
    seed: int,
    *,
    bfloat16: bool = False,
    scalable: bool = True,
) -> dict[str, float | None]:
    """Return {"temperature", "threshold"} fitted on rows {"input_ids", "label"}; without rows, 1 and 0.5.

    `threshold` is "auto" or the number to use; for more than two classes the result is None. The temperature is 1 for
    logits that are not `scalable`.
    """
    labels = [row["label"] for row in validation_rows]
    options = {"bfloat16": bfloat16, "progress": "calibrating"}
    logits = classifier_logits(trained.model, trained.tokenizer, validation_rows, **options)
    calibration = fit_calibration(logits, labels, threshold, seed, scalable=scalable)
    temperature, cut = calibration.values()
    log.info("fitted on validation: temperature %.3f%s", temperature, "" if cut is None else f", threshold {cut:.3f}")
    return calibration


def fit_calibration(
    logits: numpy.ndarray, labels: Sequence[int], threshold: str, seed: int, *, scalable: bool = True
) -> dict[str, float | None]:
    """Return the same as `calibrate`, from logits (texts, classes) and labels; for models and baselines alike."""
    from scipy.special import softmax

    temperature = fit_temperature(logits, labels) if labels and scalable else 1.0
    if logits.shape[1] > 2:
        cut = None
    elif threshold != "auto":
        cut = float(threshold)
    else:
        cut = fit_threshold(softmax(logits / temperature, axis=1), labels, seed) if labels else 0.5
    return {"temperature": temperature, "threshold": cut}


def fit_temperature(logits: numpy.ndarray, labels: Sequence[int]) -> float:
    """Return the temperature by which to divide logits (texts, classes) for the highest likelihood of the labels.

    C. Guo et al., "On Calibration of Modern Neural Networks" (ICML 2017, arXiv:1706.04599), with a standard normal
    prior on the temperature's logarithm: without it, a small split without a mistake would make every answer certain.
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import log_softmax

    rows, labels = numpy.arange(len(labels)), numpy.asarray(labels)

    def loss(log_temperature: float) -> float:
        log_probabilities = log_softmax(logits / numpy.exp(log_temperature), axis=1)
        return float(log_temperature**2 / 2 - log_probabilities[rows, labels].sum())

    minimum = minimize_scalar(loss, bounds=numpy.log(TEMPERATURES), method="bounded")
    return float(numpy.exp(minimum.x))


def fit_threshold(probabilities: numpy.ndarray, labels: Sequence[int], seed: int) -> float:
    """Return the probability of the second class from which on predicting it gives the best macro F1.

    `probabilities` are (texts, 2). It is the median over resamples of the rows, since the best threshold of one small
    split is luck; of equally good thresholds, the nearest to 0.5.
    """
    second, labels = numpy.asarray(probabilities)[:, 1], numpy.asarray(labels)
    generator = numpy.random.default_rng(seed)
    draws = (generator.integers(len(labels), size=len(labels)) for _ in range(RESAMPLES))
    return float(numpy.median([_best_threshold(second[draw], labels[draw]) for draw in draws]))


def _best_threshold(second: numpy.ndarray, labels: numpy.ndarray) -> float:
    order = numpy.argsort(second)
    second, positive = second[order], labels[order] == 1
    # Cut k predicts the first class for the k lowest rows. Rows of equal probability stay together.
    cuts = numpy.concatenate([[0], numpy.flatnonzero(numpy.diff(second)) + 1, [len(second)]])
    edges = numpy.concatenate([[0.0], second, [1.0]])
    thresholds = (edges[cuts] + edges[cuts + 1]) / 2
    positives_below = numpy.concatenate([[0], numpy.cumsum(positive)])[cuts]
    true_positives, false_negatives = positive.sum() - positives_below, positives_below
    true_negatives, false_positives = cuts - positives_below, len(second) - cuts - true_positives
    wrong = false_negatives + false_positives
    f1_of_second = 2 * true_positives / numpy.maximum(1, 2 * true_positives + wrong)
    f1_of_first = 2 * true_negatives / numpy.maximum(1, 2 * true_negatives + wrong)
    macro_f1 = (f1_of_first + f1_of_second) / 2
    best = thresholds[macro_f1 >= macro_f1.max() - 1e-12]
    return float(best[numpy.abs(best - 0.5).argmin()])
