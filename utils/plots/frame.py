"""The frame of a plot with axes: title, legend, grid, ticks and the axes' titles around the paper that is drawn on."""

import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from utils.plots.plot import COLORS, DASHES, GRID, INK, MUTED, WIDTH, element, visible
from utils.plots.scales import Scale, tick_label, tick_step, ticks

HEIGHT = 270  # of a plot, without its legend
RIGHT, LINE = 14, 18  # margin; height of a line of text
NAME_LINE, LONGEST_NAME = 15, 200  # height and width of a line of a name at the left
SIZE = 13
NARROW, BROAD = set(" ijlftrI.,:;'|!()[]/-"), set("mwMW@%—…")


@dataclass(frozen=True)
class Frame:
    """The axes, the height of the whole, and the elements around the paper."""

    x: Scale
    y: Scale
    height: float
    elements: list


def frame(
    title: str,
    x_title: str,
    y_title: str,
    x_range: tuple[float, float],
    y_range: tuple[float, float],
    names: Sequence[str] = (),
) -> Frame:
    """Return the frame for axes of these ranges; `names` of several series become a legend."""
    head, top = header(title, y_title, names)
    bottom, y_ticks = top + HEIGHT - 70, ticks(*y_range)
    y_step, x_step = tick_step(*y_range, 6), tick_step(*x_range, 6)
    labels = [tick_label(tick, y_step) for tick in y_ticks]
    left = 14 + max(map(text_width, labels), default=0)
    x, y = Scale(*x_range, left, WIDTH - RIGHT), Scale(*y_range, bottom, top)
    elements = [*head]
    for tick, label in zip(y_ticks, labels, strict=True):
        elements += [line(left, y(tick), WIDTH - RIGHT, y(tick), stroke=GRID)]
        elements += [words(label, left - 6, y(tick) + 4, text_anchor="end", fill=MUTED)]
    elements += x_axis(x, bottom, x_title, x_step)
    return Frame(x, y, bottom + 50, elements)


def x_axis(x: Scale, bottom: float, title: str, step: float, top: float | None = None) -> list:
    """Return an axis at the bottom, with its title; and, from `top`, the lines of a grid."""
    elements = []
    for tick in ticks(x.low, x.high):
        label, anchor = tick_label(tick, step), "middle"
        if x(tick) + text_width(label) / 2 > WIDTH:
            anchor = "end"
        if top is not None:
            elements += [line(x(tick), top, x(tick), bottom, stroke=GRID)]
        elements += [line(x(tick), bottom, x(tick), bottom + 4, stroke=MUTED)]
        elements += [words(label, x(tick), bottom + 18, text_anchor=anchor, fill=MUTED)]
    title = shortened(title, WIDTH)
    middle = min((x.start + x.end) / 2, WIDTH - text_width(title) / 2)
    return [
        *elements,
        line(x.start, bottom, x.end, bottom, stroke=MUTED),
        words(title, middle, bottom + 38, text_anchor="middle", fill=MUTED),
    ]


def header(title: str, y_title: str = "", names: Sequence[str] = ()) -> tuple[list, float]:
    """Return the elements over the paper, and where it begins: the title, a legend, the title of the y axis."""
    elements, y = [], 4.0
    for part in wrapped(title, WIDTH - 4, size=15):
        y += 18
        elements.append(words(part, 0, y - 2, font_size=15, font_weight="600"))
    if len(names) > 1:
        x, y = 0.0, y + 20
        for number, name in enumerate(names):
            name = shortened(name, WIDTH - 40)
            if x and x + 30 + text_width(name) > WIDTH:
                x, y = 0.0, y + LINE
            elements += [series_line(number, [(x, y - 4), (x + 22, y - 4)]), marker(number, x + 11, y - 4)]
            elements += [words(name, x + 28, y)]
            x += 28 + text_width(name) + 16
    if y_title:
        y += 20
        elements.append(words(shortened(y_title, WIDTH), 0, y, fill=MUTED))
    return elements, y + 15


def line(x1: float, y1: float, x2: float, y2: float, **attributes: object) -> tuple:
    """Return a straight line."""
    return element("line", x1=_round(x1), y1=_round(y1), x2=_round(x2), y2=_round(y2), **attributes)


def words(text: str, x: float, y: float, **attributes: object) -> tuple:
    """Return a text, from `x` on unless `text_anchor` says otherwise."""
    return element("text", text, x=_round(x), y=_round(y), **{"fill": INK, **attributes})


def series_line(number: int, points: Sequence[tuple[float, float]]) -> tuple:
    """Return the line of a series in its color and dashes."""
    path = " ".join(f"{_round(x)},{_round(y)}" for x, y in points)
    style = {"stroke": color(number), "stroke_width": 2, "fill": "none", "stroke_linejoin": "round"}
    dashes = {"stroke_dasharray": DASHES[number % len(DASHES)]} if number % len(DASHES) else {}
    return element("polyline", points=path, **style, **dashes)


def marker(number: int, x: float, y: float, size: float = 4) -> tuple:
    """Return the marker of a series: a circle, square, triangle, diamond, …"""
    x, y = _round(x), _round(y)
    style = {"fill": color(number), "class_": "marker"}
    shapes = {
        1: [(-1, -1), (1, -1), (1, 1), (-1, 1)],
        2: [(0, -1.2), (1.1, 0.9), (-1.1, 0.9)],
        3: [(0, -1.3), (1.3, 0), (0, 1.3), (-1.3, 0)],
        4: [(0, 1.2), (1.1, -0.9), (-1.1, -0.9)],
        5: [(-1.4, -0.5), (1.4, -0.5), (1.4, 0.5), (-1.4, 0.5)],
    }
    if (number % len(COLORS)) not in shapes:
        return element("circle", cx=x, cy=y, r=size, **style)
    corners = shapes[number % len(COLORS)]
    points = " ".join(f"{_round(x + size * across)},{_round(y + size * down)}" for across, down in corners)
    return element("polygon", points=points, **style)


def color(number: int) -> str:
    """Return the color of a series."""
    return COLORS[number % len(COLORS)]


def text_width(text: str, size: float = SIZE) -> float:
    """Return about how wide a text is: no font is at hand, so these are the widths of a broad one, DejaVu Sans."""
    return size * sum(map(_ems, visible(text)))


def _ems(character: str) -> float:
    if character in NARROW:
        return 0.4
    if character in BROAD or unicodedata.east_asian_width(character) in "WF":
        return 1.0
    return 0.78 if character.isupper() else 0.62


def shortened(text: str, width: float, size: float = SIZE) -> str:
    """Return the text, cut with an ellipsis where it is wider than `width`."""
    text = visible(text)
    if text_width(text, size) <= width + 0.01:  # a width that was computed from this text is rounded
        return text
    kept, room = "", width - text_width("…", size)
    for character in text:
        room -= text_width(character, size)
        if room < 0:
            break
        kept += character
    return kept.rstrip() + "…"


def room_for_names(names: Sequence[str]) -> tuple[float, float]:
    """Return the width and height of the largest of these names, which long ones reach in several lines."""
    parts = [wrapped(name, LONGEST_NAME) for name in names]
    width = max((text_width(line) for lines in parts for line in lines), default=0)
    return width, NAME_LINE * max(map(len, parts), default=0)


def name_at_left(name: str, right: float, middle: float) -> list:
    """Return a name that ends at `right`, its lines around `middle`."""
    lines = wrapped(name, LONGEST_NAME)
    first = middle + 4 - NAME_LINE * (len(lines) - 1) / 2
    return [words(line, right, first + NAME_LINE * place, text_anchor="end") for place, line in enumerate(lines)]


def wrapped(text: str, width: float, size: float = SIZE) -> list[str]:
    """Return the text in lines of at most that width, at most three."""
    lines = [""]
    for word in visible(text).split():
        longer = f"{lines[-1]} {word}".strip()
        if not lines[-1] or text_width(longer, size) <= width or len(lines) == 3:
            lines[-1] = longer
        else:
            lines.append(word)
    return [shortened(line, width, size) for line in lines]


def _round(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError(f"{value} cannot be drawn")
    return round(value, 2)
