"""Calibration of a classifier on the validation split: the temperature and the decision threshold."""

import logging
from collections.abc import Sequence

import numpy

from utils.inference.classifier import classifier_logits
from utils.models.checkpoint import Trained
from utils.models.classifier_tokenizer import find_head, fold_temperature
from utils.training.threshold import fit_threshold

log = logging.getLogger(__name__)
TEMPERATURES = (0.05, 20.0)


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
    calibration = fit_calibration(logits, labels, threshold, scalable=scalable)
    temperature, cut = calibration.values()
    log.info("fitted on validation: temperature %.3f%s", temperature, "" if cut is None else f", threshold {cut:.3f}")
    return calibration


def fit_calibration(
    logits: numpy.ndarray, labels: Sequence[int], threshold: str, *, scalable: bool = True
) -> dict[str, float | None]:
    """Return the same as `calibrate`, from logits (texts, classes) and labels; for models and baselines alike."""
    from scipy.special import softmax

    temperature = fit_temperature(logits, labels) if labels and scalable else 1.0
    if logits.shape[1] > 2:
        cut = None
    elif threshold != "auto":
        cut = float(threshold)
    else:
        cut = fit_threshold(softmax(logits / temperature, axis=1)[:, 1], labels) if labels else 0.5
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
