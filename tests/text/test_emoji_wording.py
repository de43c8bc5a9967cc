"""Descriptions that say the same, and those that only look alike."""

import pytest

from utils.text.emoji_wording import description_key, wording_key


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("keycap: *", "keycap: #"),
        ("keycap: *", "keycap #"),
        ("keycap:*", "keycap:#"),
        ("keycap *", "keycap"),
        ("+1", "-1"),
        ("-1", "1"),
        ("+1", "1"),
        ("A button", "B button"),
        ("!", "?"),
        ("!!", "!?"),
        (":)", ":("),
        ("mark !", "mark ?"),
        ("50 %", "50 ‰"),
        ("<3", ">3"),
        ("a & b", "a + b"),
        ("∞", "≠"),
    ],
)
def test_punctuation_that_tells_emoji_apart(one, other):
    assert description_key(one) != description_key(other)
    assert wording_key(one) != wording_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ice cream", "Ice-Cream"),
        ("icecream", "ice cream"),
        ("Turks & Caicos", "turks caicos"),
        ("keycap: *", "keycap *"),
        ("flag: Peru", "flag – Peru"),
        ("Japanese “here” button", "Japanese here button"),
        ("cat’s face", "cat's face"),
        ("oh no!", "oh no"),
        ("A button (blood type)", "a button, blood type"),
    ],
)
def test_spelling_does_not(one, other):
    assert description_key(one) == description_key(other)
    assert wording_key(one) == wording_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("man running", "Running, man"),
        ("soft icecream", "ice cream, soft"),
        ("piñata", "pinata"),
        ("crème brûlée", "creme brulee"),
        ("cats", "cat"),
        ("flags of Peru", "flag of peru"),
    ],
)
def test_wordings_on_one_side(one, other):
    assert wording_key(one) == wording_key(other)
    assert description_key(one) != description_key(other)


@pytest.mark.parametrize(("one", "other"), [("cat", "dog"), ("grin", "grinning"), ("bus", "bu"), ("one", "two")])
def test_other_words_are_other_wordings(one, other):
    assert wording_key(one) != wording_key(other)
