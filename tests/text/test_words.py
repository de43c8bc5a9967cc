"""The number of words of a text, and its normal form for comparisons."""

import re
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from utils.text.words import UNSPACED, bare_words, count_words, text_key


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", 0),
        ("  ", 0),
        ("one", 1),
        ("one  two\nthree", 3),
        ("aujourd'hui, c'est ça !", 4),
        ("東京", 2),
        ("東京 tower", 3),
        ("abc東京def", 4),
        ("カタカナ", 4),
        ("สวัสดี", 6),
        ("한국어 문장", 2),
        ("#tag @name 12.5", 3),
    ],
)
def test_count_words(text, words):
    assert count_words(text) == words


ANY_TEXT = st.text(st.characters() | st.sampled_from(" \t\n\x1c\x85\xa0\u2028aé東ก.,"), max_size=30)


@settings(max_examples=500, deadline=None, database=None, derandomize=True)
@given(ANY_TEXT)
def test_words_end_at_any_blank(text):
    assert count_words(text) == len(re.findall(rf"[{UNSPACED}]|[^\s{UNSPACED}]+", text))


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("Don’t  STOP, l'été!\n", "dont stop lété"),
        ("STRASSE Straße", "strasse strasse"),
        ("e\u0301 \u200bé", "é é"),
        ("5 € + 3 😀", "5 € + 3 😀"),
        ("?!", ""),
    ],
)
def test_bare_words(text, bare):
    assert bare_words(text) == bare
    assert text_key(text) == text_key(text, bare) == (bare.replace(" ", "") or text)


@settings(max_examples=500, deadline=None, database=None, derandomize=True)
@given(ANY_TEXT)
def test_bare_words_by_the_book(text):
    folded = unicodedata.normalize("NFC", text.casefold())
    kept = [one for one in folded if one.isspace() or unicodedata.category(one)[0] not in "PC"]
    assert bare_words(text) == " ".join("".join(kept).split())


@settings(max_examples=500, deadline=None, database=None, derandomize=True)
@given(st.text(st.characters(max_codepoint=127), max_size=30))
def test_bare_words_of_ascii_are_those_of_any_text(text):
    assert bare_words(text) == bare_words(f"{text} é").removesuffix("é").rstrip(" ")
