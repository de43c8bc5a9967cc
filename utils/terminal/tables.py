"""Tables of figures with their intervals, in plain text for a terminal and in Markdown for a model card."""

import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from utils.terminal.widths import padded, width_of, wrapped

if TYPE_CHECKING:
    from utils.metrics.figures import Figure

NO_FIGURE = "–"
NARROWEST_TEXT, MOST_HEADER_LINES = 12, 3
_DIGIT = re.compile("[1-9]")
_NUMBER = re.compile(r"[-+−]?\d")


def format_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return plain text columns, separated by two spaces, under a ruled header, as wide as the terminal at most.

    A column of numbers ("" and "–" are missing ones) is aligned right, any other left. What is wider (in a pipe, than
    80 columns) is wrapped: headers and texts, then intervals under their figures. Columns that still find no place
    follow in a table of their own, after the first column again. ValueError where a row is not as long as the header.
    """
    first, *others = zip(header, *rows, strict=True)
    blocks, room = [], shutil.get_terminal_size().columns
    while others or not blocks:
        fits = (number for number in range(len(others), 0, -1) if _fitted([first, *others[:number]], room))
        number = next(fits, 1)
        block = [first, *others[:number]]
        blocks.append(_ruled(_fitted(block, room) or _narrowest(block), [is_numeric(column[1:]) for column in block]))
        others = others[number:]
    return "\n\n".join(blocks)


def confusion_table(labels: Sequence[str], matrix: Sequence[Sequence[int]]) -> str:
    """Return a confusion matrix, with the true labels in rows and the predictions in columns.

    Where it is too wide, each true label has a list of its predictions instead, without those that do not occur.
    """
    rows = confusion_rows(labels, matrix)
    columns = zip(["", *labels], *rows, strict=True)
    if sum(2 + max(map(width_of, column)) for column in columns) - 2 <= shutil.get_terminal_size().columns:
        return format_table(["", *labels], rows)
    listed = []
    for label, counts in zip(labels, matrix, strict=True):
        frequent_first = sorted(zip(counts, labels, strict=True), key=lambda pair: -pair[0])
        predictions = ", ".join(f"{name} {count:,}" for count, name in frequent_first if count)
        listed.append([label, f"{sum(counts):,}", predictions or NO_FIGURE])
    return format_table(["true label", "texts", "predictions"], listed)


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
    """Return a figure {"value", "low", "high"} and its 95% interval, formatted with `pattern`: "1.25 [1.20, 1.31]".

    "–" for a figure that could not be measured. A comma in `pattern` is for figures of any size: where all would look
    like 0 and are not, they have three digits.
    """
    if figure is None:
        return NO_FIGURE
    numbers = [figure[key] for key in ("value", "low", "high")]
    if "," in pattern and figure["value"] and not any(_DIGIT.search(pattern.format(each)) for each in numbers):
        pattern = "{:+.3g}" if "+" in pattern else "{:.3g}"
    value, low, high = map(pattern.format, numbers)
    return f"{value} [{low}, {high}]"


def one_line(text: str, width: int = 100) -> str:
    """Return the text as one line of at most `width` characters."""
    line = " ".join(text.split())
    return line if len(line) <= width else line[: width - 1].rstrip() + "…"


def is_numeric(cells: Sequence[str]) -> bool:
    """Return whether the nonempty cells of a column are numbers."""
    present = [cell for cell in cells if cell not in ("", NO_FIGURE)]
    return bool(present) and all(_NUMBER.match(cell) for cell in present)


Cell = list[str]  # its lines


def _fitted(columns: Sequence[Sequence[str]], room: int) -> list[list[Cell]] | None:
    """Return the columns' cells in lines that fit into the `room`; None where that is impossible."""
    gaps = 2 * (len(columns) - 1)
    widths = [max(map(width_of, column)) for column in columns]
    if sum(widths) + gaps <= room:
        return [[[cell] for cell in column] for column in columns]
    texts = [place for place, column in enumerate(columns) if not is_numeric(column[1:])]
    for breaks_intervals in (False, True):
        figures = {
            place: _figures(column, breaks_intervals) for place, column in enumerate(columns) if place not in texts
        }
        left = room - gaps - sum(width_of(cells[0][0]) for cells in figures.values())
        narrowed = {place: widths[place] for place in texts}
        while sum(narrowed.values()) > left and max(narrowed.values(), default=0) > NARROWEST_TEXT:
            narrowed[max(narrowed, key=narrowed.get)] -= 1
        if sum(narrowed.values()) <= left:
            wrapped_texts = {place: [wrapped(cell, narrowed[place]) for cell in columns[place]] for place in texts}
            return [(figures | wrapped_texts)[place] for place in range(len(columns))]
    return None


def _narrowest(columns: Sequence[Sequence[str]]) -> list[list[Cell]]:
    """Return the cells as narrow as they can be, where they are too wide even so."""
    return [
        _figures(column, breaks_intervals=True)
        if is_numeric(column[1:])
        else [wrapped(cell, NARROWEST_TEXT) for cell in column]
        for column in columns
    ]


def _figures(column: Sequence[str], breaks_intervals: bool) -> list[Cell]:
    """Return the cells of a column of figures, all as wide as its first line, with the header in a few lines."""
    cells = [re.split(r" (?=\[)", cell, maxsplit=1) if breaks_intervals else [cell] for cell in column[1:]]
    width = max(width_of(line) for cell in cells for line in cell)
    width = max(width, min(NARROWEST_TEXT, max(map(width_of, column[0].split(" ")))))
    while len(header := wrapped(column[0], width)) > MOST_HEADER_LINES:
        width += 1
    return [[padded(line, width, right=True) for line in cell] for cell in (header, *cells)]


def _ruled(columns: Sequence[Sequence[Cell]], numeric: Sequence[bool]) -> str:
    """Return the lines of a table whose cells fit; a header stands above its rule, any other cell begins at the top."""
    widths = [max(width_of(line) for cell in column for line in cell) for column in columns]
    lines = []
    for number, cells in enumerate(zip(*columns, strict=True)):
        height = max(map(len, cells))
        missing = [[""] * (height - len(cell)) for cell in cells]
        filled = [blank + cell if number == 0 else cell + blank for cell, blank in zip(cells, missing, strict=True)]
        for parts in zip(*filled, strict=True):
            lines.append("  ".join(map(padded, parts, widths, numeric)).rstrip())
        if number == 0:
            lines.append("  ".join("─" * width for width in widths))
    return "\n".join(lines)
