"""Several labels a text: binary cross entropy for each label by itself, and a threshold for each, fitted at the end."""

import logging
from argparse import Namespace
from collections.abc import Sequence
from functools import partial

import numpy
import torch
from transformers import PreTrainedModel

from utils.compute.batching import IGNORED, collate_labeled
from utils.compute.last_block import compute_only, last_token_mask, skippable_modules
from utils.inference.classifier import classifier_logits
from utils.models.checkpoint import Trained
from utils.models.tokenization import padding_id
from utils.processed import Processed
from utils.training.linear_probe import FOLDS, Fitting, Regression, constant_direction, fit_regression
from utils.training.objectives import Objective
from utils.training.threshold import expected_f1, fit_threshold

log = logging.getLogger(__name__)


def multi_label_classification(base: Trained, class_weights: None, data: Processed) -> Objective:
    """Return the objective of telling for each label whether a text has it; rows are those of `rows.labeled_rows`.

    Validation selects by the mean average precision of the labels, which needs no threshold.
    """
    skippable_modules(base.model)
    return Objective(
        collate=partial(collate_labeled, pad_id=padding_id(base.tokenizer), side=base.tokenizer.padding_side),
        loss=_binary_cross_entropy,
        forward_context=lambda model, inputs: compute_only(model, last_token_mask(model, inputs)),
        evaluate=partial(_evaluate_label_sets, base),
        metric="average_precision",
        greater_is_better=True,
        keep_start=True,
        decode=partial(base.tokenizer.decode, skip_special_tokens=True),
    )


def _binary_cross_entropy(outputs, labels: torch.Tensor, num_items_in_batch=None) -> torch.Tensor:
    """Return the sum over the supervised labels, divided by those of all rows of the optimizer step."""
    supervised = labels != IGNORED
    logits = outputs["logits"].float()
    total = torch.nn.functional.binary_cross_entropy_with_logits(
        logits[supervised], labels[supervised], reduction="sum"
    )
    return total / (supervised.sum() if num_items_in_batch is None else num_items_in_batch)


def _evaluate_label_sets(base: Trained, model: PreTrainedModel, rows: Sequence[dict]) -> dict[str, float]:
    """Return the figures of validation; labels that no row has, or all rows have, are left out of the precision."""
    from sklearn.metrics import average_precision_score, f1_score

    logits = classifier_logits(model, base.tokenizer, rows, progress="validation")
    labels = numpy.array([row["label"] for row in rows])
    measured = (labels.min(axis=0) == 0) & (labels.max(axis=0) == 1)
    precision = average_precision_score(labels[:, measured], logits[:, measured]) if measured.any() else 0.0
    predicted = (logits >= 0).astype(int)
    loss = torch.nn.functional.binary_cross_entropy_with_logits(torch.from_numpy(logits), torch.from_numpy(labels))
    return {
        "loss": loss.item(),
        "average_precision": float(precision),
        "macro_f1": float(f1_score(labels, predicted, average="macro", zero_division=0)),
        "micro_f1": float(f1_score(labels, predicted, average="micro", zero_division=0)),
    }


def fit_each_label(
    states: numpy.ndarray, labels: numpy.ndarray, class_weights: None, groups: Sequence[str] | None = None
) -> Regression:
    """Return a logistic regression for each label (texts, labels); one of too few texts gets its frequency alone."""
    from scipy.special import logit

    weights = numpy.zeros((labels.shape[1], states.shape[1]))
    share = numpy.clip(labels.mean(axis=0), 1e-3, 1 - 1e-3)
    bias, out_of_fold = logit(share), numpy.tile(share, (len(labels), 1))
    losses = []
    for number, has in enumerate(labels.T.astype(int)):
        if min(has.sum(), len(has) - has.sum()) >= FOLDS:
            fitted = fit_regression(states, has, None, groups)
            weights[number] = fitted.weights[1] - fitted.weights[0]
            bias[number] = fitted.bias[1] - fitted.bias[0]
            out_of_fold[:, number] = fitted.out_of_fold[:, 1]
            losses.append(fitted.loss)
    right = ((out_of_fold >= 0.5) == labels).mean()
    return Regression(
        weights=weights,
        bias=bias,
        loss=float(numpy.mean(losses)) if losses else 0.0,
        measured=f"{right:.3f} of the labels right",
        out_of_fold=out_of_fold,
    )


SET_FITTING = Fitting(
    fit_each_label,
    classes_of=lambda target: [number for number, has in enumerate(target) if has],
    classes=lambda labels: (),
    spread=lambda texts, labels: numpy.arange(texts)[:, None] % labels == numpy.arange(labels),
    constant=constant_direction,
)


def finish_label_sets(
    base: Trained, data: Processed, validation_rows: Sequence[dict], flags: Namespace, *, bfloat16: bool
) -> dict:
    """Fit a threshold for each label on validation, note them in the model's configuration, and return them."""
    from scipy.special import expit

    names = data.recipe["labels"]
    thresholds = [0.5] * len(names)
    if validation_rows:
        options = {"bfloat16": bfloat16, "progress": "thresholds"}
        probabilities = expit(classifier_logits(base.model, base.tokenizer, validation_rows, **options))
        labels = numpy.array([row["label"] for row in validation_rows])
        thresholds = fit_label_thresholds(probabilities, labels)
    base.model.config.thresholds = dict(zip(names, thresholds, strict=True))
    shown = ", ".join(f"{name} {threshold:.3f}" for name, threshold in base.model.config.thresholds.items())
    log.info("thresholds fitted on validation: %s", shown)
    return {"thresholds": thresholds}


def fit_label_thresholds(probabilities: numpy.ndarray, labels: numpy.ndarray) -> list[float]:
    """Return for each label the probability from which on a text gets it, with the best F1 to be expected.

    Both are (texts, labels). It is 0.5 where no text has a label.
    """
    return [
        fit_threshold(column, has, expected_f1) if has.any() else 0.5
        for column, has in zip(probabilities.T, labels.T, strict=True)
    ]
