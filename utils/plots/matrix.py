"""A matrix of counts, such as a confusion matrix: the shade of a cell is its share of its row."""

from collections.abc import Sequence

from utils.plots.frame import LINE, RIGHT, header, shortened, text_width, words
from utils.plots.plot import MUTED, WIDTH, Plot, draw, element

# Shades from the least to the greatest share, and the ink on each; a page's CSS may have its own.
SHADES = ("#f4f8fb", "#d6e6f2", "#abcfe5", "#74aed3", "#3f8abf", "#1b6aa5", "#0b4a7d")
INKS = ("#1a1a1a", "#1a1a1a", "#1a1a1a", "#1a1a1a", "#000000", "#ffffff", "#ffffff")
NAMED = 20  # labels at most; more are numbered, and the table has their names
LISTED = 200  # rows of the table of more


def matrix(
    title: str,
    labels: Sequence[str],
    counts: Sequence[Sequence[int]],
    row_title: str,
    column_title: str,
    description: str,
) -> Plot:
    """Return a plot of `counts[row][column]`. Cells have their count and, where there is room, the share of the row."""
    named = len(labels) <= NAMED
    elements, top = header(title, f"{row_title} in rows, {column_title} in columns")
    left = min(130, max((text_width(label, 12) for label in labels), default=0)) + 8 if named else 30
    cell = (WIDTH - RIGHT - left) / max(1, len(labels))
    height = min(cell, 64)
    names = [shortened(label, left - 8, 12) for label in labels] if named else [str(n + 1) for n in range(len(labels))]
    upright = named and max((text_width(name, 12) for name in names), default=0) > cell - 4
    top += (min(left, max((text_width(name, 12) for name in names), default=0)) if upright else 4) + 10
    every = 1 if named else 5
    for place, name in enumerate(names):
        if place % every and place + 1 < len(names):
            continue
        if not named and place == len(names) - 1 and place % every:
            continue
        middle = left + (place + 0.5) * cell
        across = {"text_anchor": "start", "transform": f"rotate(-90 {middle + 4:.2f} {top - 6:.2f})"}
        place_of = (
            {"x": middle + 4, "y": top - 6, **across}
            if upright
            else {"x": middle, "y": top - 6, "text_anchor": "middle"}
        )
        elements.append(words(name, **place_of, font_size=12, fill=MUTED))
        side = {"text_anchor": "end", "font_size": 12, "fill": MUTED}
        elements.append(words(name, left - 6, top + (place + 0.5) * height + 4, **side))
    cells = []
    for row, line in enumerate(counts):
        total = sum(line)
        for column, count in enumerate(line):
            share = count / total if total else 0.0
            cells.append((left + column * cell, top + row * height, count, share))
    elements += _shaded(cells, cell, height)
    for cell_at in cells:
        elements += _texts(*cell_at, cell, height)
    bottom = top + height * len(labels)
    header_row, rows = _table(labels, counts, row_title, column_title)
    return Plot(title, draw(title, description, bottom + LINE, elements), description, header_row, rows)


def _shaded(cells: Sequence[tuple[float, float, int, float]], width: float, height: float) -> list:
    """One path for all cells (x, y, count, share) of a shade: sixty labels have 3,600 cells."""
    gap = 1 if width > 12 else 0.25
    across, down = round(width - gap, 2), round(height - gap, 2)
    paths = [[] for _ in SHADES]
    for x, y, _, share in cells:
        paths[_shade(share)].append(f"M{x:.1f} {y:.1f}h{across}v{down}h-{across}z")
    return [
        element("path", d="".join(path), fill=f"var(--shade-{shade},{SHADES[shade]})")
        for shade, path in enumerate(paths)
        if path
    ]


def _texts(x: float, y: float, count: int, share: float, width: float, height: float) -> list:
    """Return the texts of a cell that fit into it."""
    text, percent, middle = f"{count:,}", f"{share:.0%}", x + width / 2
    shade = _shade(share)
    style = {"text_anchor": "middle", "fill": f"var(--shade-ink-{shade},{INKS[shade]})"}
    if text_width(text, 12) > width - 2 or height < 15:
        return []
    if height < 38 or text_width(percent, 11) > width - 2:
        return [words(text, middle, y + height / 2 + 4, **style, font_size=12)]
    return [
        words(text, middle, y + height / 2 - 2, **style, font_weight=600),
        words(percent, middle, y + height / 2 + 14, **style, font_size=11),
    ]


def _shade(share: float) -> int:
    return min(int(share * len(SHADES)), len(SHADES) - 1)


def _table(labels: Sequence[str], counts: Sequence[Sequence[int]], row_title: str, column_title: str) -> tuple:
    """All cells in a square where there are few labels; else those with a count, the greatest first."""
    if len(labels) <= NAMED:
        rows = []
        for label, line in zip(labels, counts, strict=True):
            total = sum(line)
            rows.append((label, *(f"{count:,} ({count / total:.0%})" if total else f"{count:,}" for count in line)))
        return (f"{row_title} ╲ {column_title}", *labels), tuple(rows)
    cells = [(count, row, column) for row, line in enumerate(counts) for column, count in enumerate(line) if count]
    cells.sort(key=lambda cell: (-cell[0], cell[1:]))
    name = [f"{place + 1}: {label}" for place, label in enumerate(labels)]
    rows = [
        (name[row], name[column], f"{count:,}", f"{count / sum(counts[row]):.0%}")
        for count, row, column in cells[:LISTED]
    ]
    return (row_title, column_title, "texts", "share of the row"), tuple(rows)
