r"""Escapes that exports leave: undone in a column that is full of them, and left alone in any other."""

import pytest

from utils.text.escapes import find_escapes, undo_escapes

PLAIN = [f"a plain review, number {number}; it's fine" for number in range(40)]


@pytest.mark.parametrize(
    ("cell", "kind", "text"),
    [
        (r"Great.\n\nI don\u2019t mind \"it\" http:\/\/a.b", "backslash", 'Great.\n\nI don’t mind "it" http://a.b'),
        (r"Pros:\nlight\nCons:\n\nnone", "backslash", "Pros:\nlight\nCons:\n\nnone"),
        (r"it\'s\r\nso\tgood", "backslash", "it's\r\nso\tgood"),
        (r"twice\\nescaped \\\"so\\\"", "backslash", 'twice\nescaped "so"'),
        (r"it\xe2\x80\x99s \xf0\x9f\x98\x80 caf\xe9", "backslash", "it’s 😀 café"),
        (r"pair \ud83d\ude00 half \ud83d", "backslash", "pair 😀 half  "),
        ("Wall Street#39;s #36;5, &#39s", "entity", "Wall Street's $5, 's"),
        ("AT amp; T quot;x quot; lt;b gt;", "entity", 'AT & T "x " <b >'),
        ("donu2019t cafu00e9 u201cHi ud83dude00", "code", "don’t café “Hi 😀"),
    ],
)
def test_a_column_full_of_escapes(cell, kind, text):
    assert find_escapes([cell] * 3 + PLAIN) == {kind: 3}
    assert undo_escapes(cell, [kind]) == text


@pytest.mark.parametrize(
    "cells",
    [
        [r"files are in C:\new\table"] * 10 + PLAIN,
        [r"D:\users\nora and \\server\name"] * 10,
        [r"the angle \theta, a \nu and \neq"] * 10,
        [r"\begin{x} \right) \n"] * 10,
        [r"\d+\n and \w\t"] * 10,
        [r"yes \o/ no \m/", r"¯\_(ツ)_/¯"] * 10,
        [r'print("one\n")'] * 2 + PLAIN,
        [r"one\ntwo"] * 3 + PLAIN * 2,
        ["&#39; &amp; #1; #tag; example; C#5;"] * 10,
        ["u2 and u2000km Youth2019; menu2019 U2019 1u2019"] * 2 + PLAIN,
        ["", ""],
        [],
    ],
)
def test_escapes_that_may_be_meant_stay(cells):
    assert find_escapes(cells) == {}


def test_several_kinds_at_once():
    cells = [r"one\ntwo #39;s", "donu2019t"] * 10
    kinds = find_escapes(cells)
    assert kinds == {"backslash": 10, "entity": 10, "code": 10}
    assert undo_escapes(r"one\ntwo #39;s donu2019t", kinds) == "one\ntwo 's don’t"
    assert undo_escapes("untouched", ()) == "untouched"
