"""All steps of cleaning together: results, counts, and that cleaning twice changes nothing."""

import re
import subprocess
import sys
from dataclasses import asdict, fields
from unittest.mock import patch

import pytest
from cleanings import NOTHING, only
from hypothesis import given, settings
from hypothesis import strategies as st

from utils.text import cleaning as cleaning_module
from utils.text.cleaning import CHOICES, Cleaning, clean, clean_all, from_saved

DEFAULT = Cleaning()


def test_a_tweet_with_everything():
    text = "RT @bob: L’œuvre d&#39;été&nbsp;: «\u202fÇa\u202f» coûte 5\u00a0€ 👨‍👩‍👧‍👦🇫🇷 !"
    text += "\r\nVoir https://t.co/AbC9 #été @zoé ✔"
    assert clean(text, DEFAULT) == "L’œuvre d'été : « Ça » coûte 5 € ! Voir #été"


def test_every_field_has_choices_and_its_default_is_one_of_them():
    assert {field.name for field in fields(Cleaning)} - {"rules"} == set(CHOICES)
    for field in (field for field in fields(Cleaning) if field.name in CHOICES):
        assert field.default in CHOICES[field.name]
        assert "keep" in CHOICES[field.name]


@pytest.mark.parametrize("mentions", ["remove", "placeholder"])
def test_a_model_from_before_these_rules_sees_texts_as_in_training(mentions):
    saved = asdict(Cleaning(html="unescape", mentions=mentions))
    del saved["rules"]
    text = "RT @a: !! RT @b: (via @ann.bsky.social) a<br />b &lt;3 on youtu.be/AbC1 or http://t.co/abc. @Jo-Doe u/ann"
    expected = {
        "remove": "!! RT : (via .bsky.social) a<br />b <3 on youtu.be/AbC1 or . -Doe u/ann",
        "placeholder": "!! RT @user: (via @user.bsky.social) a<br />b <3 on youtu.be/AbC1 or . @user-Doe u/ann",
    }
    assert clean(text, from_saved(saved)) == expected[mentions]
    assert from_saved(asdict(DEFAULT)) == DEFAULT


@pytest.mark.parametrize("cleaning", [DEFAULT, Cleaning(hashtags="remove")])
@pytest.mark.parametrize("text", ["", " \n\u00a0", "https://t.co/abc", "@bob 😀", "\ud800", "\u200b\ufeff"])
def test_a_text_of_noise_becomes_empty(text, cleaning):
    assert clean(text, cleaning) == ""


def test_keeping_everything_changes_only_blanks_and_broken_characters():
    text = "RT @bob: Ã© &amp; https://t.co/a #b 😀 \ufffd\u200b\x07 \ud83d\ude00 É"
    assert clean(f" {text}\ud800 ", NOTHING) == text.replace("\ud83d\ude00", "😀")


def test_entities_are_unescaped_before_anything_else():
    assert clean("&lt;3 &#64;bob &#x1F600; &#35;a http:&#47;&#47;x.fr", Cleaning(hashtags="remove")) == "<3"


def test_lower_case():
    assert clean("ÉTÉ İ ΑΣ Straße", only(case="lower")) == "été i̇ ας straße"


def test_clean_all_counts_the_texts_that_had_each_kind_of_noise():
    texts = ["RT @a: @b x&amp;y @c", "x  y 😀 😀", "plain", "", "#tag http://x.fr ✓"]
    cleaned, counts = clean_all(texts, Cleaning(hashtags="remove"))
    assert cleaned == ["x&y", "x y", "plain", "", ""]
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
    "piece",
    [
        *(
            "&amp;",
            "&#38;",
            "<b>",
            "<!--",
            "@a",
            "@a@@",
            "@a.b-",
            "(@a",
            "@a, ",
            "via @a ",
            "[@a](http://b) ",
            "u/abc ",
        ),
        *("#a", "http://(", "t.co/", "a.co/b.", "Ã©", "RT @a: ", "1\ufe0f\u20e3"),
    ],
)
def test_a_hostile_cell_is_cleaned_in_linear_time(piece):
    """Quadratic time on any of these would run into the suite's time limit."""
    cleaned = clean(piece * 100_000, Cleaning(hashtags="remove"))
    assert clean(cleaned, Cleaning(hashtags="remove")) == cleaned


PIECES = """< > </ /> <b> <br </p> <a href=" <!-- --> <script>
& # ; @ : . ( ) / _ … ? amp; lt; &am p; &# &#38; &#112; &#64;
&#x1f600; &Eacute; &EACUTE; &nbsp; &nGt; &#55357;
R T RT rt http ht tp https:// www. t.co/ pic.twitter.com/ a B é É e\u0301 İ Σ ß K Ⱥ 1 * ＠ ＃ user@mail.fr #tag @bob
@jo-x.y u/abc bit.ly/x1 via RT: cc and , - \" “ ” « » ' [ ] !
\u00ad \u200b \u200c \u200d \ufe0e \ufe0f \u20e3 😀 👨 ❤ © ™ ‼ 🇫 🇷 🏽 🏴 \U000e0067 \U000e007f ک क \u094d 中 \U000e0100
Ã â € ˜ ð Ÿ ┬ ├ Р ° \x80 \x92 \ufffd \ue000 \u3164 \x00 \ud83d \ude05""".split()  # noqa: SIM905 (a list of these would fill a page)

BLANKS = [" ", "\r\n", "\u2028", "\u00a0", "\x85", "\t"]

CRAFTED = st.lists(st.sampled_from(PIECES + BLANKS), max_size=14).map("".join)

ARBITRARY = st.text(st.characters(), max_size=30)

CLEANINGS = st.builds(
    Cleaning, rules=st.sampled_from([1, 2]), **{name: st.sampled_from(choices) for name, choices in CHOICES.items()}
)


@settings(max_examples=1500, deadline=None, database=None, derandomize=True)
@given(st.one_of(CRAFTED, ARBITRARY, st.tuples(CRAFTED, ARBITRARY).map("".join)), CLEANINGS)
def test_cleaning_twice_changes_nothing(text, cleaning):
    cleaned = clean(text, cleaning)
    assert clean(cleaned, cleaning) == cleaned
    assert cleaned == " ".join(cleaned.split())
    cleaned.encode()


@settings(max_examples=500, deadline=None, database=None, derandomize=True)
@given(st.one_of(CRAFTED, st.text(st.sampled_from("aAéâÃ “”’«»…–&;#/@.:w \n<1"), max_size=12)), CLEANINGS)
def test_the_steps_that_plain_texts_skip_would_change_nothing(text, cleaning):
    expected = clean(text, cleaning)
    with patch.object(cleaning_module, "_LETTERS", re.compile("(?!)")):
        assert clean(text, cleaning) == expected


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
