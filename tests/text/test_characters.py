"""Entities, broken encodings, blanks, emoji and special characters, through `clean` with one kind of cleaning."""

import unicodedata
from contextlib import suppress

import emoji
import ftfy
import pytest
from cleanings import NOTHING, only
from ftfy.chardata import CHARMAP_ENCODINGS

from utils.text.characters import repair_mojibake
from utils.text.cleaning import Cleaning, clean

DEFAULT = Cleaning()


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("AT&amp;T", "AT&T"),
        ("&amp;amp;amp;lt;3", "<3"),
        ("&#38;amp;#x26;gt;", ">"),
        ("I&#39;m &quot;x&quot; &eacute;&Eacute; &euro;", 'I\'m "x" éÉ €'),
        ("a&nbsp;b", "a b"),
        ("I &lt3 it &amp", "I <3 it &"),  # truncated by an export
        ("&#128064;", "👀"),
        ("Q&A, AT&T; R&D &notre &copy=2 &lt=4 &unknown; &#; &", "Q&A, AT&T; R&D &notre &copy=2 &lt=4 &unknown; &#; &"),
        ("&#99999999999999999999;", "&#99999999999999999999;"),
    ],
)
def test_html_entities(text, cleaned):
    assert clean(text, only(html="unescape")) == cleaned
    assert clean(text, NOTHING) == text


TEXTS = [
    *("café", "l’été", "à la", "ÀÉÎÕÜ", "Привет мир", "100 €", "« œuvre… »", "naïve – 東京", "it’s “ok”", "😀"),
    *("¿mañana?", "zażółć", "Ελλάδα", "5° ½ ﬁn"),
]


@pytest.mark.parametrize("text", TEXTS)
def test_mojibake(text):
    assert clean(text.encode().decode("latin-1"), only(mojibake="repair")) == text
    assert clean(text, only(mojibake="repair")) == text


def test_the_quick_test_for_mojibake_stops_nothing_that_ftfy_repairs():
    repaired = 0
    for text in (*TEXTS, *(f"{a} {b}" for a in TEXTS for b in TEXTS)):
        for encoding in CHARMAP_ENCODINGS:
            with suppress(UnicodeDecodeError):
                broken = text.encode().decode(encoding)
                for variant in (broken, broken.replace("\u00a0", " ")):
                    expected = ftfy.fix_encoding(variant)
                    repaired += expected != variant
                    assert repair_mojibake(variant) == expected
    assert repaired > 1000


def test_mojibake_of_control_characters_and_through_entities():
    assert clean("It\x92s \x93ok\x94", DEFAULT) == "It’s “ok”"
    assert clean("caf&Atilde;&copy;", DEFAULT) == "café"
    assert clean("Ã©", only(html="unescape")) == "Ã©"


def test_surrogates():
    assert clean("a\ud83d\ude00b\udc00c\ud800", NOTHING) == "a😀b c"


def test_blanks_of_every_kind():
    blanks = [chr(point) for point in range(0x110000) if chr(point).isspace()]
    assert len(blanks) > 20
    for blank in blanks:
        assert clean(f"{blank}a{blank}{blank} b !{blank}", NOTHING) == "a b !"


TEXT_ALONE = {"©", "®", "™"}


@pytest.mark.parametrize("special_characters", ["remove", "keep"])
def test_every_emoji_of_the_table_goes_whole_or_stays_whole(special_characters):
    removing = Cleaning(special_characters=special_characters)
    keeping = Cleaning(special_characters=special_characters, emoji="keep")
    assert len(emoji.EMOJI_DATA) > 5000
    for sequence in emoji.EMOJI_DATA:
        if sequence in TEXT_ALONE:
            assert clean(f"a {sequence} b", removing) == f"a {sequence} b"
            continue
        assert clean(f"a {sequence} b", removing) == "a b"
        assert clean(f"a{sequence}b", removing) == "a b"
        assert clean(sequence * 2, removing) == ""
        assert clean(f"a {sequence} b", keeping) == f"a {sequence} b"


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("a \U0001f1eb b", "a b"),  # half a flag
        ("a \U0001f3fd b", "a b"),  # a skin tone alone
        ("a ❤\ufe0e b", "a b"),  # as text
        ("a 👍\u200d b", "a b"),  # a joiner that joins nothing
        ("a 👨\u200dx", "a x"),
        ("12 #1 * © ® ™", "12 #1 * © ® ™"),
    ],
)
def test_parts_of_emoji(text, cleaned):
    assert clean(text, only(emoji="remove")) == cleaned


def survivors() -> list[str]:
    """Every letter, mark, digit, punctuation mark, currency and mathematical sign that is not invisible or emoji."""
    invisible = set("\u3164\uffa0") | {chr(p) for p in (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))}
    points = (chr(point) for point in range(0x110000))
    wanted = (c for c in points if unicodedata.category(c)[0] in "LMNP" or unicodedata.category(c) in ("Sc", "Sm"))
    return [c for c in wanted if c not in invisible and c not in emoji.EMOJI_DATA]


def test_every_alphabet_survives():
    characters = survivors()
    assert len(characters) > 130_000
    text = " ".join(characters)
    assert clean(text, only(special_characters="remove", emoji="remove")) == text


@pytest.mark.parametrize(
    "text",
    [
        "L’œuvre « naïve » ‹ou› “cœur” ‘ok’ – — … l'ʼn ﬁn ß, 20 % = 5 € £ $ ¥ ± 3° → a < b & c > d",
        "می‌خواهم نمی‌دانم",  # Persian, zero-width non-joiners
        "क्‍ष ශ්‍රී ന്‍",  # Hindi, Sinhala, Malayalam, zero-width joiners
        "葛\U000e0100飾区",  # a variant of an ideograph
        "e\u0301 か\u3099 ﷽ №5 25℃ ① Ⓐ ⠓⠑",
        "بسم الله\u06dd\u0661",  # the end of a verse is a format character that is seen
        "日本語、「引用」。한국어 ไทย العربية עברית",
    ],
)
def test_peoples_own_characters_survive(text):
    assert clean(text, Cleaning(emoji="keep")) == text
    assert clean(text, DEFAULT) == text


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("a\x00b\x07c\x7f", "a b c"),
        ("exem\u00adple \u202eabc\u202c \ufeffd", "exemple abc d"),
        ("a\u200bb\u3164\u2800c", "a b c"),
        ("caf\ufffd \ufffc\ue000\U000f0000\u0378x", "caf x"),
        ("■ ┌─┐ ✓ ⌘ 🂡 x", "x"),
        ("a\ufe0f b\ufe00\U000e0100 中\ufe0f", "a b 中"),
        ("b\u200dc \u200cd ک،\u200cخ", "bc d ک،خ"),
    ],
)
def test_special_characters(text, cleaned):
    assert clean(text, only(special_characters="remove")) == cleaned
