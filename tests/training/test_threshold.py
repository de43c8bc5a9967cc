"""Thresholds against brute force, and on models that misjudge, on few texts and on certain ones."""

import numpy
import pytest
from scipy.special import expit, logit
from sklearn.metrics import f1_score

from utils.training.threshold import _best_threshold, expected_f1, expected_macro_f1, fit_threshold


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize(("metric", "average"), [(expected_f1, "binary"), (expected_macro_f1, "macro")])
def test_the_best_threshold_is_that_of_brute_force(seed, metric, average):
    """Expected counts are those of texts that have both labels, each with its probability as the weight."""
    drawn = numpy.random.default_rng(seed).beta(0.5, 0.5 + seed % 3, size=15)
    probabilities = numpy.clip(numpy.round(drawn, 1), 0.001, 0.999)  # with ties
    weights = numpy.concatenate([probabilities, 1 - probabilities])

    def expected(threshold):
        predicted = numpy.tile(probabilities >= threshold, 2)
        return f1_score([1] * 15 + [0] * 15, predicted, average=average, sample_weight=weights, zero_division=0)

    found = _best_threshold(probabilities, metric)
    assert expected(found) == pytest.approx(max(map(expected, numpy.arange(0.0, 1.01, 0.01))))


def drawn(log_odds, seed=0):
    return (numpy.random.default_rng(seed).random(len(log_odds)) < expit(log_odds)).astype(int)


@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("shift", [-2.0, 0.0, 1.0])
def test_a_threshold_corrects_a_model_that_misjudges_the_share_of_a_class(scale, shift):
    honest = numpy.random.default_rng(1).normal(size=4000) * 2
    found = fit_threshold(expit(scale * honest + shift), drawn(honest))
    assert (logit(found) - shift) / scale == pytest.approx(0, abs=0.2)


def test_a_rare_class_is_predicted_before_it_is_likelier_than_not():
    """On many texts, the threshold is the one that is best for the texts themselves."""
    honest = numpy.random.default_rng(2).normal(size=20_000) * 1.5 + 3
    labels = drawn(honest)
    found = fit_threshold(expit(honest), labels)
    second = expit(honest)
    macro_f1 = {t: f1_score(labels, second >= t, average="macro") for t in numpy.arange(0.5, 1.0, 0.02)}
    assert macro_f1[max(macro_f1, key=macro_f1.get)] - f1_score(labels, second >= found, average="macro") < 0.003
    assert found > 0.65


def test_a_few_texts_hardly_move_the_threshold_of_a_model_that_is_right():
    """The best threshold of these ten texts is 0.25: the two surest mistakes are luck."""
    second = numpy.array([0.05, 0.1, 0.2, 0.3, 0.35, 0.65, 0.7, 0.8, 0.9, 0.95])
    labels = [0, 0, 0, 1, 1, 1, 1, 1, 1, 1]
    assert 0.35 < fit_threshold(second, labels) < 0.5


@pytest.mark.parametrize("labels", [[1, 1, 1], [0, 0, 0]])
@pytest.mark.parametrize("second", [[0.1, 0.5, 0.9], [0.0, 0.0, 0.0], [1.0, 1.0, 1.0], [0.0, 1.0, 1.0]])
def test_certain_probabilities_and_labels_of_one_class_have_a_threshold(labels, second):
    found = fit_threshold(numpy.array(second), labels)
    assert 1e-5 <= found <= 1 - 1e-5
