"""Curves over a common axis, with bands, marked points and marked places."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from utils.plots.frame import color, frame, line, marker, series_line, shortened, text_width, words
from utils.plots.plot import INK, MUTED, PAPER, WIDTH, Plot, draw, element
from utils.plots.scales import limits, number

MARKED = 40  # points at most: more markers would hide the line


@dataclass(frozen=True)
class Series:
    """A curve through the points (x, y), in the order given; `low` and `high`, if given, are a band around `y`.

    Points whose y is None or not finite are left out, and the line continues without a gap.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float | None]
    low: Sequence[float | None] | None = None
    high: Sequence[float | None] | None = None


@dataclass(frozen=True)
class Mark:
    """A point that is named in the picture."""

    x: float
    y: float
    text: str


@dataclass(frozen=True)
class Limit:
    """A place on the x axis that is named in the picture: a threshold, a limit."""

    x: float
    text: str


def lines(
    title: str,
    series: Sequence[Series],
    x_title: str,
    y_title: str,
    description: str,
    *,
    marks: Sequence[Mark] = (),
    limit: Limit | None = None,
    diagonal: bool = False,
    dots: bool = False,
    x_range: tuple[float, float] | None = None,
    y_range: tuple[float, float] | None = None,
) -> Plot:
    """Return a plot of curves. `dots` without lines; `diagonal` draws where y is x. Ranges follow from the numbers."""
    series = [_finite(one) for one in series]
    xs = [x for one in series for x in one.x]
    ys = [y for one in series for y in (*one.y, *(one.low or ()), *(one.high or ()))]
    x_range = x_range or _ends([*xs, *(mark.x for mark in marks), *([limit.x] if limit else [])])
    y_range = y_range or limits(ys, include=[mark.y for mark in marks])
    axes = frame(title, x_title, y_title, x_range, y_range, [one.name for one in series])
    x, y, elements = axes.x, axes.y, axes.elements
    if diagonal:
        low, high = max(x.low, y.low), min(x.high, y.high)
        elements += [line(x(low), y(low), x(high), y(high), stroke=MUTED, stroke_dasharray="3 3")]
    for order, one in enumerate(series):
        if one.low and one.high:
            edge = [*zip(one.x, one.high, strict=True), *reversed(list(zip(one.x, one.low, strict=True)))]
            path = " ".join(f"{x(across)},{y(up)}" for across, up in edge)
            elements += [element("polygon", points=path, fill=color(order), fill_opacity=0.18, class_="band")]
    curves = [[(x(across), y(up)) for across, up in zip(one.x, one.y, strict=True)] for one in series]
    for order, points in enumerate(curves):
        if len(points) > 1 and not dots:
            elements += [series_line(order, points)]
        if dots or len(points) == 1 or len(points) <= MARKED / 2:
            elements += [marker(order, *point, size=4 if dots else 3) for point in points]
    if limit:
        elements += [line(x(limit.x), y.start, x(limit.x), y.end, stroke=INK, stroke_dasharray="5 3")]
        elements += [_beside(limit.text, x(limit.x), y.end + 12)]
    for mark in marks:
        elements += [element("circle", cx=x(mark.x), cy=y(mark.y), r=6, fill="none", stroke=INK, stroke_width=2)]
        elements += [_beside_curves(mark.text, x(mark.x), y(mark.y), y.start, curves)]
    header, rows = _table(x_title, series)
    return Plot(title, draw(title, description, axes.height, elements), description, header, rows)


def _ends(values: Sequence[float]) -> tuple[float, float]:
    """The range of an axis that ends where the values do."""
    finite = [value for value in values if math.isfinite(value)]
    return (min(finite), max(finite)) if finite and min(finite) < max(finite) else limits(finite)


def _beside_curves(text: str, x: float, y: float, bottom: float, curves: Sequence[Sequence[tuple]]) -> tuple:
    """A text above a point or, where a curve would run through it there, below it."""
    width = text_width(text) + 8
    left, right = (x, x + width) if x + width <= WIDTH else (x - width, x)

    def crossed(top: float) -> bool:
        return any(
            min(start[1], end[1]) < top + 16 and max(start[1], end[1]) > top
            for points in curves
            for start, end in pairwise(_within(points, left, right))
        )

    below = crossed(y - 22) and not crossed(y + 8) and y + 22 < bottom
    return _beside(text, x, y + (20 if below else -10))


def _within(points: Sequence[tuple[float, float]], left: float, right: float) -> list[tuple[float, float]]:
    """The part of a curve whose x goes up that lies between two places."""
    kept = []
    for (x0, y0), (x1, y1) in pairwise(points):
        low, high = max(x0, left), min(x1, right)
        if low < high:
            kept += [(at, y0 + (y1 - y0) * (at - x0) / (x1 - x0)) for at in (low, high)]
    return kept


def _beside(text: str, x: float, y: float) -> tuple:
    """A text on a halo of paper: right of `x`, or left of it where it would leave the picture."""
    halo = {"stroke": PAPER, "stroke_width": 4, "paint_order": "stroke", "stroke_linejoin": "round"}
    if x + 8 + text_width(text) <= WIDTH:
        return words(text, x + 8, y, **halo)
    return words(shortened(text, x - 8), x - 8, y, text_anchor="end", **halo)


def _finite(one: Series) -> Series:
    columns = [one.x, one.y, *([one.low, one.high] if one.low is not None and one.high is not None else [])]
    rows = [
        row for row in zip(*columns, strict=True) if all(value is not None and math.isfinite(value) for value in row)
    ]
    kept = [[row[place] for row in rows] for place in range(len(columns))]
    return Series(one.name, *kept)


def _table(x_title: str, series: Sequence[Series]) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """One column per curve where they share their x; else a row per point, with its curve."""
    if len({tuple(one.x) for one in series}) == 1:
        header, columns = [x_title], [[number(x) for x in series[0].x]]
        for one in series:
            header.append(one.name)
            columns.append([_with_band(one, place) for place in range(len(one.x))])
        return tuple(header), tuple(zip(*columns, strict=True))
    rows = [(one.name, number(x), _with_band(one, place)) for one in series for place, x in enumerate(one.x)]
    return ("curve", x_title, "value"), tuple(rows)


def _with_band(one: Series, place: int) -> str:
    value = number(one.y[place])
    return f"{value} [{number(one.low[place])}, {number(one.high[place])}]" if one.low else value
