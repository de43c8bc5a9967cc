"""Columns of a terminal: wide characters, emoji, accents, and lines that are broken where they fit."""

import pytest

from utils.terminal.widths import padded, width_of, wrapped


@pytest.mark.parametrize(
    ("text", "width"),
    [
        ("", 0),
        ("abc", 3),
        ("œuf", 3),
        ("e\u0301", 1),
        ("漢字", 4),
        ("ｆｕｌｌ", 8),
        ("한국", 4),
        ("😿", 2),
        ("❤️", 2),
        ("👍🏽", 2),
        ("👨\u200d👩\u200d👧", 2),
        ("a\u200bb", 2),
        ("–…✓", 3),
    ],
)
def test_width(text, width):
    assert width_of(text) == width
    assert width_of(padded(text, 9)) == width_of(padded(text, 9, right=True)) == 9


def test_lines_are_broken_between_words_and_within_wide_ones():
    assert wrapped("one two  three", 8) == ["one two ", "three"]
    assert wrapped("ab👍🏽👍🏽c", 4) == ["ab👍🏽", "👍🏽c"]
    assert wrapped("漢字漢字 a", 5) == ["漢字", "漢字", "a"]
    assert wrapped("models/a/b", 8) == ["models/", "a/b"]
    assert wrapped("", 5) == [""]
    assert wrapped("漢", 1) == ["漢"]
