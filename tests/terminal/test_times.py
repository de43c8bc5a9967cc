"""Elapsed and remaining times in words."""

import pytest

from utils.terminal.times import duration, time_left


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.2, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (192, "3 min 12 s"),
        (3599.7, "1 h 0 min"),
        (7500, "2 h 5 min"),
    ],
)
def test_durations(seconds, said):
    assert duration(seconds) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 s left"), (59.4, "59 s left"), (59.7, "1 min left"), (200, "3 min left"), (3590, "1 h 0 min left")],
)
def test_time_left(seconds, said):
    assert time_left(seconds) == said
