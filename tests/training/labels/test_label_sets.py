"""Learning several labels: the loss, the regressions of the probe, and the thresholds."""

import numpy
import pytest
import torch
from sklearn.metrics import f1_score

from utils.compute.batching import IGNORED
from utils.training.labels.label_sets import (
    SET_FITTING,
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


def test_each_label_has_the_threshold_of_its_best_f1_and_an_absent_one_has_a_half():
    generator = numpy.random.default_rng(0)
    chances = generator.beta([0.3, 1, 1], [3, 1, 9], size=(5000, 3))
    labels = (generator.random(chances.shape) < chances).astype(float)
    labels[:, 2] = 0
    found = fit_label_thresholds(chances, labels)
    assert found[2] == 0.5
    for column, has, threshold in zip(chances.T[:2], labels.T[:2], found[:2], strict=True):
        best = max(f1_score(has, column >= cut) for cut in numpy.arange(0.05, 0.95, 0.01))
        assert f1_score(has, column >= threshold) > best - 0.01
    assert found[0] < found[1]


def test_one_text_alone_does_not_give_its_label_to_all_texts():
    labels = numpy.array([[0.0]] * 19 + [[1.0]])
    probabilities = numpy.array([[0.02]] * 10 + [[0.2]] * 9 + [[0.03]])
    [threshold] = fit_label_thresholds(probabilities, labels)
    assert threshold > 0.03


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
