"""Scores of each class against scikit-learn."""

import numpy as np
import pytest
import sklearn.metrics as reference

from utils.metrics.labels.by_class import class_scores


def test_the_scores_are_those_of_scikit_learn():
    generator = np.random.default_rng(2)
    probabilities = generator.dirichlet(np.ones(4), 60)
    truth = np.array([generator.choice(4, p=row) for row in probabilities])
    predictions = probabilities.argmax(axis=1)
    found = class_scores(predictions, truth, probabilities)
    columns = reference.precision_recall_fscore_support(truth, predictions)
    for number, scores in enumerate(found):
        precision, recall, f1, texts = (column[number] for column in columns)
        expected = {"precision": precision, "recall": recall, "f1": f1}
        expected["roc_auc"] = reference.roc_auc_score(truth == number, probabilities[:, number])
        assert scores["texts"] == texts
        assert scores["predicted"] == (predictions == number).sum()
        assert {name: scores[name]["value"] for name in expected} == pytest.approx(expected)
        assert all(scores[name]["low"] < scores[name]["value"] < scores[name]["high"] for name in expected)


def test_undefined_figures_are_none():
    first, second, third = class_scores(np.array([0, 0]), np.array([0, 1]), np.array([[0.6, 0.3, 0.1]] * 2))
    assert first["precision"]["value"] == 0.5
    assert (second["precision"], second["recall"]["value"], second["f1"]["value"]) == (None, 0.0, 0.0)
    assert second["roc_auc"]["value"] == 0.5
    assert third == {"texts": 0, "predicted": 0, "precision": None, "recall": None, "f1": None, "roc_auc": None}


def test_texts_of_one_source_count_together():
    right, clusters = np.repeat([0, 1], 20), np.repeat(np.arange(8), 5)
    probabilities = np.full((40, 2), 0.5)
    apart, together = (
        class_scores(np.zeros(40, dtype=int), right, probabilities, group)[0]["precision"] for group in (None, clusters)
    )
    assert together["low"] < apart["low"] < 0.5 < apart["high"] < together["high"]
