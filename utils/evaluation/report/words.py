"""Labels and figures as parts of sentences."""

from utils.terminal.tables import NO_FIGURE, one_line, with_interval

PATTERN = "{:.3f}"
LABEL = 40  # characters of a label in a sentence


def quoted(label: str) -> str:
    """Return a label in quotation marks, cut where it is long."""
    return f"“{one_line(label, LABEL)}”"


def value(figure: dict | None) -> str:
    """Return a figure with its interval."""
    return with_interval(figure, PATTERN)


def number(figure: float | None) -> str:
    """Return a figure alone."""
    return NO_FIGURE if figure is None else PATTERN.format(figure)


def plural(count: int, noun: str) -> str:
    """Return how many there are of something: "1 text", "1,200 texts"."""
    return f"{count:,} {noun}" + "s" * (count != 1)


def nearest(grid: list[float], wanted: float) -> int:
    """Return the place of the point of a grid that is nearest."""
    return min(range(len(grid)), key=lambda place: abs(grid[place] - wanted))
