"""Evaluate models that give texts several labels: F1 on the test split, beside baselines, and the mistakes."""

import logging
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from utils.errors import DataError
from utils.evaluation.baselines import verdict
from utils.evaluation.label_sets.baselines import (
    LabelSetBaseline,
    label_matrix,
    most_frequent_set,
    tfidf_one_vs_rest,
)
from utils.evaluation.labels.judged import notes_on_texts, predict_test
from utils.inference.classifier import Classifier
from utils.metrics.bootstrap import cluster_numbers
from utils.metrics.figures import LABELING
from utils.metrics.label_sets import label_set_differences, label_set_intervals, scores_by_label
from utils.processed import Processed
from utils.tasks.label_kinds.label_sets import SEPARATOR
from utils.terminal.tables import figure_rows, format_table, one_line

log = logging.getLogger(__name__)
FREQUENT, TFIDF = "most_frequent", "tfidf_one_vs_rest"
TITLES = {"tuned": "tuned", FREQUENT: "most frequent labels", TFIDF: "TF-IDF + logistic regressions"}
SHOWN = 10  # mistakes
WIDTH = 300  # characters of a text


def check_labels(model_path: str, labels: Sequence[str], data_path: Path, data: Processed) -> None:
    """Raise DataError if the data has labels that the model does not know."""
    found = {label for split in data.splits.values() for of_text in split.label for label in of_text}
    if unknown := sorted(found - set(labels)):
        unknown, known = (", ".join(map(repr, names)) for names in (unknown, labels))
        raise DataError(
            f"{data_path} has labels that {model_path} does not know: {unknown}; it knows {known}",
            "evaluate it on data with its own labels, or train a new model: python fine_tune.py --data "
            f"{shlex.quote(str(data_path))}",
        )


def evaluate_labels(classifier: Classifier, data: Processed, *, seed: int, precision: str) -> tuple[dict, list[dict]]:
    """Return (every figure of the model and the baselines on the test split, as plain JSON values; all mistakes).

    A mistake is {"text", "labels", "predictions", "probabilities"}, those with the most wrong labels first. Test texts
    that the model's own cleaning empties are left out, for the baselines too, and counted.
    """
    names, test = classifier.labels, data.splits["test"]
    result, rows, test = predict_test(classifier, test, bfloat16=precision == "bf16", progress="classifying")
    probabilities = result.probabilities[rows]
    labels = label_matrix(test, names)
    predictions = probabilities >= np.array(classifier.thresholds)
    train, validation = data.splits["train"], data.splits["validation"]
    baselines = {
        FREQUENT: most_frequent_set(train, test.prompt, names),
        TFIDF: tfidf_one_vs_rest(train, validation, test.prompt, names),
    }
    of_words = baselines[TFIDF].predictions
    difference = label_set_differences(labels, predictions, of_words, test.group, seed)
    mistakes = [
        {
            "text": test.prompt[row],
            "labels": _chosen(names, labels[row]),
            "predictions": _chosen(names, predictions[row]),
            "probabilities": probabilities[row].tolist(),
        }
        for row in np.argsort(-(labels != predictions).sum(axis=1), kind="stable").tolist()
        if (labels[row] != predictions[row]).any()
    ]
    evaluation = {
        "labels": names,
        "thresholds": classifier.thresholds,
        "max_length": classifier.max_length,
        "texts": len(test),
        "truncated_texts": result.truncated,
        "texts_left_out": len(result.labels) - len(test),
        "tuned": label_set_intervals(labels, predictions, test.group, seed),
        "baselines": {name: _measured(each, labels, test.group, seed) for name, each in baselines.items()},
        "difference": difference,
        "mistakes": len(mistakes),
        "largest_mistakes": [{**mistake, "text": one_line(mistake["text"], WIDTH)} for mistake in mistakes[:SHOWN]],
        "verdict": verdict(difference, TITLES[TFIDF]),
        "points": {
            "labels": {
                name: scores_by_label(labels, some, test.group)
                for name, some in (("tuned", predictions), (TFIDF, of_words))
            },
            "labels_per_text": {
                name: np.bincount(some.sum(axis=1), minlength=len(names) + 1).tolist()
                for name, some in (("given", labels), ("tuned", predictions), (TFIDF, of_words))
            },
        },
        "per_text": {
            "row": rows,
            "label": [np.flatnonzero(row).tolist() for row in labels],
            "prediction": [np.flatnonzero(row).tolist() for row in predictions],
            "cluster": cluster_numbers(test.group, len(rows)).tolist(),
        },
    }
    if any(figure["low"] <= 0 for figure in difference.values()):
        log.warning("warning: the model is %s", evaluation["verdict"])
    return evaluation, mistakes


def _chosen(names: Sequence[str], row: np.ndarray) -> list[str]:
    return [names[number] for number in np.flatnonzero(row)]


def _measured(baseline: LabelSetBaseline, labels: np.ndarray, clusters: list[str], seed: int) -> dict:
    return {
        **label_set_intervals(labels, baseline.predictions, clusters, seed),
        "settings": baseline.settings,
        "train_seconds": round(baseline.train_seconds, 3),
    }


def format_labels_report(evaluation: dict) -> str:
    """Return the evaluation as text for a terminal: figures beside the baselines', each label, and mistakes."""
    columns = {"tuned": evaluation["tuned"], **evaluation["baselines"]}
    baseline = evaluation["baselines"][TFIDF]
    chosen = "defaults" if baseline["settings"]["validation_macro_f1"] is None else "the best on validation"
    of_models = zip(
        evaluation["labels"], evaluation["thresholds"], *evaluation["points"]["labels"].values(), strict=True
    )
    by_label = [
        [
            label,
            f"{tuned['texts']:,}",
            *(f"{tuned[name]['value']:.3f}" for name in ("precision", "recall", "f1")),
            f"{threshold:.3f}",
            f"{words['f1']['value']:.3f}",
        ]
        for label, threshold, tuned, words in of_models
    ]
    mistakes = [
        [_joined(mistake["predictions"]), _joined(mistake["labels"]), one_line(mistake["text"])]
        for mistake in evaluation["largest_mistakes"]
    ]
    parts = [
        f"test split: {evaluation['texts']:,} texts{notes_on_texts(evaluation)}; 95% intervals in brackets",
        format_table(["", *(TITLES[name] for name in columns)], figure_rows(LABELING, columns.values())),
        f"{TITLES[TFIDF]} were trained on the same train split in {baseline['train_seconds']:.1f} s "
        f"(C {baseline['settings']['C']:g}: {chosen})",
        f"{TITLES['tuned']} on the same texts: {evaluation['verdict']}",
        format_table(["label", "texts", "precision", "recall", "F1", "threshold", "F1 of TF-IDF"], by_label),
    ]
    if mistakes:
        parts.append(f"{len(mistakes)} of {evaluation['mistakes']:,} texts with wrong labels, the most wrong first:")
        parts.append(format_table(["predicted", "labels", "text"], mistakes))
    return "\n\n".join(parts)


def mistake_rows(mistakes: list[dict], names: Sequence[str]) -> Iterator[list[str]]:
    """Yield the header and a row for each mistake: text, labels, predictions, and the probability of each label."""
    yield ["text", "labels", "predictions", *(f"probability_{name}" for name in names)]
    for mistake in mistakes:
        sets = [SEPARATOR.join(mistake[name]) for name in ("labels", "predictions")]
        yield [mistake["text"], *sets, *(f"{probability:.6f}" for probability in mistake["probabilities"])]


def _joined(labels: Sequence[str]) -> str:
    return f"{SEPARATOR} ".join(labels) or "–"
