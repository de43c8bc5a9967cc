"""Markdown for docs/benchmarks.md."""

from collections.abc import Callable, Iterator, Sequence
from statistics import median


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], below: str = "") -> Iterator[str]:
    """Yield the lines of a heading, a table and a line below it; nothing without rows."""
    if not rows:
        return
    yield f"### {title}\n"
    yield f"| {' | '.join(columns)} |"
    yield "|" + "---|" * len(columns)
    for cells in rows:
        yield f"| {' | '.join(cells)} |"
    yield f"\n{below}\n" if below else ""


def spread(values: Sequence[float], digits: int = 2, middle: Callable[[Sequence[float]], float] = median) -> str:
    """Return median (or another middle) [lowest, highest], or the one value that there is."""
    if not values:
        return "too short to tell"
    shown = [f"{value:,.{digits}f}" for value in (middle(values), min(values), max(values))]
    return f"{shown[0]} [{shown[1]}, {shown[2]}]" if len(values) > 1 else shown[0]


def capital(text: str) -> str:
    """Return the text with a capital first letter."""
    return text[:1].upper() + text[1:]
