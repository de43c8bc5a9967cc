"""The head that training starts from, against scikit-learn's own regression."""

import numpy
import pytest
from sklearn.linear_model import LogisticRegression
from small_classifiers import FAMILIES, WRITERS, base_folder, labeled_data, opinions

from utils.inference.classifier import classifier_logits
from utils.models import checkpoint
from utils.training.linear_probe import (
    CLASS_FITTING,
    fit_regression,
    last_states,
    start_from_probe,
    supports_probe,
)
from utils.training.rows import labeled_rows

LABELS = ["neg", "pos"]


def prepared(folder, family, pairs, labels=LABELS):
    base = checkpoint.load_base_classifier(base_folder(folder, family), labels, seed=0)
    data = labeled_data({"train": pairs}, labels)
    return base, labeled_rows(data, base.tokenizer, 100, ["train"])["train"]


@pytest.mark.parametrize("family", WRITERS)
def test_the_states_are_those_that_the_head_sees(tmp_path, family):
    base, rows = prepared(tmp_path, family, opinions(9))
    states = last_states(base, rows)
    expected = classifier_logits(base.model, base.tokenizer, rows)
    head = base.model.score.weight.detach().double().numpy()
    numpy.testing.assert_allclose(states @ head.T, expected, atol=1e-4)


@pytest.mark.parametrize("family", WRITERS)
def test_the_head_answers_as_the_regression(tmp_path, family):
    base, rows = prepared(tmp_path, family, opinions(60))
    labels = numpy.array([row["label"] for row in rows])
    states = last_states(base, rows)
    start_from_probe(base, rows, None, fitting=CLASS_FITTING)
    logits = classifier_logits(base.model, base.tokenizer, rows)
    standard = (states - states.mean(0)) / states.std(0)
    by_hand = [
        LogisticRegression(C=strength, max_iter=1000).fit(standard, labels).decision_function(standard)
        for strength in (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2)
    ]
    differences = logits[:, 1] - logits[:, 0]
    assert min(numpy.abs(differences - each).max() for each in by_hand) < 0.3
    assert ((differences > 0) == (labels == 1)).mean() > 0.6
    numpy.testing.assert_allclose(logits.sum(1), 0, atol=1e-3)


def test_a_heavy_class_is_answered_more_often(tmp_path):
    means = []
    for weights in ([10.0, 0.1], [0.1, 10.0]):
        base, rows = prepared(tmp_path, "llama", opinions(60))
        start_from_probe(base, rows, weights, fitting=CLASS_FITTING)
        logits = classifier_logits(base.model, base.tokenizer, rows)
        means.append((logits[:, 1] - logits[:, 0]).mean())
    assert means[0] < 0 < means[1]


def test_three_classes(tmp_path):
    pairs = [(text, "meh" if number % 3 == 0 else label) for number, (text, label) in enumerate(opinions(60))]
    base, rows = prepared(tmp_path, "llama", pairs, ["meh", "neg", "pos"])
    start_from_probe(base, rows, None, fitting=CLASS_FITTING)
    logits = classifier_logits(base.model, base.tokenizer, rows)
    assert logits.shape == (60, 3)
    assert numpy.isfinite(logits).all()


@pytest.mark.parametrize("family", FAMILIES)
def test_an_encoder_has_another_probe(tmp_path, family):
    base, rows = prepared(tmp_path, family, opinions(20))
    assert supports_probe(base, rows, CLASS_FITTING) is (family in WRITERS)


def test_too_few_rows_of_a_class(tmp_path):
    base, rows = prepared(tmp_path, "gpt2", [*opinions(10), *4 * [("fine", "meh")]], [*LABELS, "meh"])
    assert not supports_probe(base, rows, CLASS_FITTING)
    assert supports_probe(base, [*rows, rows[-1]], CLASS_FITTING)
    assert not supports_probe(base, [row for row in rows if row["label"] < 2], CLASS_FITTING)


def test_texts_of_one_group_are_in_one_fold():
    """Twins with contradicting labels: a regression that has seen one gives the other the wrong label."""
    labels = numpy.array([number % 2 for number in range(120)])
    states = numpy.repeat(numpy.random.default_rng(0).normal(size=(60, 200)), 2, axis=0)
    apart = fit_regression(states, labels, None)
    together = fit_regression(states, labels, None, [f"twins {number // 2}" for number in range(120)])
    right = [(each.out_of_fold.argmax(1) == labels).mean() for each in (apart, together)]
    assert right[0] < 0.4
    assert right[1] == 0.5  # the twins of a pair always get the same probability
    assert (together.out_of_fold[::2] == together.out_of_fold[1::2]).all()
    one_group = ["one" if label else f"text {number}" for number, label in enumerate(labels)]
    assert (fit_regression(states, labels, None, one_group).out_of_fold == apart.out_of_fold).all()  # too few groups
