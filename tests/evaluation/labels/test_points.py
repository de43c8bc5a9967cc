"""The points of a classifier's report: against scikit-learn, and test splits of one class or many."""

import json

import numpy as np
import pytest
import sklearn.calibration
import sklearn.metrics as reference
from scipy.special import softmax

from utils.evaluation.labels.points import classifier_points


def made_up(texts: int, classes: int, temperature: float = 1.0, seed: int = 2):
    """True classes and the probabilities of two fair models, the first one's divided by a temperature."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(0, 1.5, (texts, classes))
    truth = np.array([generator.choice(classes, p=softmax(row)) for row in logits])
    return (
        truth,
        logits,
        softmax(logits / temperature, axis=1),
        softmax(logits + generator.normal(size=logits.shape), 1),
    )


def points_of(truth, probabilities, baseline, temperature=1.0, threshold=None) -> dict:
    models = {
        name: (each.argmax(axis=1) if threshold is None else (each[:, 1] >= threshold).astype(int), each)
        for name, each in (("tuned", probabilities), ("tfidf_logistic_regression", baseline))
    }
    found = classifier_points(
        truth,
        models,
        [f"label {number}" for number in range(probabilities.shape[1])],
        lengths=np.arange(len(truth)) + 1,
        temperature=temperature,
        clusters=[f"text {number}" for number in range(len(truth))],
        seed=4,
    )
    json.dumps(found, allow_nan=False)
    return found


def test_two_classes_have_the_curves_of_the_second():
    truth, _, tuned, baseline = made_up(80, 2)
    (curve,) = points_of(truth, tuned, baseline)["curves"]
    assert (curve["label"], curve["texts"], curve["others"]) == ("label 1", truth.sum(), 80 - truth.sum())
    for name, each in (("tuned", tuned), ("tfidf_logistic_regression", baseline)):
        scores = curve["models"][name]
        area, average = reference.roc_auc_score(truth, each[:, 1]), reference.average_precision_score(truth, each[:, 1])
        assert (scores["roc_auc"]["value"], scores["average_precision"]["value"]) == pytest.approx((area, average))
        for line, grid in (("true_positive_rate", "false_positive_rate"), ("precision", "recall")):
            assert {len(scores[line][end]) for end in ("value", "low", "high")} == {len(curve[grid])} == {101}
        assert np.trapezoid(scores["true_positive_rate"]["value"], curve["false_positive_rate"]) == pytest.approx(
            area, abs=0.02
        )


def test_more_classes_have_the_curves_of_the_most_frequent_ones():
    truth, _, tuned, baseline = made_up(120, 8)
    found = points_of(truth, tuned, baseline)
    drawn = [int(curve["label"].split()[1]) for curve in found["curves"]]
    counts = np.bincount(truth, minlength=8)
    assert len(drawn) == 5
    assert drawn == sorted(drawn)
    assert min(counts[drawn]) >= max(np.delete(counts, drawn))
    for number, curve in zip(drawn, found["curves"], strict=True):
        assert curve["models"]["tuned"]["roc_auc"]["value"] == pytest.approx(
            reference.roc_auc_score(truth == number, tuned[:, number])
        )
    assert found["thresholds"] is None
    assert [scores["label"] for scores in found["classes"]["tuned"]] == [f"label {number}" for number in range(8)]


@pytest.mark.parametrize(("classes", "threshold"), [(2, 0.4), (3, None)])
def test_calibration_before_is_that_of_the_models_own_logits(classes, threshold):
    truth, logits, tuned, baseline = made_up(200, classes, temperature=2.5)
    found = points_of(truth, tuned, baseline, 2.5, threshold)["calibration"]
    predictions = tuned.argmax(axis=1) if threshold is None else (tuned[:, 1] >= threshold).astype(int)
    for stage, each in (("before", softmax(logits, axis=1)), ("after", tuned)):
        confidence = each[np.arange(200), predictions]
        right, mean = sklearn.calibration.calibration_curve(predictions == truth, confidence, n_bins=15)
        bins = found[stage]["bins"]
        assert [bin["mean_confidence"] for bin in bins] == pytest.approx(mean)
        assert [bin["right"]["value"] for bin in bins] == pytest.approx(right)
        assert sum(bin["texts"] for bin in bins) == 200
        gaps = [bin["texts"] * abs(bin["right"]["value"] - bin["mean_confidence"]) for bin in bins]
        assert found[stage]["expected_calibration_error"]["value"] == pytest.approx(sum(gaps) / 200)


def test_without_a_temperature_there_is_no_before():
    truth, _, tuned, baseline = made_up(30, 2)
    assert points_of(truth, tuned, baseline)["calibration"]["before"] is None


def test_certain_probabilities_have_a_before():
    """1 and 0 exactly, as of a model that is sure beyond float64."""
    truth = np.array([0, 1, 1])
    certain = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    found = points_of(truth, certain, certain, temperature=3.0)["calibration"]["before"]
    assert found["bins"][-1]["mean_confidence"] == pytest.approx(1.0)


@pytest.mark.parametrize(("texts", "classes"), [(1, 2), (3, 2), (3, 60), (40, 4)])
def test_a_test_split_of_one_class(texts, classes):
    _, _, tuned, baseline = made_up(texts, classes)
    found = points_of(np.full(texts, 1), tuned, baseline)
    assert found["curves"] == []
    assert found["classes"]["tuned"][0]["recall"] is None
    assert found["classes"]["tuned"][1]["roc_auc"] is None
    assert sum(bin["texts"] for bin in found["lengths"]) == texts
    if classes == 2:
        assert len(found["thresholds"]["macro_f1"]["value"]) == 101


def test_the_figures_at_the_chosen_threshold_are_on_the_line():
    truth, _, tuned, baseline = made_up(60, 2)
    line = points_of(truth, tuned, baseline)["thresholds"]
    predicted = tuned[:, 1] >= 0.3
    assert line["macro_f1"]["value"][30] == pytest.approx(
        reference.f1_score(truth, predicted, average="macro"), abs=1e-4
    )
