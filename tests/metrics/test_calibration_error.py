"""The calibration error: against plain loops, and that its interval holds the truth."""

import numpy as np
import pytest

from utils.metrics.calibration_error import calibration_errors


def plain_error(right, confidence) -> float:
    gaps = [0.0] * 15
    for one, share in zip(right, confidence, strict=True):
        gaps[next(number for number in range(15) if share <= (number + 1) / 15)] += one - share
    return sum(map(abs, gaps)) / len(right)


def test_the_interval_is_the_basic_one_of_a_slow_bootstrap():
    generator = np.random.default_rng(1)
    confidence = generator.uniform(0.5, 1, 40)
    right = generator.random(40) < confidence - 0.4
    draws = np.random.default_rng(7)
    resampled = []
    for _ in range(1000):
        rows = draws.integers(40, size=40)
        resampled.append(plain_error(right[rows], confidence[rows]))
    low, high = np.percentile(resampled, (2.5, 97.5))
    found = calibration_errors(right, confidence, seed=7)["expected_calibration_error"]
    value = plain_error(right, confidence)
    assert list(found.values()) == pytest.approx([value, 2 * value - high, max(value, 2 * value - low)])
    assert found["low"] > 0.1


def test_a_calibrated_model_is_compared_with_labels_redrawn_from_its_probabilities():
    generator = np.random.default_rng(2)
    confidence = generator.uniform(0.5, 1, 200)
    found = calibration_errors(generator.random(200) < confidence, confidence, seed=0)
    drawn = [plain_error(generator.random(200) < confidence, confidence) for _ in range(500)]
    assert found["calibrated_error"]["value"] == pytest.approx(np.mean(drawn), abs=0.003)
    ends = np.percentile(drawn, (2.5, 97.5))
    assert (found["calibrated_error"]["low"], found["calibrated_error"]["high"]) == pytest.approx(ends, abs=0.006)
    assert found["expected_calibration_error"]["low"] == 0.0


@pytest.mark.parametrize(
    ("claimed", "rows"),
    [(0.0, 50), (0.0, 200), (0.1, 200), (0.25, 50)],
    ids=["calibrated-50", "calibrated-200", "off-200", "far-off-50"],
)
def test_most_intervals_hold_the_truth(monkeypatch, claimed, rows):
    monkeypatch.setattr("utils.metrics.bootstrap.RESAMPLES", 200)
    held = []
    for seed in range(60):
        generator = np.random.default_rng(seed)
        confidence = generator.uniform(0.5, 0.95, rows)
        right = generator.random(rows) < confidence - claimed
        interval = calibration_errors(right, confidence, seed)["expected_calibration_error"]
        held.append(interval["low"] <= claimed <= interval["high"])
        assert 0 <= interval["low"] <= interval["value"] <= interval["high"]
    assert np.mean(held) >= 0.85


def test_one_text_and_certain_predictions():
    found = calibration_errors(np.array([True]), np.array([1.0]), seed=0)
    assert found["expected_calibration_error"] == {"value": 0.0, "low": 0.0, "high": 0.0}
    assert found["calibrated_error"] == {"value": 0.0, "low": 0.0, "high": 0.0}
