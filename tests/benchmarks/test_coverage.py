"""The simulation of the coverage of intervals: its populations, and that it tells good from bad."""

import numpy as np
import pytest

from benchmarks import coverage


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr(coverage, "POPULATION", 4000)
    monkeypatch.setattr(coverage, "ANSWERS", 200)
    monkeypatch.setattr("utils.metrics.bootstrap.RESAMPLES", 50)


def test_every_figure_of_every_population_has_a_truth_and_an_interval():
    for population in coverage.populations(""):
        found = coverage.covered(population, 50, 1)
        assert found.keys() == population.truth.keys(), population.name
        assert np.isfinite(list(population.truth.values())).all()
        assert [coverage.title(figure) for figure in found]


def test_the_truth_of_a_calibrated_classifier_is_no_error():
    calibrated, overconfident = list(coverage.populations("classifier"))[:2]
    assert calibrated.truth["expected_calibration_error"] < 0.001
    assert 0.08 < overconfident.truth["expected_calibration_error"] < 0.1


def test_coverage_is_the_share_that_held_the_truth():
    def draw(rows, generator):
        low = (
            generator.random() - 0.25
        )  # from -0.25 to 0.75; the interval holds 0.5 if it begins from 0 on and not above 0.5
        return {"accuracy": {"value": low, "low": low, "high": low + 0.5}, "precision": None}

    found = coverage.covered(coverage.Population("made up", {"accuracy": 0.5, "precision": 0.1}, draw), 10, 400)
    assert found == {"accuracy": pytest.approx(0.5, abs=0.08)}
