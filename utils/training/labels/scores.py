"""Scores: regression with the mean squared error, in standard deviations of the training scores.

The head learns scaled scores, and is scaled back when the run ends: the folder alone gives plain scores in any tool.
"""

import contextlib
import math
from argparse import Namespace
from collections.abc import Iterator, Sequence
from functools import partial

import numpy
import torch
from transformers import PreTrainedModel

from utils.compute.batching import IGNORED, collate_labeled
from utils.compute.bf16_weights import scores_in_float32
from utils.compute.last_block import compute_only, last_token_mask, skippable_modules
from utils.errors import UserError
from utils.inference.classifier import classifier_logits
from utils.metrics.scores import score_figures
from utils.models.checkpoint import Trained
from utils.models.classifier_tokenizer import find_head, fold_temperature
from utils.models.tokenization import padding_id
from utils.processed import Processed
from utils.tasks.label_kinds.scores import score_scale
from utils.training.linear_probe import FOLDS, Fitting, Regression
from utils.training.objectives import Objective

SMALL_RIDGES = (1e-4, 1e-3, 1e-2, 0.1, 1.0, 10.0)
RIDGES = (1.0, 10.0, 100.0, 1e3, 1e4, 1e5)  # chosen by cross-validation


def regression(base: Trained, class_weights: None, data: Processed) -> Objective:
    """Return the objective of predicting the score; rows are those of `rows.labeled_rows`.

    Validation is in plain scores, and the loss in squared standard deviations. UserError for a head that
    `finish_scores` could not scale.
    """
    if find_head(base.model, base.tokenizer) is None:
        problem = f"the head of a {type(base.model).__name__} cannot be scaled, so it cannot learn scores"
        raise UserError(problem, "choose another base model, such as BERT, RoBERTa or smollm2")
    skippable_modules(base.model)
    return Objective(
        collate=partial(collate_labeled, pad_id=padding_id(base.tokenizer), side=base.tokenizer.padding_side),
        loss=_squared_error,
        forward_context=_forward_context,
        evaluate=partial(_evaluate_regression, base, score_scale(data.splits["train"].label)),
        metric="rmse",
        greater_is_better=False,
        keep_start=True,
        decode=partial(base.tokenizer.decode, skip_special_tokens=True),
    )


@contextlib.contextmanager
def _forward_context(model: PreTrainedModel, inputs: dict[str, torch.Tensor]) -> Iterator[None]:
    with compute_only(model, last_token_mask(model, inputs)), scores_in_float32(model):
        yield


def _squared_error(outputs, labels: torch.Tensor, num_items_in_batch=None) -> torch.Tensor:
    """Return the sum over the supervised rows, divided by all rows of the optimizer step."""
    supervised = labels != IGNORED
    errors = (outputs["logits"].float()[:, 0] - labels)[supervised]
    return (errors**2).sum() / (supervised.sum() if num_items_in_batch is None else num_items_in_batch)


def _evaluate_regression(base: Trained, scale: float, model: PreTrainedModel, rows: Sequence[dict]) -> dict[str, float]:
    predicted = classifier_logits(model, base.tokenizer, rows, progress="validation")[:, 0]
    scores = numpy.array([row["label"] for row in rows])
    figures = score_figures(scores * scale, predicted * scale)
    defined = {name: value for name, value in figures.items() if not math.isnan(value)}  # of one text, ρ is not
    return {"loss": float(((predicted - scores) ** 2).mean()), **defined}


def fit_ridge(
    states: numpy.ndarray, scores: numpy.ndarray, class_weights: None, groups: Sequence[str] | None = None
) -> Regression:
    """Return the ridge regression of the scores (texts,) on states (texts, width), its strength by cross-validation.

    Texts of one group are in one fold, if there are enough `groups`.
    """
    from sklearn.linear_model import Ridge
    from sklearn.model_selection import GroupKFold, KFold, cross_val_predict

    mean, deviation = states.mean(0), states.std(0) + 1e-6
    standardized = (states - mean) / deviation
    shared = groups if groups and FOLDS <= len(set(groups)) < len(groups) else None
    splitter = GroupKFold if shared else KFold
    folds = list(splitter(FOLDS, shuffle=True, random_state=0).split(states, scores, shared))
    predicted = {ridge: cross_val_predict(Ridge(ridge), standardized, scores, cv=folds) for ridge in RIDGES}
    losses = {ridge: float(((scores - of_ridge) ** 2).mean()) for ridge, of_ridge in predicted.items()}
    best = min(losses, key=losses.get)
    fitted = Ridge(best).fit(standardized, scores)
    weights = fitted.coef_ / deviation
    return Regression(
        weights=weights[None],
        bias=numpy.array([fitted.intercept_ - weights @ mean]),
        loss=losses[best],
        measured=f"R² {1 - losses[best] / scores.var():.3f}",
        out_of_fold=predicted[best][:, None],
    )


def closest_constant(states: numpy.ndarray) -> numpy.ndarray:
    """Return the direction (width,) whose product with every text's state is nearest to 1, on texts left out.

    A mean of several standard deviations makes much of each deviation, unlike the bias of a class.
    """
    from sklearn.linear_model import RidgeCV

    size = numpy.sqrt((states**2).mean(0)) + 1e-6
    fitted = RidgeCV(SMALL_RIDGES, fit_intercept=False).fit(states / size, numpy.ones(len(states)))
    return fitted.coef_ / size


SCORE_FITTING = Fitting(
    fit_ridge,
    classes_of=lambda score: (0,),
    classes=range,
    spread=lambda texts, labels: numpy.linspace(0, 1, texts),
    constant=closest_constant,
)


def finish_scores(
    base: Trained, data: Processed, validation_rows: Sequence[dict], flags: Namespace, *, bfloat16: bool
) -> dict[str, float]:
    """Multiply the head by the scale of the training scores, so that its output is a plain score; return the scale."""
    scale = score_scale(data.splits["train"].label)
    fold_temperature(find_head(base.model, base.tokenizer), 1 / scale)
    return {"scale": scale}
