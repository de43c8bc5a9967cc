"""Cells that a spreadsheet runs, and those that only look a little like them."""

import pytest

from utils.text.formulas import without_formula

RUN = {
    "equals": "=HYPERLINK(1)",
    "plus": "+1+cmd|' /C calc'!A0",
    "minus": "-2+3",
    "at": "@SUM(1)",
    "tab": "\t=1",
    "tab-text": "\tx",
    "return": "\r=1",
    "line": "\n=1",
    "nul": "\0=1",
    "blank": "  =1",
    "no-break": "\u00a0=1",
    "zero-width": "\u200b=1",
    "mark": "\ufeff+1",
    "escape": "\x1b=1",
    "override": "\u202e=1",
    "quote": '"=1',
    "apostrophe": "'=1",
    "curly": "“=1”",
    "all": " \"'\u200b @x",
    "wide-equals": "＝1",
    "wide-plus": "＋1",
    "wide-minus": "－1",
    "wide-at": "＠SUM",
    "small": "﹦1",
    "raised": "⁺1",
    "minus-sign": "\u22121",
}
PLAIN = ("", "a=1", "1-2", "x@y.org", "#1", "— dash", "…", "(=1)", "'quoted'", "  ", "''", "%", "🙂 =", "été", "0.5")


@pytest.mark.parametrize("cell", RUN.values(), ids=RUN)
def test_formulas_get_an_apostrophe(cell):
    assert without_formula(cell) == "'" + cell


@pytest.mark.parametrize("cell", PLAIN, ids=map(repr, PLAIN))
def test_other_cells_stay(cell):
    assert without_formula(cell) == cell


def test_twice_is_undone_twice():
    """So one can tell what was escaped from what the file had."""
    assert without_formula(without_formula("=1"))[2:] == "=1"
