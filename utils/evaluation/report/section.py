"""The parts of a report: sections with sentences, plots, tables and texts."""

from dataclasses import dataclass

from utils.plots.plot import Plot


@dataclass(frozen=True)
class Table:
    """A table; a cell like "0.893 [0.860, 0.921]" is a figure with its interval. Columns of numbers are aligned."""

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Text:
    """A text under its name ("base", "before"), with a `note` beside the name ("probability 0.98").

    `marked` are the (start, end) of characters to mark, in order.
    """

    name: str
    text: str
    note: str = ""
    marked: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class Texts:
    """Entries of texts that belong side by side: base, tuned and reference of one prompt, say."""

    caption: str
    entries: tuple[tuple[Text, ...], ...]


@dataclass(frozen=True)
class Section:
    """A part of the report: `sentences` under a title, then plots, tables, texts and commands for a shell."""

    title: str
    sentences: tuple[str, ...] = ()
    plots: tuple[Plot, ...] = ()
    tables: tuple[Table, ...] = ()
    texts: tuple[Texts, ...] = ()
    commands: tuple[str, ...] = ()
