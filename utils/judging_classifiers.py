"""The evaluation of models that classify: figures on the test split, baselines beside them, and the mistakes."""

import csv
import logging
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from utils import metrics
from utils.baselines import majority_class, tfidf_logistic_regression
from utils.classification import classify_texts
from utils.errors import DataError
from utils.files import atomic_write
from utils.formatting import format_table, one_line, with_interval
from utils.metrics.classification import paired_difference

if TYPE_CHECKING:
    from utils.classification import Classifier
    from utils.store import Processed

log = logging.getLogger(__name__)

SHOWN = 10  # mistakes
MAJORITY, TFIDF = "majority", "tfidf_logistic_regression"
NAMES = {"tuned": "tuned", MAJORITY: "majority class", TFIDF: "TF-IDF + logistic regression"}
FIGURES = {
    "accuracy": "accuracy",
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "macro_precision": "macro precision",
    "macro_recall": "macro recall",
    "macro_f1": "macro F1",
    "roc_auc": "ROC-AUC",
    "expected_calibration_error": "expected calibration error",
    "brier_score": "Brier score",
    "log_loss": "log loss",
}


def check_labels(model_path: str, labels: list[str], data_path: Path, data: "Processed") -> None:
    """Raise DataError where the data has labels that the model does not know."""
    unknown = sorted({label for split in data.splits.values() for label in split.label} - set(labels))
    if unknown:
        raise DataError(
            f"{data_path} has labels that {model_path} does not know: {_listed(unknown)}; it knows {_listed(labels)}",
            "evaluate it on data with its own labels (preprocess.py --label_map renames them), "
            f"or train one: python fine_tune.py --data {shlex.quote(str(data_path))}",
        )


def judge(classifier: "Classifier", data: "Processed", seed: int, precision: str) -> tuple[dict, list[dict]]:
    """(every figure of the classifier and of the baselines on the test split, as plain JSON values; all its mistakes).

    A mistake is {"text", "label", "prediction", "probability", "probabilities"}, the most confident first. Test texts
    of which the model's own cleaning leaves nothing are left out for the baselines too, and counted.
    """
    labels, test = classifier.labels, data.splits["test"]
    answers = classify_texts(classifier, test.prompt, bfloat16=precision == "bf16", progress="classifying")
    rows = [row for row, label in enumerate(answers.labels) if label is not None]
    if not rows:
        raise DataError("the model's cleaning leaves nothing of any test text", "evaluate it on data of its own task")
    if len(rows) < len(test):
        log.warning(
            "warning: %d test texts are left out: the model's cleaning leaves nothing of them", len(test) - len(rows)
        )
    test, number = test.take(rows), {label: index for index, label in enumerate(labels)}
    truth = [number[label] for label in test.label]
    probabilities = answers.probabilities[rows]
    predictions = [number[answers.labels[row]] for row in rows]
    baselines = {
        MAJORITY: majority_class(data.splits["train"], test.prompt, labels),
        TFIDF: tfidf_logistic_regression(data.splits["train"], data.splits["validation"], test.prompt, labels),
    }

    def measured(predictions, probabilities) -> dict:
        return metrics.load("classification").compute(
            predictions=predictions, references=truth, probabilities=probabilities, seed=seed
        )

    mistakes = [
        {
            "text": test.prompt[row],
            "label": test.label[row],
            "prediction": labels[predictions[row]],
            "probability": float(probabilities[row, predictions[row]]),
            "probabilities": probabilities[row].tolist(),
        }
        for row in range(len(test))
        if predictions[row] != truth[row]
    ]
    mistakes.sort(key=lambda mistake: -mistake["probability"])
    evaluation = {
        "labels": labels,
        "threshold": classifier.threshold,
        "temperature": classifier.temperature,
        "max_length": classifier.max_length,
        "texts": len(test),
        "truncated_texts": answers.truncated,
        "texts_left_out": len(answers.labels) - len(test),
        "tuned": measured(predictions, probabilities),
        "baselines": {
            name: {
                **measured(baseline.predictions, baseline.probabilities),
                "settings": baseline.settings,
                "train_seconds": round(baseline.train_seconds, 3),
            }
            for name, baseline in baselines.items()
        },
        "difference": paired_difference(truth, predictions, baselines[TFIDF].predictions, len(labels), seed),
        "mistakes": len(mistakes),
        "most_confident_mistakes": [
            {
                **{name: mistake[name] for name in ("text", "label", "prediction", "probability")},
                "text": one_line(mistake["text"]),
            }
            for mistake in mistakes[:SHOWN]
        ],
    }
    evaluation["verdict"] = verdict(evaluation["difference"])
    if any(figure["low"] <= 0 for figure in evaluation["difference"].values()):
        log.warning("warning: the model is %s", evaluation["verdict"])
    return evaluation, mistakes


def verdict(difference: dict) -> str:
    """Whether the model is better than TF-IDF with logistic regression, and in what."""
    sides = {"better": [], "worse": [], "not clearly better": []}
    for name, figure in difference.items():
        side = "better" if figure["low"] > 0 else "worse" if figure["high"] < 0 else "not clearly better"
        sides[side].append(f"{FIGURES[name]} ({with_interval(figure, '{:+.3f}')})")
    parts = [f"{side} in {' and '.join(found)}" for side, found in sides.items() if found]
    return f"{', '.join(parts)} than {NAMES[TFIDF]}"


def write_mistakes(path: Path, mistakes: list[dict], labels: list[str]) -> None:
    """Every mistake as a row of a CSV: text, label, prediction, and the probability of each label."""
    with atomic_write(path, "w") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["text", "label", "prediction", *(f"probability_{label}" for label in labels)])
        for mistake in mistakes:
            shares = [f"{share:.6f}" for share in mistake["probabilities"]]
            writer.writerow([mistake["text"], mistake["label"], mistake["prediction"], *shares])


def report(evaluation: dict) -> str:
    """The evaluation as text for a terminal: the figures beside the baselines', the confusion matrix, the mistakes."""
    labels, tuned = evaluation["labels"], evaluation["tuned"]
    columns = {NAMES["tuned"]: tuned, **{NAMES[name]: found for name, found in evaluation["baselines"].items()}}
    figures = [
        [title, *(with_interval(found[name], "{:.3f}") for found in columns.values())]
        for name, title in FIGURES.items()
        if name in tuned
    ]
    confusion = [
        [label, *(f"{count:,}" for count in row)] for label, row in zip(labels, tuned["confusion_matrix"], strict=True)
    ]
    parts = [
        f"test split: {evaluation['texts']:,} texts{_asides(evaluation)}; 95 % intervals in brackets",
        format_table(["", *columns], figures),
        _baseline_line(evaluation["baselines"][TFIDF]),
        f"{NAMES['tuned']} on the same texts: {evaluation['verdict']}",
        "true labels in rows, predictions in columns:",
        format_table(["", *labels], confusion),
    ]
    shown = evaluation["most_confident_mistakes"]
    if shown:
        rows = [[f"{one['probability']:.3f}", one["prediction"], one["label"], one["text"]] for one in shown]
        parts += [
            f"the most confident {len(shown)} of {evaluation['mistakes']:,} mistakes:",
            format_table(["probability", "prediction", "label", "text"], rows),
        ]
    return "\n\n".join(parts)


def _asides(evaluation: dict) -> str:
    asides = []
    if len(evaluation["labels"]) == 2:
        asides.append(f"precision, recall and F1 of {evaluation['labels'][1]!r}")
    if evaluation["threshold"] is not None:
        asides.append(f"which is taken from a probability of {evaluation['threshold']:.3f} on")
    if evaluation["truncated_texts"]:
        asides.append(f"{evaluation['truncated_texts']:,} cut to {evaluation['max_length']} tokens")
    if evaluation["texts_left_out"]:
        asides.append(f"{evaluation['texts_left_out']:,} more are empty after cleaning")
    return f" ({', '.join(asides)})" if asides else ""


def _baseline_line(baseline: dict) -> str:
    settings = baseline["settings"]
    chosen = (
        "the best on validation" if settings["validation_macro_f1"] is not None else "unchosen: no validation split"
    )
    return (
        f"{NAMES[TFIDF]} was trained on the same train split in {baseline['train_seconds']:.1f} s "
        f"(C {settings['C']:g}, class weights {settings['class_weight'] or 'none'}: {chosen})"
    )


def _listed(labels: list[str]) -> str:
    return ", ".join(map(repr, labels))
