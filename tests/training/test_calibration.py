"""Temperatures against brute force, and what is fitted to which model."""

import logging

import numpy
import pytest
from scipy.special import log_softmax
from small_classifiers import labeled_data, opinions
from small_models import changed, weights_of

from utils.models import checkpoint
from utils.models.classifier_tokenizer import find_head, with_template
from utils.training.calibration import calibrate, calibrate_model, fit_temperature
from utils.training.rows import labeled_rows


def answers(rows, classes, sharpness, seed=0):
    """Return logits that are `sharpness` times those of the true probabilities, and labels drawn from these."""
    generator = numpy.random.default_rng(seed)
    honest = generator.normal(size=(rows, classes)) * 1.5
    odds = numpy.exp(log_softmax(honest, axis=1))
    labels = [int(generator.choice(classes, p=row)) for row in odds]
    return honest * sharpness, labels


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("sharpness", [0.25, 1.0, 3.0])
def test_the_temperature_corrects_overconfidence(classes, sharpness):
    logits, labels = answers(4000, classes, sharpness)
    assert fit_temperature(logits, labels) == pytest.approx(sharpness, rel=0.1)


def test_the_temperature_is_optimal():
    logits, labels = answers(60, 3, 2.0)

    def loss(temperature):
        likelihoods = log_softmax(logits / temperature, axis=1)[range(60), labels]
        return -likelihoods.sum() + numpy.log(temperature) ** 2 / 2

    grid = numpy.geomspace(0.05, 20, 4001)
    assert fit_temperature(logits, labels) == pytest.approx(grid[numpy.argmin([loss(t) for t in grid])], rel=0.01)


def test_a_small_split_without_a_mistake_does_not_make_everything_certain():
    logits = numpy.array([[1.0, -1.0], [-1.0, 1.0]] * 5)
    temperature = fit_temperature(logits, [0, 1] * 5)
    assert 0.2 < temperature < 0.9


@pytest.fixture(scope="module")
def trained():
    return checkpoint.load_base_classifier("tiny", ["neg", "pos"], seed=0)


@pytest.fixture(scope="module")
def rows(trained):
    data = labeled_data({"validation": opinions(20)}, ["neg", "pos"])
    return labeled_rows(data, trained.tokenizer, 100, ["validation"])["validation"]


def test_a_given_threshold_is_kept(trained, rows):
    assert calibrate(trained, rows, "0.3")["threshold"] == 0.3
    assert 0 < calibrate(trained, rows, "auto")["threshold"] < 1


def test_without_validation_texts_nothing_is_fitted(trained):
    assert calibrate(trained, [], "auto") == {"temperature": 1.0, "threshold": 0.5}


def test_more_than_two_classes_have_no_threshold(rows):
    three = checkpoint.load_base_classifier("tiny", ["a", "b", "c"], seed=0)
    found = calibrate(three, rows, "auto")
    assert found["threshold"] is None
    assert found["temperature"] != 1.0


@pytest.mark.parametrize("squash", ["tanh", "softmax"])
def test_logits_that_no_layer_scales_keep_their_temperature(monkeypatch, caplog, squash):
    """Then no folder could hold another one, so that other tools would give other probabilities."""
    caplog.set_level(logging.INFO)
    base = checkpoint.load_base_classifier("tiny", ["neg", "pos"], seed=1)
    base.model.score.weight.data *= 20
    trained = checkpoint.Trained(base.model, with_template(base.tokenizer, "{prompt}"), {})
    assert find_head(base.model, trained.tokenizer) is base.model.score
    forward = base.model.forward

    def squashed(*arguments, **options):
        output = forward(*arguments, **options)
        output.logits = output.logits.tanh() if squash == "tanh" else output.logits.softmax(-1)
        return output

    monkeypatch.setattr(base.model, "forward", squashed)
    data = labeled_data({"validation": opinions(20)}, ["neg", "pos"])
    rows = labeled_rows(data, base.tokenizer, 128, ["validation"])["validation"]
    assert find_head(base.model, trained.tokenizer) is None
    before = weights_of(base.model)
    found = calibrate_model(trained, rows, "0.4")
    assert found == {"temperature": 1.0, "threshold": 0.4}
    assert not changed(before, weights_of(base.model))
    kind = type(base.model).__name__
    assert f"warning: the head of a {kind} cannot be scaled, so no temperature is fitted" in caplog.messages
