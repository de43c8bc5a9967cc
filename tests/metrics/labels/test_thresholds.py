"""Figures at every threshold: against scikit-learn, text by text."""

import numpy as np
import pytest
import sklearn.metrics as reference

from utils.metrics.labels.bands import GRID
from utils.metrics.labels.thresholds import threshold_lines
from utils.metrics.shares import share_interval


@pytest.fixture(scope="module")
def made():
    generator = np.random.default_rng(4)
    positive = generator.random(50) < 0.4
    return positive, np.round(np.clip(generator.normal(0.3 + 0.3 * positive, 0.2), 0, 1), 2)


def test_the_figures_are_those_of_scikit_learn(made):
    positive, scores = made
    lines = threshold_lines(positive, scores, seed=1)
    for point, threshold in enumerate(GRID):
        predicted = scores >= threshold
        values = {name: line["value"][point] for name, line in lines.items()}
        assert values["recall"] == pytest.approx(reference.recall_score(positive, predicted))
        assert values["f1"] == pytest.approx(reference.f1_score(positive, predicted, zero_division=0))
        assert values["macro_f1"] == pytest.approx(reference.f1_score(positive, predicted, average="macro"))
        assert values["predicted_share"] == pytest.approx(predicted.mean())
        if predicted.any():
            assert values["precision"] == pytest.approx(reference.precision_score(positive, predicted))
        else:
            assert np.isnan(values["precision"])


def test_the_bands_are_never_narrower_than_wilsons(made):
    positive, scores = made
    lines = threshold_lines(positive, scores, seed=1)
    predicted = scores >= GRID[80]
    precision, share = share_interval(positive[predicted]), share_interval(predicted)
    assert lines["precision"]["low"][80] <= precision["low"] + 1e-9
    assert lines["predicted_share"]["high"][80] >= share["high"] - 1e-9
    defined = ~np.isnan(lines["precision"]["value"])
    for line in lines.values():
        low, value, high = (line[end][defined] for end in ("low", "value", "high"))
        assert (low <= value).all()
        assert (value <= high).all()
        assert (high - low).max() > 0.1


@pytest.mark.parametrize("positive", [np.zeros(3, dtype=bool), np.ones(3, dtype=bool)])
def test_texts_of_one_class(positive):
    lines = threshold_lines(positive, np.array([0.2, 0.5, 0.9]), seed=0)
    macro = [reference.f1_score(positive, np.array([0.2, 0.5, 0.9]) >= at, average="macro") for at in GRID]
    assert lines["macro_f1"]["value"] == pytest.approx(macro)
    assert np.isnan(lines["recall"]["value"]).all() == (not positive.any())
