"""The scales of axes: positions of values on the paper, and ticks."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

STEPS = (1, 2, 5, 10)


@dataclass(frozen=True)
class Scale:
    """A linear axis from `low` to `high`, drawn from `start` to `end` in units of the SVG."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Return the position of a value, rounded to a hundredth; values beyond the axis lie at its ends."""
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 2)


def ticks(low: float, high: float, at_most: int = 6) -> list[float]:
    """Return the multiples of 1, 2 or 5 times a power of ten from `low` to `high`, at most so many."""
    step = tick_step(low, high, at_most)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]


def tick_step(low: float, high: float, at_most: int) -> float:
    """Return the least step of 1, 2 or 5 times a power of ten with which `at_most` ticks reach over the range."""
    if not high > low:
        raise ValueError(f"an axis from {low} to {high}")
    power = 10.0 ** math.floor(math.log10((high - low) / at_most))
    for factor in (*STEPS, 20, 50):
        step = factor * power
        if math.floor(high / step + 1e-9) - math.ceil(low / step - 1e-9) + 1 <= at_most:
            return step
    raise AssertionError("no step fits")


def limits(values: Iterable[float], at_most: int = 6, include: Iterable[float] = ()) -> tuple[float, float]:
    """Return a range for an axis that holds all finite values and those to `include`, from tick to tick.

    A single value is in the middle of its range; without any, the range is 0 to 1.
    """
    finite = [value for value in (*values, *include) if math.isfinite(value)]
    if not finite:
        return 0.0, 1.0
    low, high = min(finite), max(finite)
    if low == high:
        room = abs(low) / 2 or 0.5
        low, high = low - room, high + room
    while True:  # a wider range may have a greater step
        step = tick_step(low, high, at_most)
        rounded = math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step
        if tick_step(*rounded, at_most) <= step * (1 + 1e-9):
            return rounded
        low, high = rounded


def tick_label(value: float, step: float) -> str:
    """Return a tick's value with as many decimals as the step needs: "0.25", "1,500", "2e-05"."""
    value = 0.0 if abs(value) < step / 2 else value
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    if decimals > 6 or abs(value) >= 1e7:
        return f"{value:.3g}"
    return f"{value:,.{decimals}f}"


def number(value: float | None) -> str:
    """Return a value for a table: whole numbers as they are, others with four digits, "–" for none."""
    if value is None or math.isnan(value):
        return "–"
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:,.4f}" if 0.01 <= abs(value) < 1e5 else f"{value:.4g}"
