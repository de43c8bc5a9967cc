"""Numbers that are rounded for people keep their first digits."""

import pytest

from utils.terminal.numbers import rounded


@pytest.mark.parametrize(
    ("number", "expected"),
    [(0, "0.000"), (1994.3456, "1994.346"), (-0.25, "-0.250"), (0.05, "0.05"), (0.000123456, "0.000123"),
     (-4.56789e-9, "-4.57e-09")],
)  # fmt: skip
def test_small_numbers_have_digits_and_others_decimals(number, expected):
    assert rounded(number, 3) == expected
