"""Cells that a spreadsheet would run as a formula, made harmless.

Spreadsheets run a cell of a CSV file that begins with =, +, - or @, and skip what cannot be seen before it. The rules
are those of https://owasp.org/www-community/attacks/CSV_Injection: a leading apostrophe makes it text.
"""

import unicodedata

ESCAPE_FORMULAS_HELP = "put an apostrophe before cells that a spreadsheet would run as a formula (=, +, -, @)"
SIGNS = frozenset("=+-@\N{MINUS SIGN}")
QUOTES = frozenset("\"'`´“”„«»‘’‚")
CELL_ENDS = "\t\r\n\0"


def without_formula(cell: str) -> str:
    """Return the cell, with an apostrophe before it where a spreadsheet might run it.

    That is where it begins with a tab, a line end, NUL or, also behind blanks, invisible characters and quotes, with
    =, +, -, @ or a wide form of these. Without its first character, such a cell is the text again.
    """
    return "'" + cell if _may_run(cell) else cell


def _may_run(cell: str) -> bool:
    if cell[:1] in CELL_ENDS:  # also of an empty one
        return cell != ""
    first = next((character for character in cell if not _is_skipped(character)), "")
    return first in SIGNS or unicodedata.normalize("NFKC", first)[:1] in SIGNS


def _is_skipped(character: str) -> bool:
    """Return whether it is a blank, an invisible character (control, format, unassigned) or a quote."""
    return character in QUOTES or unicodedata.category(character)[0] in "ZC"
