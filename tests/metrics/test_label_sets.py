"""F1 of sets of labels against scikit-learn, for the rows themselves and for draws of them."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score

from utils.metrics.bootstrap import resampled_counts
from utils.metrics.label_sets import label_set_differences, label_set_intervals, scores_by_label

GENERATOR = np.random.default_rng(2)
LABELS = GENERATOR.random((60, 4)) < [0.5, 0.3, 0.1, 0.0]
PREDICTIONS = LABELS ^ (GENERATOR.random((60, 4)) < 0.2)
OTHERS = LABELS ^ (GENERATOR.random((60, 4)) < 0.4)


def f1(rows, predictions, average: str) -> float:
    return f1_score(LABELS[rows], predictions[rows], average=average, zero_division=0)


def macro_f1(rows) -> float:
    """F1 of each label by its definition, since scikit-learn takes seconds for a thousand draws."""
    scores = []
    for has, predicted in zip(LABELS[rows].T, PREDICTIONS[rows].T, strict=True):
        right = (has & predicted).sum()
        scores.append(2 * right / (has.sum() + predicted.sum()) if right else 0.0)
    return float(np.mean(scores))


def test_f1_and_its_interval_are_those_of_drawn_rows():
    draws = [np.repeat(np.arange(60), draw.astype(int)) for draw in np.concatenate(list(resampled_counts(60, seed=3)))]
    low, high = np.percentile(list(map(macro_f1, draws)), [2.5, 97.5])
    found = label_set_intervals(LABELS, PREDICTIONS, None, seed=3)
    expected = {"value": f1(np.arange(60), PREDICTIONS, "macro"), "low": low, "high": high}
    assert found["macro_f1"] == pytest.approx(expected)
    assert found["micro_f1"]["value"] == pytest.approx(f1(np.arange(60), PREDICTIONS, "micro"))
    assert found["micro_f1"]["low"] < found["micro_f1"]["value"] < found["micro_f1"]["high"]


def test_differences_are_of_the_same_texts():
    found = label_set_differences(LABELS, PREDICTIONS, OTHERS, None, seed=3)
    for average in ("macro", "micro"):
        every = np.arange(60)
        expected = f1(every, PREDICTIONS, average) - f1(every, OTHERS, average)
        assert found[f"{average}_f1"]["value"] == pytest.approx(expected)
        assert found[f"{average}_f1"]["low"] > 0


def test_subset_accuracy_and_the_scores_of_each_label():
    found = label_set_intervals(LABELS, PREDICTIONS, None, seed=0)
    assert found["subset_accuracy"]["value"] == pytest.approx(accuracy_score(LABELS, PREDICTIONS))
    for number, scores in enumerate(scores_by_label(LABELS, PREDICTIONS, None)):
        has, predicted = LABELS[:, number], PREDICTIONS[:, number]
        assert scores["texts"] == has.sum()
        for name, score in (("precision", precision_score), ("recall", recall_score), ("f1", f1_score)):
            assert scores[name]["value"] == pytest.approx(score(has, predicted, zero_division=0)), name
