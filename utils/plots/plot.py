"""A plot: its SVG, the text alternative, and the table of its numbers."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from markupsafe import Markup

from utils.terminal.controls import SHOWN

# Where a page sets no colors of its own (its CSS may: --ink, --series-1, …), these are drawn, on white. The colors of
# the series are Okabe and Ito's (2008), which the color-blind tell apart; each also has its own dashes and marker.
INK, MUTED, GRID, PAPER = (
    "var(--ink,#1a1a1a)",
    "var(--muted,#595959)",
    "var(--grid,#dddddd)",
    "var(--paper,#ffffff)",
)
COLORS = tuple(
    f"var(--series-{number},{color})"
    for number, color in enumerate(("#0072b2", "#d55e00", "#009e73", "#aa4499", "#8c6d00", "#56607a"), start=1)
)
# The last four by name, since the PNG renderer takes "sans-serif" for Arial, and leaves all text out without it.
FONTS = (
    "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', "
    "Arial, 'Liberation Sans', 'Noto Sans', 'DejaVu Sans', sans-serif"
)
DASHES = ("", "6 3", "2 2", "8 3 2 3", "4 2 1 2", "1 3")
VARIABLE = re.compile(r"var\(--[\w-]+,([^)]+)\)")
VIEW = re.compile(r'viewBox="0 0 (\d+) (\d+)"')
LONGEST_DESCRIPTION = 1000  # characters: labels may be whole texts
MARGIN = 12  # around a picture on its own
VISIBLE = SHOWN | dict.fromkeys(map(ord, "\t\n"), " ")
WIDTH = 440  # of every plot, in units of the SVG; at 390 px, a phone's, its text is still readable


@dataclass(frozen=True)
class Plot:
    """A picture of numbers. `description` is the text alternative; `header` and `rows`: the table behind."""

    title: str
    svg: Markup
    description: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def _repr_html_(self) -> str:
        """Return the HTML for a notebook: the picture on white, and its title."""
        figure = Markup('<figure style="max-width:36em;margin:1em 0">{}</figure>')
        return str(figure.format(Markup(standalone(self.svg))))


def standalone(svg: str) -> str:
    """Return an SVG as a file of its own: with colors in place of the page's, on white, with a margin."""

    def with_margin(found: re.Match) -> str:
        width, height = (int(size) + 2 * MARGIN for size in found.groups())
        return f'viewBox="{-MARGIN} {-MARGIN} {width} {height}" width="{width}" height="{height}"'

    paper = f'</desc>\n<rect x="{-MARGIN}" y="{-MARGIN}" width="100%" height="100%" fill="#ffffff"/>'
    return VIEW.sub(with_margin, VARIABLE.sub(r"\1", svg), count=1).replace("</desc>", paper, 1)


def element(name: str, text: str = "", /, **attributes: object) -> tuple[str, dict[str, object], str]:
    """Return an element of an SVG for `draw`; in the names of attributes, an underscore is a hyphen."""
    return name, {key.rstrip("_").replace("_", "-"): value for key, value in attributes.items()}, visible(text)


def draw(
    title: str, description: str, height: float, elements: Sequence[tuple[str, Mapping[str, object], str]]
) -> Markup:
    """Return the SVG of elements; texts are strangers', and the template escapes them."""
    if len(description) > LONGEST_DESCRIPTION:
        description = description[: LONGEST_DESCRIPTION - 1] + "…"
    words = {"title": visible(title[:LONGEST_DESCRIPTION]), "description": visible(description)}
    return Markup(_template().render(**words, fonts=FONTS, width=WIDTH, height=round(height), elements=elements))


def visible(text: str) -> str:
    """Return a text in one line, in which controls, turns of direction and halves of characters are shown as such."""
    return text.encode("utf-8", "backslashreplace").decode().translate(VISIBLE)


@cache
def _template():
    import jinja2

    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    return jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True).get_template("plot.svg.jinja")
