"""How figures are shown: with their interval, in plain columns for a terminal, and in Markdown for a model card."""

import re
from collections.abc import Sequence

NO_FIGURE = "–"
_FIGURE = re.compile(r"[-+−]?\d")


def format_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Plain text columns, two blanks apart, under a ruled header.

    A column of figures ("" and "–" stand for missing ones) is aligned right, any other left. ValueError where a
    row is not as long as the header.
    """
    columns = list(zip(header, *rows, strict=True))
    widths = [max(map(len, column)) for column in columns]
    right = [_holds_figures(column[1:]) for column in columns]

    def line(cells: Sequence[str]) -> str:
        aligned = (
            cell.rjust(width) if figures else cell.ljust(width)
            for cell, width, figures in zip(cells, widths, right, strict=True)
        )
        return "  ".join(aligned).rstrip()

    return "\n".join([line(header), line(["─" * width for width in widths]), *map(line, rows)])


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table as GitHub and the Hub render it."""
    lines = [[cell.replace("|", "\\|") for cell in line] for line in (header, *rows)]
    lines.insert(1, ["---"] * len(header))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def with_interval(figure: dict | None, pattern: str) -> str:
    """A figure {"value", "low", "high"} and its 95 % interval, each written as `pattern` says: "1.25 [1.20, 1.31]".

    "–" for a figure that could not be measured.
    """
    if figure is None:
        return NO_FIGURE
    value, low, high = (pattern.format(figure[key]) for key in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"


def _holds_figures(cells: Sequence[str]) -> bool:
    figures = [cell for cell in cells if cell not in ("", NO_FIGURE)]
    return bool(figures) and all(_FIGURE.match(cell) for cell in figures)


def one_line(text: str, width: int = 100) -> str:
    """The text as one line of at most `width` characters."""
    line = " ".join(text.split())
    return line if len(line) <= width else line[: width - 1].rstrip() + "…"
