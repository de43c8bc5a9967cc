"""Copying from the training texts: small cases, folding, and agreement with brute force."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from utils.metrics.copying import Copying


@pytest.fixture(scope="module")
def copying():
    return Copying(keep_in_memory=True)


def test_copying_of_a_small_case(copying):
    training = [
        "Nothing to see here.",
        "One two three four five six seven eight nine",
        "we DON’T know",
        "three four five",
    ]
    generated = [
        "zero one two three, four five six seven eight!",  # 8 words of text 1
        "We don't know...",  # text 2, folded
        "five four three",  # only single words
        "quite new",
    ]
    result = copying.compute(predictions=generated, training_texts=training)
    assert result.pop("per_text") == [
        {
            "exact_copy": False,
            "words": 9,
            "copied_words": 8,
            "copied_run": "one two three four five six seven eight",
            "training_index": 1,
            "shared_ngrams": [8, 7, 6, 5, 4, 3, 2, 1, 0, 0],
        },
        {
            "exact_copy": True,
            "words": 3,
            "copied_words": 3,
            "copied_run": "we dont know",
            "training_index": 2,
            "shared_ngrams": [3, 2, 1, *[0] * 7],
        },
        {
            "exact_copy": False,
            "words": 3,
            "copied_words": 1,
            "copied_run": "five",
            "training_index": 1,
            "shared_ngrams": [3, *[0] * 9],
        },
        {
            "exact_copy": False,
            "words": 2,
            "copied_words": 0,
            "copied_run": "",
            "training_index": None,
            "shared_ngrams": [0] * 10,
        },
    ]
    assert result == {
        "exact_copies": 0.25,
        "longest_copied_words": 8,
        "median_copied_words": 2.0,
        "mean_copied_words": 3.0,
        "copied_8": 0.25,
        "texts": 4,
        "training_texts": 4,
    }


@pytest.mark.parametrize(
    ("text", "training_text", "copied_words", "exact_copy"),
    [
        ("Straße – CAFÉ", "STRASSE cafe\u0301!!", 2, True),
        ("a b", "ab", 0, False),
        ("🔥 👩🏽‍🚒", "🔥👩🏽‍🚒", 2, True),
        ("👩🏽‍🚒", "👩", 0, False),
        ("日本語です", "これは日本語だ", 3, False),
        ("नमस्ते दुनिया", "नमस्ते", 1, False),
        ("!!!", "!!!", 0, False),
        ("", "", 0, False),
        ("#one @two", "one-two", 2, True),
    ],
)
def test_copying_folds_case_blanks_and_punctuation(copying, text, training_text, copied_words, exact_copy):
    result = copying.compute(predictions=[text], training_texts=[training_text])
    assert (result["longest_copied_words"], result["exact_copies"]) == (copied_words, float(exact_copy))


def test_a_run_does_not_cross_from_one_text_into_the_next(copying):
    result = copying.compute(predictions=["a b", "c d"], training_texts=["x a", "b c", "d"])
    assert result["longest_copied_words"] == 1


def test_runs_of_a_large_vocabulary_are_distinguished(copying):
    # Pairs are numbered first word * 70,000 + second word: in 32 bits, the first training text would pass for "w0 w1".
    generated = " ".join(f"w{number}" for number in range(70_000))
    result = copying.compute(predictions=[generated], training_texts=["w61356 w47297", "w1", "w0"])
    assert result["longest_copied_words"] == 1


def longest_run_by_brute_force(words, training):
    """(length, index of the first training text with the first such run), trying every run in every text."""
    for length in range(len(words), 0, -1):
        for start in range(len(words) - length + 1):
            run = words[start : start + length]
            for index, other in enumerate(training):
                if any(other[place : place + length] == run for place in range(len(other))):
                    return length, run, index
    return 0, [], None


small_texts = st.lists(st.lists(st.sampled_from("abc"), max_size=12), min_size=1, max_size=6)


@settings(deadline=None)
@given(generated=small_texts, training=small_texts)
def test_copying_agrees_with_brute_force(copying, generated, training):
    result = copying.compute(
        predictions=[" ".join(words) for words in generated],
        training_texts=[" ".join(words) for words in training],
    )
    for text, words in zip(result["per_text"], generated, strict=True):
        length, run, index = longest_run_by_brute_force(words, training)
        assert (text["copied_words"], text["copied_run"], text["training_index"]) == (length, " ".join(run), index)
        assert text["exact_copy"] == (words != [] and words in training)
        assert text["words"] == len(words)
        assert text["shared_ngrams"] == [
            sum(any(other[place : place + n] == words[start : start + n] for other in training for place in range(12))
                for start in range(len(words) - n + 1))
            for n in range(1, 11)
        ]  # fmt: skip


@pytest.mark.parametrize(("generated", "training"), [([], ["a"]), (["a"], [])])
def test_copying_needs_texts_on_both_sides(copying, generated, training):
    with pytest.raises(ValueError, match="nothing to compare"):
        copying.compute(predictions=generated, training_texts=training)
