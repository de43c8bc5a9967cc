"""Evaluate a model on the fold that it was not trained on: the figures of its kind of task."""

import math
from collections.abc import Sequence

from scipy.special import log_softmax, softmax
from sklearn.metrics import accuracy_score, f1_score

from utils.compute.device import autocast
from utils.inference.classifier import classifier_logits
from utils.models.classifier_tokenizer import find_head
from utils.tasks.kinds import CLASSIFY
from utils.training.adapters.frozen_weights import on_device
from utils.training.baseline.stack import choose_stack, fit_baseline
from utils.training.baseline.tfidf import predict_words
from utils.training.calibration import fit_calibration
from utils.training.folds.split import rows_inside
from utils.training.steps.prepared import PreparedRun


def judge(run: PreparedRun, fold: int) -> dict:
    """Return how many texts the fold has, and the figures there: {"texts", "tuned"}, for a classifier also TF-IDF's.

    Reworded and repeated copies of texts don't count.
    """
    held_out = rows_inside(run.setup.rows["train"], run.request.fold_of_group, fold)
    rows = {"validation": run.setup.rows["validation"], "held_out": held_out}
    model, collate = run.setup.base.model, run.setup.objective.collate
    options = {"precision": run.precision, "epochs": math.inf}
    with (
        on_device(model, run.device, run.precision, load_in_4bit=run.flags.load_in_4bit),
        run.prefix_cache.cached_rows(model, collate, rows, **options) as cached,
    ):
        if run.request.kind == CLASSIFY:
            figures = _judge_classifier(run, fold, **cached)
        else:
            with autocast(run.device, run.precision):
                figures = {"tuned": run.setup.objective.evaluate(model, cached["held_out"])}
    return {"texts": len(held_out), **figures}


def _judge_classifier(
    run: PreparedRun, fold: int, validation: list[dict], held_out: list[dict]
) -> dict[str, dict[str, float]]:
    """Return the figures of a classifier and of its baseline, both calibrated on the validation split.

    The classifier is mixed with the baseline where the model will be.
    """
    base, flags, data, bfloat16 = run.setup.base, run.flags, run.request.data, run.precision == "bf16"
    labels, train, fold_of = data.recipe["labels"], data.splits["train"], run.request.fold_of_group
    others = train.take(number for number, group in enumerate(train.group) if fold_of[group] != fold)
    judged = train.take(row["number"] for row in held_out)
    baseline = fit_baseline(others, data.splits["validation"], labels)
    fitted_on = data.splits["validation"].take(row["number"] for row in validation)
    calibrating, logits = (
        classifier_logits(base.model, base.tokenizer, rows, bfloat16=bfloat16, progress="judging")
        for rows in (validation, held_out)
    )
    scalable = find_head(base.model, base.tokenizer) is not None
    expected = [row["label"] for row in validation]
    temperature, cut = fit_calibration(calibrating, expected, flags.threshold, scalable=scalable).values()
    probabilities = softmax(logits / temperature, axis=1)
    if flags.with_baseline != "off":
        stack, _ = choose_stack(baseline, calibrating / temperature, fitted_on, labels, flags)
        if stack:
            probabilities = stack.probabilities(log_softmax(logits / temperature, axis=1), judged.prompt)
            cut = stack.threshold
    predicted = probabilities.argmax(axis=1) if cut is None else (probabilities[:, 1] >= cut).astype(int)
    of_words = predict_words(baseline.words, data.splits["validation"], judged.prompt, labels, flags.threshold)
    truth = [row["label"] for row in held_out]
    return {
        "tuned": _figures(truth, predicted, len(labels)),
        "tfidf_logistic_regression": _figures(truth, of_words.predictions, len(labels)),
    }


def _figures(expected: Sequence[int], predicted: Sequence[int], labels: int) -> dict[str, float]:
    return {
        "accuracy": float(accuracy_score(expected, predicted)),
        "macro_f1": float(f1_score(expected, predicted, average="macro", labels=range(labels), zero_division=0)),
    }
