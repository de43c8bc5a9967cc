"""Axes in numbers."""

import pytest

from utils.plots.scales import Scale, limits, number, tick_label, tick_step, ticks


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (0, 100, [0, 20, 40, 60, 80, 100]),
        (0, 13, [0, 5, 10]),
        (-0.3, 0.4, [-0.2, 0, 0.2, 0.4]),
        (0.6922, 0.6926, [0.6922, 0.6923, 0.6924, 0.6925, 0.6926]),
    ],
)
def test_ticks_are_round_numbers(low, high, expected):
    assert ticks(low, high) == pytest.approx(expected)


def test_an_axis_goes_from_tick_to_tick():
    assert limits([3, 97]) == (0, 100)
    assert limits([0.13, 0.91], include=[0]) == pytest.approx((0, 1))
    assert limits([7, 7]) == pytest.approx((3, 11), abs=1)
    assert limits([]) == (0, 1)
    assert limits([float("nan"), 2, 4, float("inf")]) == (2, 4)


def test_labels_have_the_decimals_of_the_step():
    assert [tick_label(tick, tick_step(0, 1, 6)) for tick in ticks(0, 1)] == ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]
    assert tick_label(1500, 500) == "1,500"
    assert tick_label(0.69228, 2e-5) == "0.69228"
    assert tick_label(-1e-17, 0.1) == "0.0"


def test_a_place_on_the_paper():
    scale = Scale(0, 10, 100, 300)
    assert [scale(value) for value in (0, 2.5, 10, 11, -1)] == [100, 150, 300, 300, 100]


def test_numbers_in_tables():
    assert [number(value) for value in (3, 1234567.0, 0.25, 1e-7, None, float("nan"))] == [
        *("3", "1,234,567", "0.2500", "1e-07", "–", "–")
    ]
