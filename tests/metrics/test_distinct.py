"""distinct-1 to distinct-4: n-grams within texts, and the definition of a token."""

import pytest

from utils.metrics.distinct import Distinct


@pytest.fixture(scope="module")
def distinct():
    return Distinct(keep_in_memory=True)


def test_distinct_counts_ngrams_within_texts(distinct):
    # the cat the dog | The cat: 6 words, 3 different; the-cat cat-the the-dog | the-cat: 4 pairs, 3 different
    # the-cat-the cat-the-dog, and all four words: each once.
    assert distinct.compute(predictions=["the cat the dog", "The cat"]) == {
        "distinct_1": 3 / 6, "distinct_2": 3 / 4, "distinct_3": 1.0, "distinct_4": 1.0,
    }  # fmt: skip


def test_longer_ngrams_are_counted_too(distinct):
    found = distinct.compute(predictions=["a b c d a b c d a b c d", "b c d a"])
    assert (found["distinct_3"], found["distinct_4"]) == (4 / (10 + 2), 4 / (9 + 1))


@pytest.mark.parametrize(
    ("text", "tokens", "different"),
    [
        ("Don't, don't!", 4, 3),
        ("👩🏽‍🚒👩🏽‍🚒 ❤️", 3, 2),
        ("hé hé नमस्ते", 3, 2),
        ("日本日", 3, 2),
    ],
)
def test_distinct_tokens_are_words_marks_and_complete_emoji(distinct, text, tokens, different):
    assert distinct.compute(predictions=[text])["distinct_1"] == different / tokens


def test_without_ngrams_there_is_no_distinct(distinct):
    none = {"distinct_2": None, "distinct_3": None, "distinct_4": None}
    assert distinct.compute(predictions=["one", "two", ""]) == {"distinct_1": 1.0, **none}
    assert distinct.compute(predictions=[]) == {"distinct_1": None, **none}
