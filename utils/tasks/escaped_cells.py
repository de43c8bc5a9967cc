"""Undo the escapes of a column that is full of them, and say so."""

import logging
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING

from utils.text.escapes import find_escapes, undo_escapes

if TYPE_CHECKING:
    import pandas

log = logging.getLogger(__name__)

SAMPLE_CELLS = 20_000  # from all over a column; one that is full of escapes has them there, too
NAMES = {"backslash": r"escapes such as \n or \u2019", "entity": "entities such as #39;", "code": "codes such as u2019"}


def undo_in_column(cells: Iterable[str], column: str) -> Callable[[str], str]:
    """Return the function that undoes the escapes that fill the column; it keeps texts without them."""
    found = find_escapes(cells)
    for kind, count in found.items():
        log.info("column %r: %s are undone; %s cells have them", column, NAMES[kind], f"{count:,}")
    return partial(undo_escapes, kinds=tuple(found)) if found else str


def without_escapes(texts: "pandas.Series", column: str) -> "pandas.Series":
    """Return the texts of a column with its escapes undone; missing ones stay missing."""
    texts_there = texts.dropna()
    if not find_escapes(texts_there.iloc[:: max(1, len(texts_there) // SAMPLE_CELLS)].tolist()):
        return texts
    undo = undo_in_column(texts_there, column)
    return texts if undo is str else texts.map(undo, na_action="ignore")
