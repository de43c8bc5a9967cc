"""Recognizing one text as another one's whole version."""

import pytest

from utils.text.text_versions import beginning, comparable, continues

WHOLE = "Bread & butter at https://t.co/one and the whole street came out to look"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Bread &amp; butter at https://t.co/two and the wh…", True),
        ("Bread & butter at https://t.co/two and the whole… https://t.co/three", True),
        ("@ann Bread & butter\nat https://t.co/two and the…", True),
        ("Bread & butter at ht…", True),
        ("Bread & butter at https://t.…", True),
        ("Bread & butter at\ufffd…", True),
        ("Bread & butter at ... Read more", True),
        ("Bread & jam at…", False),
        ("Bread…", False),  # too short to tell
        (WHOLE, False),
        (WHOLE + " https://t.co/photo", False),
        (WHOLE + " and more", False),
        ("", False),
    ],
)
def test_a_whole_text_continues_its_beginning(text, expected):
    assert continues(WHOLE, text) == expected


@pytest.mark.timeout(20)  # hours, where the end of a text is looked for from each of its blanks
@pytest.mark.parametrize("unit", ["\n", " \n", "http:", "… more "], ids=["lines", "blanks", "links", "cuts"])
def test_a_text_of_a_megabyte_is_compared(unit):
    text = "x" + unit * (1_000_000 // len(unit)) + "y"
    assert beginning(text) == comparable(text)
