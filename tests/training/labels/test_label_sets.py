"""Learning several labels: the loss, the regressions of the probe, and the thresholds."""

import numpy
import pytest
import torch
from sklearn.metrics import f1_score

from utils.compute.batching import IGNORED
from utils.training.labels.label_sets import (
    SET_FITTING,
    _best_threshold,
    _binary_cross_entropy,
    fit_each_label,
    fit_label_thresholds,
)
from utils.training.row_order import unsupervised_row


def test_the_loss_counts_supervised_labels_alone():
    logits = torch.tensor([[0.3, -1.0], [2.0, 0.1]])
    labels = torch.tensor([[1.0, 0.0], [float(IGNORED)] * 2])
    expected = torch.nn.functional.binary_cross_entropy_with_logits(logits[:1], labels[:1])
    assert _binary_cross_entropy({"logits": logits}, labels) == pytest.approx(expected.item())
    assert _binary_cross_entropy({"logits": logits}, labels, 4) == pytest.approx(expected.item() / 2)
    row = unsupervised_row([{"input_ids": [1], "label": [1.0, 0.0]}])
    assert row["label"] == [IGNORED] * 2


def test_the_best_threshold_is_the_best_of_all_cuts():
    generator = numpy.random.default_rng(0)
    for _ in range(20):
        probabilities, has = generator.random(30).round(1), generator.random(30) < 0.3
        cuts = numpy.concatenate([[0.0], numpy.unique(probabilities) + 1e-9])
        best = max(f1_score(has, probabilities >= cut, zero_division=0) for cut in cuts)
        found = f1_score(has, probabilities >= _best_threshold(probabilities, has), zero_division=0)
        assert found == pytest.approx(best)


def test_a_label_of_few_texts_shares_the_threshold_of_all_labels():
    labels = numpy.array([[1, 0]] * 10 + [[0, 0]] * 9 + [[0, 1]])
    probabilities = numpy.where(labels == 1, 0.2, 0.1)
    probabilities[-1, 1] = 0.002  # by which alone all texts would get the label
    probabilities[:-1, 1] = 0.001
    assert fit_label_thresholds(probabilities, labels, seed=1) == pytest.approx([0.15, 0.15])
    assert fit_label_thresholds(probabilities, numpy.zeros((20, 2)), seed=1) == [0.5, 0.5]


def test_a_rare_label_gets_its_frequency_and_the_others_are_told_apart():
    generator = numpy.random.default_rng(0)
    states = generator.normal(size=(200, 5))
    labels = numpy.stack([states[:, 0] > 0, states[:, 1] > 1, numpy.arange(200) < 3], axis=1).astype(float)
    fitted = fit_each_label(states, labels, None)
    probabilities = 1 / (1 + numpy.exp(-(states @ fitted.weights.T + fitted.bias)))
    assert ((probabilities[:, :2] >= 0.5) == labels[:, :2]).mean() > 0.9
    assert probabilities[:, 2] == pytest.approx(numpy.full(200, 3 / 200))


def test_tried_labels_have_both_sides():
    spread = SET_FITTING.spread(30, 4)
    assert spread.shape == (30, 4)
    assert spread.sum(axis=0).min() >= 5
    assert SET_FITTING.classes_of([0.0, 1.0, 1.0]) == [1, 2]
