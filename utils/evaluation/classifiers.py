"""Evaluate models that classify texts: figures on the test split, beside baselines, and the mistakes."""

import logging
import shlex
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from utils.errors import DataError
from utils.evaluation.baselines import majority_class, verdict
from utils.evaluation.labels.judged import notes_on_texts, predict_test
from utils.evaluation.labels.points import classifier_points
from utils.evaluation.labels.texts import confident_mistakes, label_errors, outcomes
from utils.inference.classifier import Classifier
from utils.metrics.bootstrap import cluster_numbers
from utils.metrics.classification import Classification, classification_difference
from utils.metrics.compute import compute_metric
from utils.metrics.figures import CLASSIFICATION
from utils.processed import Processed
from utils.terminal.tables import confusion_table, figure_rows, format_table, one_line
from utils.training.baseline.tfidf import tfidf_logistic_regression
from utils.training.labels.label_errors import describe_label_errors, label_error_rows

log = logging.getLogger(__name__)
FEW = 200  # texts
NARROW = (
    f"With fewer than {FEW} texts, the intervals of Brier score and log loss are too narrow: rare errors are missing."
)
MAJORITY, TFIDF = "majority", "tfidf_logistic_regression"
TITLES = {"tuned": "tuned", MAJORITY: "majority class", TFIDF: "TF-IDF + logistic regression"}


def check_labels(model_path: str, labels: list[str], data_path: Path, data: Processed) -> None:
    """Raise DataError if the data has labels that the model does not know."""
    unknown = sorted({label for split in data.splits.values() for label in split.label} - set(labels))
    if unknown:
        unknown, known = (", ".join(map(repr, names)) for names in (unknown, labels))
        raise DataError(
            f"{data_path} has labels that {model_path} does not know: {unknown}; it knows {known}",
            "evaluate it on data with its own labels (preprocess.py --label_map renames them), "
            f"or train a new model: python fine_tune.py --data {shlex.quote(str(data_path))}",
        )


def evaluate_classifier(
    classifier: Classifier, data: Processed, *, seed: int, precision: str
) -> tuple[dict, list[dict], list[list[str]]]:
    """Return (every figure of the classifier and the baselines on the test split, as plain JSON values; all mistakes;
    the rows of --label_errors, by the classifier alone).

    A mistake is {"text", "label", "prediction", "probability", "probabilities"}, the most confident first. Test texts
    that the model's own cleaning empties are left out, for the baselines too, and counted.
    """
    labels, test = classifier.labels, data.splits["test"]
    result, rows, test = predict_test(classifier, test, bfloat16=precision == "bf16", progress="classifying")
    index_of = {label: index for index, label in enumerate(labels)}
    references = np.array([index_of[label] for label in test.label])
    predictions = np.array([index_of[result.labels[row]] for row in rows])
    probabilities = result.probabilities[rows]
    train, validation = data.splits["train"], data.splits["validation"]
    threshold = classifier.run.get("arguments", {}).get("threshold", "auto")  # fitted for both, or given for both
    baselines = {
        MAJORITY: majority_class(train, test.prompt, labels),
        TFIDF: tfidf_logistic_regression(train, validation, test.prompt, labels, threshold),
    }

    def measure(predictions, probabilities) -> dict:
        inputs = {"references": references, "probabilities": probabilities, "clusters": test.group, "seed": seed}
        return compute_metric(Classification, predictions=predictions, **inputs)

    mistakes = [
        {
            "text": test.prompt[row],
            "label": test.label[row],
            "prediction": labels[predictions[row]],
            "probability": float(probabilities[row, predictions[row]]),
            "probabilities": probabilities[row].tolist(),
        }
        for row in range(len(test))
        if predictions[row] != references[row]
    ]
    mistakes.sort(key=lambda mistake: -mistake["probability"])
    of_words = baselines[TFIDF]
    difference = classification_difference(references, predictions, of_words.predictions, len(labels), test.group, seed)
    temperature = (classifier.run.get("calibration") or {}).get("temperature", 1.0)
    if classifier.stack:
        temperature = 1.0  # of the mixture
    evaluation = {
        "labels": labels,
        "threshold": classifier.threshold,
        "temperature": temperature,
        "with_baseline": classifier.stack is not None,
        "max_length": classifier.max_length,
        "texts": len(test),
        "truncated_texts": result.truncated,
        "texts_left_out": len(result.labels) - len(test),
        "tuned": measure(predictions, probabilities),
        "baselines": {
            name: {
                **measure(baseline.predictions, baseline.probabilities),
                "settings": baseline.settings,
                "train_seconds": round(baseline.train_seconds, 3),
            }
            for name, baseline in baselines.items()
        },
        "difference": difference,
        "mistakes": len(mistakes),
        "most_confident_mistakes": confident_mistakes(classifier, mistakes, len(test), bfloat16=precision == "bf16"),
        "probable_label_errors": label_errors(test.prompt, references, labels, probabilities, of_words.probabilities),
        "verdict": verdict(difference, TITLES[TFIDF]),
        "points": classifier_points(
            references,
            {"tuned": (predictions, probabilities), TFIDF: (np.array(of_words.predictions), of_words.probabilities)},
            labels,
            lengths=[result.lengths[row] for row in rows],
            temperature=temperature,
            clusters=test.group,
            seed=seed,
        ),
        "per_text": outcomes(rows, references, predictions, probabilities, cluster_numbers(test.group, len(rows))),
    }
    if any(figure["low"] <= 0 for figure in difference.values()):
        log.warning("warning: the model is %s", evaluation["verdict"])
    return evaluation, mistakes, label_error_rows(test, labels, probabilities, rows)


def format_classifier_report(evaluation: dict) -> str:
    """Return the evaluation as text for a terminal: figures beside the baselines', confusion matrix, mistakes."""
    labels, tuned = evaluation["labels"], evaluation["tuned"]
    columns = {"tuned": tuned, **evaluation["baselines"]}
    figures = [figure for figure in CLASSIFICATION if figure.name in tuned]
    parts = [
        f"test split: {evaluation['texts']:,} texts{_notes(evaluation)}; 95% intervals in brackets",
        format_table(["", *(TITLES[name] for name in columns)], figure_rows(figures, columns.values())),
        *([NARROW] if evaluation["texts"] < FEW else []),
        _describe_tfidf(evaluation["baselines"][TFIDF]),
        f"{TITLES['tuned']} on the same texts: {evaluation['verdict']}",
        "true labels in rows, and how often each label was predicted:",
        confusion_table(labels, tuned["confusion_matrix"]),
    ]
    shown = evaluation["most_confident_mistakes"]
    if shown:
        rows = [
            [f"{mistake['probability']:.3f}", mistake["prediction"], mistake["label"], one_line(mistake["text"])]
            for mistake in shown
        ]
        parts += [
            f"the {len(shown)} most confident of {evaluation['mistakes']:,} mistakes:",
            format_table(["probability", "prediction", "label", "text"], rows),
        ]
    if "label_errors" in evaluation:
        parts.append(describe_label_errors(evaluation["label_errors"], "test"))
    if wrong := evaluation["probable_label_errors"]["texts"]:
        parts.append(f"labels that both the model and TF-IDF call wrong: {wrong:,} (--report shows them)")
    return "\n\n".join(parts)


def mistake_rows(mistakes: list[dict], labels: list[str]) -> Iterator[list[str]]:
    """Yield the header and a row for each mistake: text, label, prediction, and the probability of each label."""
    yield ["text", "label", "prediction", *(f"probability_{label}" for label in labels)]
    for mistake in mistakes:
        probabilities = [f"{probability:.6f}" for probability in mistake["probabilities"]]
        yield [mistake["text"], mistake["label"], mistake["prediction"], *probabilities]


def _notes(evaluation: dict) -> str:
    notes = []
    if len(evaluation["labels"]) == 2:
        notes.append(f"precision, recall and F1 of {evaluation['labels'][1]!r}")
    if evaluation["threshold"] is not None:
        notes.append(f"which is predicted from a probability of {evaluation['threshold']:.3f}")
    if evaluation.get("with_baseline"):
        notes.append("the model's probabilities are mixed with those of its own TF-IDF baseline")
    return notes_on_texts(evaluation, notes)


def _describe_tfidf(baseline: dict) -> str:
    settings = baseline["settings"]
    measured = settings["validation_macro_f1"] is not None
    chosen = "the best on validation" if measured else "defaults: no validation split"
    threshold = "" if settings["threshold"] is None else f", threshold {settings['threshold']:.3f}"
    return (
        f"{TITLES[TFIDF]} was trained on the same train split in {baseline['train_seconds']:.1f} s "
        f"(C {settings['C']:g}, class weights {settings['class_weight'] or 'none'}, "
        f"temperature {settings['temperature']:.3g}{threshold}: {chosen})"
    )
