"""Counts of predictions: the scores of scikit-learn, labels that the model does not have, and the tables shown."""

import logging
import random

import pytest
from sklearn.metrics import accuracy_score, f1_score, precision_recall_fscore_support

from utils.inference.counts.prediction_counts import PredictionCounts, log_counts
from utils.tasks.labels import parse_label_map

LABELS = ["food", "price", "staff"]


@pytest.fixture(autouse=True)
def _log(caplog):
    caplog.set_level(logging.INFO, logger="utils")


def test_scores_of_rows_in_pieces_are_those_of_scikit_learn_at_once():
    generator = random.Random(0)
    true = [generator.choice(LABELS[:2]) for _ in range(90)]
    predicted = [generator.choice(LABELS) for _ in range(90)]
    counts = PredictionCounts(LABELS)
    for first in range(0, 90, 40):
        counts.add(predicted[first : first + 40], true[first : first + 40])
    scores = counts.scores()
    assert (scores["rows"], scores["unknown_labels"]) == (90, 0)
    assert scores["accuracy"] == pytest.approx(accuracy_score(true, predicted))
    assert scores["macro_f1"] == pytest.approx(f1_score(true, predicted, average="macro", zero_division=0))
    columns = precision_recall_fscore_support(true, predicted, labels=LABELS, zero_division=0)
    for label, *expected in zip(LABELS, *columns, strict=True):
        assert list(scores["per_label"][label].values()) == pytest.approx(expected)
    assert counts.predicted == {label: predicted.count(label) for label in LABELS}
    table = counts.table(scores)
    assert table.endswith(f"accuracy {scores['accuracy']:.3f}, macro F1 {scores['macro_f1']:.3f} on 90 labeled rows")


def test_rows_without_text_or_label_have_no_score():
    counts = PredictionCounts(["0", "1"])
    counts.add(["0", None, "1", "1"], ["0", "1", "", "nan"], truncated=2)
    assert counts.scores()["rows"] == 1
    assert (counts.rows, counts.without_text, counts.truncated, counts.unknown.count) == (4, 1, 2, 0)
    assert PredictionCounts(["0", "1"]).scores() is None


def test_labels_are_compared_as_numbers_where_they_are_numbers():
    counts = PredictionCounts(["0", "1"])
    counts.add(["1", "0", "1"], ["1.0", " 0 ", "0.0"])
    assert counts.scores()["accuracy"] == pytest.approx(2 / 3)


def test_labels_are_compared_regardless_of_case_unless_the_model_tells_them_apart():
    counts = PredictionCounts(["Pos", "neg"])
    counts.add(["Pos", "neg", "neg"], ["pos ", "NEG", "POS"])
    assert (counts.scores()["accuracy"], counts.unknown.count) == (pytest.approx(2 / 3), 0)
    counts = PredictionCounts(["us", "US"])
    counts.add(["us", "US", "us"], ["us", "US", "Us"])
    assert (counts.scores()["accuracy"], counts.unknown.count) == (1, 1)


def test_mostly_unknown_labels_give_no_scores_unless_asked_for(caplog):
    counts = PredictionCounts(["0", "1"])
    counts.add(["1", "0", "1"], ["1", "5", "4"])
    assert counts.scores(mostly_unknown=False) is None
    assert counts.scores()["rows"] == 1
    counts.log_labels(None, "stars")
    counts.log_labels(counts.scores(), "stars")
    problem = "2 rows have labels that the model does not have ('5', '4'; it has '0', '1')"
    assert caplog.messages == [
        f"warning: no scores for column 'stars': {problem}",
        f"warning: column 'stars': {problem}, left out of the scores",
    ]


def test_the_label_map_of_training_applies():
    counts = PredictionCounts(["0", "1"], parse_label_map("1-2=0,4-5=1"))
    counts.add(["0", "1", "0", "0"], ["1", "5.0", "3", "4"])
    assert counts.scores()["accuracy"] == pytest.approx(2 / 3)
    assert counts.unknown.count == 0


def test_a_file_with_the_classes_of_the_label_map_is_compared():
    counts = PredictionCounts(["bad", "good"], parse_label_map("1-2=bad,4-5=good"))
    counts.add(["bad", "good", "bad", "bad", "bad"], ["bad", "Good", "good", "1", "fair"])
    assert (counts.scores()["rows"], counts.scores()["accuracy"]) == (4, 0.75)


def test_empty_and_truncated_texts_are_logged(caplog):
    counts = PredictionCounts(["0", "1"])
    counts.add(["0", None], truncated=1)
    log_counts(counts, 64)
    assert caplog.messages == [
        "1 of 2 texts are empty, or become empty in cleaning",
        "1 of 2 texts were cut to 64 tokens",
    ]
