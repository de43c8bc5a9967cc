import subprocess
import sys
import unicodedata
from contextlib import suppress
from dataclasses import asdict, fields

import emoji
import ftfy
import pytest
from ftfy.chardata import CHARMAP_ENCODINGS
from hypothesis import given, settings
from hypothesis import strategies as st

from utils.text.cleaning import CHOICES, Cleaning, clean, clean_all, repair_mojibake

DEFAULT = Cleaning()
NOTHING = Cleaning(**dict.fromkeys(CHOICES, "keep"))


def only(**choice: str) -> Cleaning:
    return Cleaning(**{**asdict(NOTHING), **choice})


def test_a_tweet_with_everything():
    text = "RT @bob: L’œuvre d&#39;été&nbsp;: «\u202fÇa\u202f» coûte 5\u00a0€ 👨‍👩‍👧‍👦🇫🇷 !"
    text += "\r\nVoir https://t.co/AbC9 #été @zoé ✔"
    assert clean(text, DEFAULT) == "L’œuvre d'été : « Ça » coûte 5 € ! Voir #été"


def test_every_field_has_choices_and_its_default_is_one_of_them():
    assert {field.name for field in fields(Cleaning)} == set(CHOICES)
    for field in fields(Cleaning):
        assert field.default in CHOICES[field.name]
        assert "keep" in CHOICES[field.name]


@pytest.mark.parametrize("cleaning", [DEFAULT, Cleaning(hashtags="remove")])
@pytest.mark.parametrize("text", ["", " \n\u00a0", "https://t.co/abc", "@bob 😀", "\ud800", "\u200b\ufeff"])
def test_a_text_of_noise_becomes_empty(text, cleaning):
    assert clean(text, cleaning) == ""


def test_keeping_everything_changes_only_blanks_and_broken_characters():
    text = "RT @bob: Ã© &amp; https://t.co/a #b 😀 \ufffd\u200b\x07 \ud83d\ude00 É"
    assert clean(f" {text}\ud800 ", NOTHING) == text.replace("\ud83d\ude00", "😀")


# Encodings and HTML ---------------------------------------------------------------------------------------------------


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


def test_entities_are_unescaped_before_anything_else():
    assert clean("&lt;3 &#64;bob &#x1F600; &#35;a http:&#47;&#47;x.fr", Cleaning(hashtags="remove")) == "<3"


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


# What Twitter adds ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("RT @bob: hello", "hello"),
        ("rt @bob hello", "hello"),
        ("RT @a: RT @b: hello", "hello"),
        ("RT ＠bob: hello", "hello"),
        ("RT if you agree, RT @bob", "RT if you agree, RT @bob"),
        ("ART @bob: x", "ART @bob: x"),
    ],
)
def test_retweet_prefix(text, cleaned):
    assert clean(text, only(retweet_prefix="remove")) == cleaned
    assert clean(text, NOTHING) == text


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("see https://t.co/AbC9. Next", "see . Next"),
        ("see HTTP://X.FR/A, Www.Site.com! pic.twitter.com/abc t.co/a1", "see , !"),
        ("https://x.fr/à-la-une?a=b&c=d;e#f~g%20h: ok", ": ok"),
        ("(https://fr.wikipedia.org/wiki/Film_(1965)) (http://x.fr/a)", "( ) ( )"),
        ('[here](http://x.fr), «http://x.fr» "http://x.fr"', '[here]( ), « » " "'),
        ("glued:https://t.co/abc東京", "glued: 東京"),
        ("a https:/… b https://t… c https… d http://… e https://t.co/a…", "a b c d e"),
        ("http://user:pass@x.fr:80/@me/#top", ""),
        ("pinterest.co/a at.co/b nawww.yes bob@www.x.fr", "pinterest.co/a at.co/b nawww.yes bob@www.x.fr"),
        ("http is a protocol; https: too", "http is a protocol; https: too"),
    ],
)
def test_urls(text, cleaned):
    assert clean(text, only(urls="remove")) == cleaned
    assert clean(text, NOTHING) == text


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("@bob hi @Zoé_1!", "hi !"),
        ("＠bob @@bob ok", "ok"),
        (".@bob says “.@bob”", "says “ ”"),
        ("@bob@mastodon.social. yes", ". yes"),
        ("(@bob) --@bob w/@bob @bob's", "( ) -- w/ 's"),
        ("は@bobさん", "は さん"),
        ("jean.dupont@site.fr andré@site.fr a+b@x.org", "jean.dupont@site.fr andré@site.fr a+b@x.org"),
        ("lol @ you @ 5", "lol @ you @ 5"),
    ],
)
def test_mentions(text, cleaned):
    assert clean(text, only(mentions="remove")) == cleaned
    assert clean(text, NOTHING) == text


@pytest.mark.parametrize(
    ("text", "removed", "unhashed"),
    [
        ("a #été b", "a b", "a été b"),
        ("#東京 #हिन्दी #می‌خواهم #e\u0301te\u0301 ＃ok", "", "東京 हिन्दी می‌خواهم e\u0301te\u0301 ok"),
        ("(#tag), #13Novembre #a_b!", "( ), !", "(tag), 13Novembre a_b!"),
        ("#one#two", "", "one two"),
        ("# alone #1 C# x#y &#bad /#top", "# alone #1 C# x#y &#bad /#top", "# alone #1 C# x#y &#bad /#top"),
    ],
)
def test_hashtags(text, removed, unhashed):
    assert clean(text, only(hashtags="remove")) == removed
    assert clean(text, only(hashtags="unhash")) == unhashed
    assert clean(text, NOTHING) == text


def test_kept_links_stay_whole():
    text = "https://server.org/@bob/a#top www.x.fr/@bob"
    cleaning = Cleaning(urls="keep", hashtags="remove")
    assert clean(text, cleaning) == text
    assert clean(f"@bob {text} #tag", cleaning) == text


# Emoji and special characters -----------------------------------------------------------------------------------------

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


def test_links_mentions_and_hashtags_leave_the_keycap_after_them_whole():
    keycap = "1\ufe0f\u20e3"
    cleaning = Cleaning(emoji="keep", hashtags="remove")
    for noise in ("http://x.fr/a", "https://t.co/a", "@bob", "#tag"):
        assert clean(f"a {noise}{keycap}", cleaning) == f"a {keycap}"


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
def test_what_people_write_survives(text):
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


def test_lower_case():
    assert clean("ÉTÉ İ ΑΣ Straße", only(case="lower")) == "été i̇ ας straße"


# All together ---------------------------------------------------------------------------------------------------------


def test_clean_all_counts_the_texts_that_had_each_kind_of_noise():
    texts = ["RT @a: @b &amp; @c", "x  y 😀 😀", "plain", "", "#tag http://x.fr ✓"]
    cleaned, counts = clean_all(texts, Cleaning(hashtags="remove"))
    assert cleaned == ["&", "x y", "plain", "", ""]
    assert {kind: count for kind, count in counts.items() if count} == {
        "html": 1,
        "blanks": 1,
        "retweet_prefix": 1,
        "urls": 1,
        "mentions": 1,
        "hashtags": 1,
        "emoji": 1,
        "special_characters": 1,
    }
    assert "case" not in counts


@pytest.mark.parametrize(
    "piece", ["&amp;", "&#38;", "@a", "@a@@", "#a", "http://(", "t.co/", "Ã©", "RT @a: ", "1\ufe0f\u20e3"]
)
def test_a_hostile_cell_is_cleaned_in_linear_time(piece):
    """Quadratic time on any of these would run into the suite's time limit."""
    cleaned = clean(piece * 100_000, Cleaning(hashtags="remove"))
    assert clean(cleaned, Cleaning(hashtags="remove")) == cleaned


PIECES = """& # ; @ : . ( ) / _ … ? amp; lt; &am p; &# &#38; &#112; &#64;
&#x1f600; &Eacute; &EACUTE; &nbsp; &nGt; &#55357;
R T RT rt http ht tp https:// www. t.co/ pic.twitter.com/ a B é É e\u0301 İ Σ ß K Ⱥ 1 * ＠ ＃ user@mail.fr #tag @bob
\u00ad \u200b \u200c \u200d \ufe0e \ufe0f \u20e3 😀 👨 ❤ © ™ ‼ 🇫 🇷 🏽 🏴 \U000e0067 \U000e007f ک क \u094d 中 \U000e0100
Ã â € ˜ ð Ÿ ┬ ├ Р ° \x80 \x92 \ufffd \ue000 \u3164 \x00 \ud83d \ude05""".split()  # noqa: SIM905 (a list of these would fill a page)
BLANKS = [" ", "\r\n", "\u2028", "\u00a0", "\x85", "\t"]
CRAFTED = st.lists(st.sampled_from(PIECES + BLANKS), max_size=14).map("".join)
ARBITRARY = st.text(st.characters(), max_size=30)
CLEANINGS = st.builds(Cleaning, **{name: st.sampled_from(choices) for name, choices in CHOICES.items()})


@settings(max_examples=1500, deadline=None, database=None, derandomize=True)
@given(st.one_of(CRAFTED, ARBITRARY, st.tuples(CRAFTED, ARBITRARY).map("".join)), CLEANINGS)
def test_cleaning_twice_changes_nothing(text, cleaning):
    cleaned = clean(text, cleaning)
    assert clean(cleaned, cleaning) == cleaned
    assert cleaned == " ".join(cleaned.split())
    cleaned.encode()


@settings(max_examples=500, deadline=None, database=None, derandomize=True)
@given(
    st.lists(
        st.sampled_from(["😀", "👨‍👩‍👧", "1\ufe0f\u20e3", "\x07", "✔", "\ufffd", "\ud800"]), min_size=1, max_size=4
    )
)
def test_removing_glues_no_words_together(noise):
    assert clean(f"left{''.join(noise)}right", DEFAULT) == "left right"


def test_importing_is_light():
    code = (
        "import sys, utils.text.cleaning; print([m for m in ('emoji', 'ftfy', 'regex', 'numpy') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
