"""Places of copied words in the original text, character by character."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from utils.metrics.copied_places import place_of_run
from utils.metrics.copying import Copying, folded_words


@pytest.mark.parametrize(
    ("text", "run", "marked"),
    [
        ("So, DON’T look: now!", "dont look", "DON’T look"),
        ("eine Straße  – CAFE\u0301!", "strasse caf\u00e9", "Straße  – CAFE\u0301"),
        ("İstanbul’da Ünal", "ünal", "Ünal"),  # İ has two folded characters
        ("a b a b", "a b", "a b"),
        ("hot 👩🏽‍🚒❤️ hot", "👩🏽‍🚒 ❤️", "👩🏽‍🚒❤️"),
        ("これは日本語だ", "日 本", "日本"),
        ("\x00one\x07 two\u202e three", "two three", "two\u202e three"),
        ("שלום לכולם היום", "לכולם היום", "לכולם היום"),
        ("!" * 10_000 + " at the end", "the end", "the end"),
    ],
)
def test_a_run_is_found_in_the_text_as_it_is_written(text, run, marked):
    start, end = place_of_run(text, run)
    assert text[start:end] == marked


def test_a_run_that_is_repeated_is_found_where_it_first_stands():
    assert place_of_run("x a b, a b", "a b") == (2, 5)


@pytest.mark.parametrize("run", ["", "three", "two one", "one two three"])
def test_no_run_is_found_where_there_is_none(run):
    assert place_of_run("one two", run) is None


texts = st.text(st.sampled_from("abß ’'\u0301\u0307İ𝔄👩🏽\u200d🚒日.!\u1100\u1161\u11a8\n\u202e"), max_size=20)


@settings(deadline=None)
@given(texts, texts)
def test_the_marked_text_has_the_copied_words(text, training_text):
    result = Copying(keep_in_memory=True).compute(predictions=[text], training_texts=[training_text])
    run = result["per_text"][0]["copied_run"]
    for each in (text, training_text):
        place = place_of_run(each, run)
        assert (place is None) == (run == "")
        if place:
            assert " ".join(folded_words(each[slice(*place)])) == run
