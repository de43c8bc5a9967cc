"""Decide whether quotes in tab-separated text enclose cells, as pandas, R and Excel write them, or are text.

A few unclosed quotes do not change the decision.
"""

import re
from collections import Counter
from dataclasses import dataclass

from utils.reading.delimited.cells import CsvDialect, split_rows

# A cell that opens with a quote, up to the first quote in it that is neither doubled nor behind a backslash.
OPENED_CELL = re.compile(r'(?<![^\t\n])"((?:[^"\\]++|""|\\.?)*+)')
CELL_END = re.compile(r"[\t\n]|\Z")
HEADER_IN_QUOTES = re.compile(r'"[^"\n]*"(?:\t"[^"\n]*")*(?:\n|\Z)')


@dataclass
class _Seen:
    """Counts of the cells of a sample, by their quotes."""

    tabs: int = 0  # cells in quotes that hold a tab or a line end
    quotes: int = 0  # …, or else a quote that is doubled or behind a backslash
    commas: int = 0  # …, or else a comma, for which some programs enclose cells
    bare: int = 0  # …, or else nothing that needs quotes
    opened: int = 0  # cells that open with a quote that is not closed, or that text follows
    inside: int = 0  # other cells with a quote
    bare_commas: int = 0  # cells without quotes around them that hold a comma
    rows: int = 0


def quotes_enclose_cells(sample: str) -> bool:
    """Return whether most quotes belong to cells in quotes that need them, or that are all in quotes."""
    if '"' not in sample:
        return False
    seen = _look(sample)
    enclosed = seen.tabs + seen.quotes + seen.commas + seen.bare
    are_all = bool(HEADER_IN_QUOTES.match(sample)) or enclosed + seen.opened >= max(2, 0.9 * (seen.rows - 1))
    needed = enclosed if are_all else seen.tabs + seen.quotes + (seen.commas if seen.commas > seen.bare_commas else 0)
    if not needed or needed < 3 * (seen.opened + seen.inside + enclosed - needed):
        return False
    return are_all or seen.quotes > 0 or not seen.tabs or _uneven_rows(sample, True) < _uneven_rows(sample, False)


def _look(sample: str) -> _Seen:
    seen, start, outside = _Seen(), 0, []
    while opened := OPENED_CELL.search(sample, start):
        outside.append(sample[start : opened.start()])
        content, end = opened[1], opened.end()
        if end < len(sample) and sample[end + 1 : end + 2] in ("", "\t", "\n"):
            start = end + 1
            if '""' in content or '\\"' in content:
                seen.quotes += 1
            elif "\t" in content or "\n" in content:
                seen.tabs += 1
            elif "," in content:
                seen.commas += 1
            else:
                seen.bare += 1
        else:
            start = CELL_END.search(sample, opened.start()).start()
            seen.opened += 1
    outside.append(sample[start:])
    rest = "".join(outside)
    seen.rows = rest.count("\n") + (not rest.endswith("\n"))
    for cell in re.split("[\t\n]", rest):
        seen.inside += '"' in cell
        seen.bare_commas += "," in cell
    return seen


def _uneven_rows(sample: str, quoting: bool) -> int:
    """The number of rows that don't have as many cells as most."""
    rows = split_rows(enumerate(sample.split("\n"), 1), CsvDialect("\t", quoting), "", "\n")
    widths = Counter(len(cells) for _, cells in rows)
    return widths.total() - max(widths.values())
