"""The page: an evaluation as one HTML file that is read without a network and without scripts."""

import json
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

from markupsafe import Markup

from utils.evaluation.report import answers, classifiers, emoji, label_sets, recipe, scorers, summary, writers
from utils.evaluation.report.section import Section, Text
from utils.plots.plot import visible

SECTIONS: dict[str, Callable[[dict], list[Section]]] = {
    "generate": writers.sections,
    "instruct": answers.sections,
    "classify": classifiers.sections,
    "multilabel": label_sets.sections,
    "score": scorers.sections,
    "emoji": emoji.sections,
}
MOST_BYTES = 1_000_000
LONGEST = 600  # characters of a text that are shown
LONGEST_CELL = 200  # characters of a cell: labels and names of files may be whole texts
NUMBER = re.compile(r"([-+−]?[\d.,]+(e[-+]?\d+)?([ \u00a0]?%)?( \([^()]*\)| \[[^\[\]]*\])?)?|–")
INTERVAL = re.compile(r"(.*\S) (\[[^\[\]]*\])")


def render(evaluation: dict) -> str:
    """Return the page of an evaluation: the content of evaluation.json as evaluate_model.py writes it.

    The page embeds that JSON: without "per_text" where it would pass 1 MB, and not at all where that is not enough.
    """
    content = {
        "title": summary.title(evaluation),
        "subtitle": summary.subtitle(evaluation),
        "verdict": summary.verdict(evaluation),
        "own_output": summary.own_output(evaluation),
        "notes": summary.notes(evaluation),
        "table": summary.table(evaluation),
        "sections": sections_of(evaluation),
    }
    return render_page(content, evaluation)


def sections_of(evaluation: dict) -> list[Section]:
    """Return the sections of an evaluation's page, in their order."""
    return [*SECTIONS[summary.kind_of(evaluation)](evaluation), *recipe.sections(evaluation)]


def render_page(content: dict, data: dict) -> str:
    """Return a page with this content and as much of the JSON `data` as fits."""
    smaller = {name: value for name, value in data.items() if name != "per_text"}
    for embedded, left_out in ((data, ""), (smaller, "per_text"), (None, "all")):
        page = _template().render(**content, data=None if embedded is None else _json(embedded), left_out=left_out)
        if len(page.encode()) <= MOST_BYTES:
            break
    return page


def _json(data: dict) -> Markup:
    """JSON in which nothing can end the element that it is in, or turn the direction of its text."""
    return Markup(json.dumps(data, separators=(",", ":")).replace("<", "\\u003c"))


def spans(text: Text) -> tuple[list[tuple[str, bool]], str]:
    """Return the shown parts of a text as (part, whether it is marked), and a note where it is cut."""
    shown, parts, start = text.text[:LONGEST], [], 0
    for first, last in text.marked:
        if first >= len(shown):
            break
        parts += [(shown[start:first], False), (shown[first:last], True)]
        start = last
    parts.append((shown[start:], False))
    cut = f"… {len(text.text):,} characters in all" if len(text.text) > LONGEST else ""
    return [(shown_controls(part), marked) for part, marked in parts if part], cut


def shown_controls(text: str) -> str:
    """Return the text with its lines, in which controls and turns of direction are shown."""
    return "\n".join(visible(line) for line in text.split("\n"))


def cells(row: tuple[str, ...]) -> list[tuple[str, str]]:
    """Return the cells of a row, each as (figure, its interval or "")."""
    return [found.groups() if (found := INTERVAL.fullmatch(cell)) else (cell, "") for cell in map(brief, row)]


def brief(text: str) -> str:
    """Return a text in one line, cut where it is very long."""
    return visible(text if len(text) <= LONGEST_CELL else text[: LONGEST_CELL - 1] + "…")


def numeric_columns(rows: tuple[tuple[str, ...], ...]) -> list[bool]:
    """Return which columns have numbers, intervals and missing ones alone."""
    return [all(map(NUMBER.fullmatch, column)) for column in zip(*rows, strict=True)]


@cache
def _template():
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {
        "visible": visible,
        "cells": cells,
        "numeric_columns": numeric_columns,
        "spans": spans,
        "brief": brief,
    }
    return environment.get_template("page.html.jinja")
