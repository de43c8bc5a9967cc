"""Evaluate models that score texts: MAE, RMSE and Spearman's ρ on the test split, beside baselines, and the errors."""

import logging
from collections.abc import Iterator

import numpy as np

from utils.evaluation.baselines import verdict
from utils.evaluation.labels.judged import notes_on_texts, predict_test
from utils.evaluation.scores.baselines import ScoreBaseline, mean_score, tfidf_ridge
from utils.inference.classifier import Classifier
from utils.metrics.bootstrap import cluster_numbers
from utils.metrics.figures import SCORING
from utils.metrics.histogram import shared_histogram
from utils.metrics.scores import score_differences, score_intervals, scores_by_part
from utils.processed import Processed
from utils.tasks.label_kinds.scores import given_score_cell, score_cell
from utils.terminal.numbers import rounded
from utils.terminal.tables import figure_rows, format_table, one_line

log = logging.getLogger(__name__)
MEAN, TFIDF = "mean", "tfidf_ridge"
TITLES = {"tuned": "tuned", MEAN: "mean score", TFIDF: "TF-IDF + ridge regression"}
SHOWN = 10  # errors
WIDTH = 300  # characters of a text


def evaluate_scorer(classifier: Classifier, data: Processed, *, seed: int, precision: str) -> tuple[dict, list[dict]]:
    """Return (every figure of the model and the baselines on the test split, as plain JSON values; all errors).

    An error is {"text", "score", "prediction", "error"}, the largest first. Test texts that the model's own cleaning
    empties are left out, for the baselines too, and counted.
    """
    result, rows, test = predict_test(classifier, data.splits["test"], bfloat16=precision == "bf16", progress="scoring")
    references, predictions = np.array(test.label), result.probabilities[rows, 0]
    train, validation = data.splits["train"], data.splits["validation"]
    baselines = {MEAN: mean_score(train, test.prompt), TFIDF: tfidf_ridge(train, validation, test.prompt)}
    of_words = baselines[TFIDF].predictions
    difference = score_differences(references, predictions, of_words, test.group, seed)
    errors = [
        {"text": text, "score": score, "prediction": prediction, "error": prediction - score}
        for text, score, prediction in zip(test.prompt, test.label, predictions.tolist(), strict=True)
    ]
    errors.sort(key=lambda error: -abs(error["error"]))
    evaluation = {
        "labels": classifier.labels,
        "max_length": classifier.max_length,
        "texts": len(test),
        "truncated_texts": result.truncated,
        "texts_left_out": len(result.labels) - len(test),
        "tuned": score_intervals(references, predictions, test.group, seed),
        "baselines": {name: _measured(each, references, test.group, seed) for name, each in baselines.items()},
        "difference": difference,
        "largest_errors": [{**error, "text": one_line(error["text"], WIDTH)} for error in errors[:SHOWN]],
        "verdict": verdict(difference, TITLES[TFIDF]),
        "points": {
            "parts": scores_by_part(references, {"tuned": predictions, TFIDF: of_words}, test.group, seed),
            "errors": shared_histogram({"tuned": predictions - references, TFIDF: of_words - references}),
        },
        "per_text": {
            "row": rows,
            "label": test.label,
            "prediction": [float(score_cell(score)) for score in predictions.tolist()],
            "cluster": cluster_numbers(test.group, len(rows)).tolist(),
        },
    }
    if any(figure["high"] >= 0 for figure in difference.values()):
        log.warning("warning: the model is %s", evaluation["verdict"])
    return evaluation, errors


def _measured(baseline: ScoreBaseline, references: np.ndarray, clusters: list[str], seed: int) -> dict:
    return {
        **score_intervals(references, baseline.predictions, clusters, seed),
        "settings": baseline.settings,
        "train_seconds": round(baseline.train_seconds, 3),
    }


def format_scorer_report(evaluation: dict) -> str:
    """Return the evaluation as text for a terminal: figures beside the baselines', and the largest errors."""
    columns = {"tuned": evaluation["tuned"], **evaluation["baselines"]}
    baseline = evaluation["baselines"][TFIDF]
    settings = baseline["settings"]
    chosen = "defaults: no validation split" if settings["validation_rmse"] is None else "the best on validation"
    rows = [
        [rounded(error["prediction"], 2), given_score_cell(error["score"]), one_line(error["text"])]
        for error in evaluation["largest_errors"]
    ]
    return "\n\n".join(
        [
            f"test split: {evaluation['texts']:,} texts{notes_on_texts(evaluation)}; 95% intervals in brackets",
            format_table(["", *(TITLES[name] for name in columns)], figure_rows(SCORING, columns.values())),
            f"{TITLES[TFIDF]} was trained on the same train split in {baseline['train_seconds']:.1f} s "
            f"(strength {settings['alpha']:g}: {chosen})",
            f"{TITLES['tuned']} on the same texts: {evaluation['verdict']}",
            f"the {len(rows)} largest errors:",
            format_table(["predicted", "score", "text"], rows),
        ]
    )


def error_rows(errors: list[dict]) -> Iterator[list[str]]:
    """Yield the header and a row for each text: text, score, prediction and error, the largest error first."""
    yield ["text", "score", "prediction", "error"]
    for error in errors:
        cells = [score_cell(error[name]) for name in ("prediction", "error")]
        yield [error["text"], given_score_cell(error["score"]), *cells]
