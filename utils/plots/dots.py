"""Figures with their intervals, as dots on a common axis."""

from collections.abc import Mapping, Sequence

from utils.plots.frame import LINE, RIGHT, color, header, line, marker, name_at_left, room_for_names, x_axis
from utils.plots.plot import MUTED, WIDTH, Plot, draw
from utils.plots.scales import Scale, limits, tick_step

STEP, GAP = 18, 10  # height of a dot's line, and the gap between two names


def dots_with_intervals(
    title: str,
    names: Sequence[str],
    figures: Mapping[str, Sequence[Mapping[str, float] | None]],
    x_title: str,
    description: str,
    *,
    pattern: str = "{:.3f}",
    zero: bool = False,
    name_title: str = "",
) -> Plot:
    """Return a plot with a dot and an interval for each name and each of the series in `figures`.

    A figure is {"value", "low", "high"}, or None where it could not be measured. `zero` marks 0, to which differences
    compare.
    """
    present = [figure for column in figures.values() for figure in column if figure]
    ends = [figure[key] for figure in present for key in ("value", "low", "high")]
    x_range = limits(ends, include=[0] if zero else ())
    elements, top = header(title, "", list(figures))
    top -= 4
    names_width, names_height = room_for_names(names)
    left = names_width + 12
    x = Scale(*x_range, left, WIDTH - RIGHT)
    height = max(STEP * len(figures) + GAP, names_height + 2)
    bottom = top + height * len(names)
    elements += x_axis(x, bottom, x_title, tick_step(*x_range, 6), top)
    if zero:
        elements.append(line(x(0), top, x(0), bottom, stroke=MUTED, stroke_width=1.5))
    for place, name in enumerate(names):
        middle = top + place * height + height / 2
        elements += name_at_left(name, left - 10, middle)
        for order, column in enumerate(figures.values()):
            if figure := column[place]:
                y = middle + (order + 0.5 - len(figures) / 2) * STEP
                low, high = x(figure["low"]), x(figure["high"])
                elements.append(line(low, y, high, y, stroke=color(order), stroke_width=2))
                elements += [line(end, y - 4, end, y + 4, stroke=color(order), stroke_width=2) for end in (low, high)]
                elements.append(marker(order, x(figure["value"]), y, size=5))
    rows = [
        (name, *(_words(column[place], pattern) for column in figures.values())) for place, name in enumerate(names)
    ]
    titles = list(figures) if len(figures) > 1 else [x_title]
    svg = draw(title, description, bottom + LINE * 2 + 14, elements)
    return Plot(title, svg, description, (name_title, *titles), tuple(rows))


def _words(figure: Mapping[str, float] | None, pattern: str) -> str:
    if figure is None:
        return "–"
    value, low, high = (pattern.format(figure[key]) for key in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"
