"""What a trained classifier must beat: the majority class, and TF-IDF with logistic regression, made in seconds.

MERGED: The evaluation of models that classify: figures on the test split, baselines beside them, and the mistakes."""

import csv
import logging
import shlex
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from utils.errors import DataError
from utils.files import atomic_write
from utils.inference.classifier import classify_texts
from utils.metrics.classification import Classification, classification_difference
from utils.metrics.compute import compute_metric
from utils.text_tables import format_table, one_line, with_interval

if TYPE_CHECKING:
    import numpy

    from utils.inference.classifier import Classifier
    from utils.processed import Processed, Split

INVERSE_REGULARISATION = (0.1, 1.0, 10.0, 100.0)
CLASS_WEIGHTS = (None, "balanced")
UNCHOSEN = (1.0, None)  # scikit-learn's own defaults, where no validation split can choose
# scikit-learn's own words, and beyond them emoji and other symbols, which it drops and which say a lot in reviews.
TOKEN = r"(?u)\b\w\w+\b|[^\w\s\u0000-\u206f]"


@dataclass(frozen=True)
class Baseline:
    """A baseline's answers on the test texts: (texts, labels) float64 probabilities, and the label number of each text.

    `settings` were chosen on the validation split, which `train_seconds` includes.
    """

    probabilities: "numpy.ndarray"
    predictions: list[int]
    settings: dict
    train_seconds: float


def majority_class(train: "Split", test_texts: Sequence[str], labels: Sequence[str]) -> Baseline:
    """The label that most training rows have (the first of `labels` in a draw), with their shares as probabilities."""
    import numpy

    begin = time.perf_counter()
    counts = numpy.bincount(_numbers(train, labels), minlength=len(labels))
    return Baseline(
        probabilities=numpy.tile(counts / counts.sum(), (len(test_texts), 1)),
        predictions=[int(counts.argmax())] * len(test_texts),
        settings={"label": labels[int(counts.argmax())]},
        train_seconds=time.perf_counter() - begin,
    )


def tfidf_logistic_regression(
    train: "Split", validation: "Split", test_texts: Sequence[str], labels: Sequence[str]
) -> Baseline:
    """Logistic regression on the TF-IDF (sublinear) of words and pairs of words, trained on the train split.

    Its regularisation and class weights are those with the best macro F1 on the validation split and, of equals, with
    the least log loss there. It is deterministic. DataError where the train split has one label only, or no word.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    begin = time.perf_counter()
    numbers = _numbers(train, labels)
    if len(set(numbers)) < 2:
        raise DataError("the train split has rows of one label only", "preprocess rows of two labels or more")
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=TOKEN)
    try:
        features = vectorizer.fit_transform(train.prompt)
    except ValueError as error:  # scikit-learn: "empty vocabulary; perhaps the documents only contain stop words"
        raise DataError("the train split has no word of two letters and no emoji", "preprocess real texts") from error
    model, settings = _chosen(features, numbers, vectorizer, validation, labels)
    seconds = time.perf_counter() - begin
    probabilities = _probabilities(model, vectorizer.transform(test_texts), len(labels))
    return Baseline(probabilities, probabilities.argmax(axis=1).tolist(), settings, seconds)


def _chosen(features, numbers: list[int], vectorizer, validation: "Split", labels: Sequence[str]):
    """The fitted model that does best on the validation split, and its settings."""
    from sklearn.metrics import f1_score, log_loss

    if len(validation) == 0:
        inverse, weights = UNCHOSEN
        settings = {"C": inverse, "class_weight": weights, "validation_macro_f1": None}
        return _fitted(features, numbers, inverse, weights), settings
    validation_features = vectorizer.transform(validation.prompt)
    expected = _numbers(validation, labels)
    best_rank, best = (-1.0, 0.0), None
    for weights in CLASS_WEIGHTS:
        for inverse in INVERSE_REGULARISATION:
            model = _fitted(features, numbers, inverse, weights)
            probabilities = _probabilities(model, validation_features, len(labels))
            score = float(f1_score(expected, probabilities.argmax(axis=1), average="macro", zero_division=0))
            rank = (score, -log_loss(expected, probabilities, labels=range(len(labels))))
            if rank > best_rank:
                best_rank = rank
                best = model, {"C": inverse, "class_weight": weights, "validation_macro_f1": score}
    return best


def _fitted(features, numbers: list[int], inverse: float, weights: str | None):
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    with warnings.catch_warnings():
        # A model that has not converged is judged on the validation split as it is, like any other.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return LogisticRegression(C=inverse, class_weight=weights, max_iter=1000).fit(features, numbers)


def _probabilities(model, features, labels: int) -> "numpy.ndarray":
    import numpy

    probabilities = numpy.zeros((features.shape[0], labels))  # a label that no training row has stays at 0
    probabilities[:, model.classes_] = model.predict_proba(features)
    return probabilities


def _numbers(split: "Split", labels: Sequence[str]) -> list[int]:
    number = {label: index for index, label in enumerate(labels)}
    return [number[label] for label in split.label]


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


def evaluate_classifier(
    classifier: "Classifier", data: "Processed", seed: int, precision: str
) -> tuple[dict, list[dict]]:
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
        return compute_metric(
            Classification, predictions=predictions, references=truth, probabilities=probabilities, seed=seed
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
        "difference": classification_difference(truth, predictions, baselines[TFIDF].predictions, len(labels), seed),
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


def format_report_of_classifier(evaluation: dict) -> str:
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
