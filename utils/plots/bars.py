"""Bar charts of named amounts, and histograms."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from utils.plots.frame import (
    LINE,
    RIGHT,
    color,
    frame,
    header,
    line,
    name_at_left,
    room_for_names,
    series_line,
    text_width,
    words,
    x_axis,
)
from utils.plots.lines import Limit
from utils.plots.plot import INK, PAPER, WIDTH, Plot, draw, element
from utils.plots.scales import Scale, limits, number, tick_step

BAR, GAP = 16, 8  # height of a bar, and the gap between two names


def bars(
    title: str,
    names: Sequence[str],
    values: Mapping[str, Sequence[float | None]],
    x_title: str,
    description: str,
    *,
    pattern: str = "{:,.0f}",
    name_title: str = "",
) -> Plot:
    """Return a plot with a horizontal bar for each name and, where there are several, each of the series in `values`.

    Values are not negative; None is no bar. `pattern` formats the values at the ends of the bars.
    """
    present = [value for column in values.values() for value in column if value is not None]
    elements, top = header(title, "", list(values))
    top -= 6
    labels_width, labels_height = room_for_names(names)
    labels_width += 8
    at_end = max((text_width(pattern.format(value)) for value in present), default=0) + 8
    high = limits(present, include=[0])[1] if present else 1
    x = Scale(0, high or 1, labels_width, WIDTH - RIGHT - at_end)
    height = max(BAR * len(values) + GAP, labels_height + 2)
    bottom = top + height * len(names)
    axis = x_axis(x, bottom, x_title, tick_step(0, x.high, 6), top)
    drawn = []
    for place, name in enumerate(names):
        middle = top + (place + 0.5) * height
        y = middle - BAR * len(values) / 2
        drawn += name_at_left(name, labels_width - 8, middle)
        for order, column in enumerate(values.values()):
            value = column[place]
            if value is None:
                continue
            bar = {"x": x.start, "y": y + order * BAR + 1, "width": round(x(value) - x.start, 2), "height": BAR - 2}
            drawn.append(element("rect", **bar, fill=color(order)))
            drawn.append(words(pattern.format(value), x(value) + 5, y + order * BAR + BAR / 2 + 4))
    titles = list(values) if len(values) > 1 else [x_title]
    rows = [
        (name, *("–" if column[place] is None else pattern.format(column[place]) for column in values.values()))
        for place, name in enumerate(names)
    ]
    svg = draw(title, description, bottom + LINE * 2 + 14, [*elements, *axis, *drawn])
    return Plot(title, svg, description, (name_title, *titles), tuple(rows))


def histogram(
    title: str,
    edges: Sequence[float],
    counts: Mapping[str, Sequence[float]],
    x_title: str,
    y_title: str,
    description: str,
    *,
    marked: Sequence[Limit] = (),
) -> Plot:
    """Return a histogram: bin i goes from `edges[i]` to `edges[i + 1]` and holds `counts[series][i]`.

    Of several series, each is a stepped line. `marked` are limits on the axis, each with a name.
    """
    if len(edges) < 2 or any(len(column) != len(edges) - 1 for column in counts.values()):
        raise ValueError(f"{len(edges)} edges of {[len(column) for column in counts.values()]} bins")
    x_range = limits((), include=[edges[0], edges[-1], *(limit.x for limit in marked)])
    y_range = limits([value for column in counts.values() for value in column], include=[0])
    axes = frame(title, x_title, y_title, x_range, y_range if y_range[1] > 0 else (0, 1), list(counts))
    x, y, elements = axes.x, axes.y, axes.elements
    for order, column in enumerate(counts.values()):
        if len(counts) == 1:
            for start, end, value in zip(edges[:-1], edges[1:], column, strict=True):
                bar = {"x": x(start), "width": round(max(x(end) - x(start), 0.5), 2), "y": y(value)}
                bar["height"] = round(y.start - y(value), 2)
                elements.append(element("rect", **bar, fill=color(order), stroke=PAPER, stroke_width=0.5))
        else:
            elements += [*_steps(edges, column, x, y, order)]
    for place, limit in enumerate(marked):
        elements.append(line(x(limit.x), y.start, x(limit.x), y.end, stroke=INK, stroke_dasharray="5 3"))
        right = x(limit.x) + 6 + text_width(limit.text) <= WIDTH
        side = {"x": x(limit.x) + 6} if right else {"x": x(limit.x) - 6, "text_anchor": "end"}
        halo = {"stroke": PAPER, "stroke_width": 4, "paint_order": "stroke"}
        elements.append(words(limit.text, **side, y=y.end + 12 + place * LINE, **halo))
    rows = [
        (f"{number(start)} to {number(end)}", *(number(column[place]) for column in counts.values()))
        for place, (start, end) in enumerate(pairwise(edges))
    ]
    titles = list(counts) if len(counts) > 1 else [y_title]
    svg = draw(title, description, axes.height, elements)
    return Plot(title, svg, description, (x_title, *titles), tuple(rows))


def _steps(edges: Sequence[float], column: Sequence[float], x: Scale, y: Scale, order: int) -> list:
    """The outline of a histogram over a faint area."""
    points = [(x(edges[0]), y(0))]
    for start, end, value in zip(edges[:-1], edges[1:], column, strict=True):
        points += [(x(start), y(value)), (x(end), y(value))]
    points.append((x(edges[-1]), y(0)))
    path = " ".join(f"{across},{up}" for across, up in points)
    return [element("polygon", points=path, fill=color(order), fill_opacity=0.15), series_line(order, points)]
