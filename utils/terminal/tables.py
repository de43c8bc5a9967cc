"""Tables of figures with their intervals, in plain text for a terminal and in Markdown for a model card."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from utils.metrics.figures import Figure

NO_FIGURE = "–"
_NUMBER = re.compile(r"[-+−]?\d")


def format_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return plain text columns, separated by two spaces, under a ruled header.

    A column of numbers ("" and "–" are missing ones) is aligned right, any other left. ValueError where a row is not
    as long as the header.
    """
    columns = list(zip(header, *rows, strict=True))
    widths = [max(map(len, column)) for column in columns]
    numeric = [is_numeric(column[1:]) for column in columns]

    def line(cells: Sequence[str]) -> str:
        aligned = (
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(cells, widths, numeric, strict=True)
        )
        return "  ".join(aligned).rstrip()

    return "\n".join([line(header), line(["─" * width for width in widths]), *map(line, rows)])


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table as GitHub and the Hub render it."""
    lines = [[cell.replace("|", "\\|") for cell in line] for line in (header, *rows)]
    lines.insert(1, ["---"] * len(header))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def figure_rows(figures: Iterable["Figure"], columns: Iterable[Mapping[str, dict | None]]) -> list[list[str]]:
    """Return one table row per figure: its title, then its value and interval in each column (figure name → figure)."""
    columns = list(columns)
    return [
        [figure.title, *(with_interval(column.get(figure.name), figure.pattern) for column in columns)]
        for figure in figures
    ]


def confusion_rows(labels: Sequence[str], matrix: Sequence[Sequence[int]]) -> list[list[str]]:
    """Return the table rows of a confusion matrix: the true label, then how often each label was predicted."""
    return [[label, *(f"{count:,}" for count in counts)] for label, counts in zip(labels, matrix, strict=True)]


def with_interval(figure: dict | None, pattern: str) -> str:
    """Return a figure {"value", "low", "high"} and its 95 % interval, formatted with `pattern`: "1.25 [1.20, 1.31]".

    "–" for a figure that could not be measured.
    """
    if figure is None:
        return NO_FIGURE
    value, low, high = (pattern.format(figure[key]) for key in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"


def one_line(text: str, width: int = 100) -> str:
    """Return the text as one line of at most `width` characters."""
    line = " ".join(text.split())
    return line if len(line) <= width else line[: width - 1].rstrip() + "…"


def is_numeric(cells: Sequence[str]) -> bool:
    """Return whether the cells of a column are numbers, as far as there are any."""
    present = [cell for cell in cells if cell not in ("", NO_FIGURE)]
    return bool(present) and all(_NUMBER.match(cell) for cell in present)
