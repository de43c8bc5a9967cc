"""Novel n-grams and texts that repeat themselves, counted by hand and by a plain loop."""

import random

import pytest

from utils.metrics.copying import Copying
from utils.metrics.novelty import novelty, repeating_texts
from utils.metrics.shares import share_interval

WORDS = ["red", "green", "blue", "one", "two", "three"]


def texts_of(seed: int, number: int) -> list[str]:
    generator = random.Random(seed)
    return [" ".join(generator.choices(WORDS, k=generator.randrange(15))) for _ in range(number)]


def ngrams(text: str, n: int) -> list[str]:
    words = text.split()
    return [" ".join(words[start : start + n]) for start in range(len(words) - n + 1)]


@pytest.fixture(scope="module")
def per_text():
    copying = Copying(keep_in_memory=True)
    return lambda texts, training: copying.compute(predictions=texts, training_texts=training)["per_text"]


def test_novelty_is_that_of_a_plain_loop(per_text):
    texts, training = texts_of(1, 12), texts_of(2, 20)
    found = novelty(per_text(texts, training))
    assert len(found) == 10
    for n, share in enumerate(found, 1):
        known = {ngram for text in training for ngram in ngrams(text, n)}
        all_ngrams = [ngram for text in texts for ngram in ngrams(text, n)]
        assert share["value"] == pytest.approx(sum(ngram not in known for ngram in all_ngrams) / len(all_ngrams))
        assert share["low"] <= share["value"] <= share["high"]
    assert found[0]["value"] < 0.1 < 0.9 < found[9]["value"]
    assert found[9]["low"] < 1  # a few texts say little, even where all is new


def test_texts_of_one_source_count_together(per_text):
    texts = ["one two three four", "five six"] * 10
    of_texts = per_text(texts, ["one two three"])
    apart, together = novelty(of_texts), novelty(of_texts, ["a", "b"] * 10)
    assert apart[0]["value"] == together[0]["value"] == 0.5
    assert together[0]["high"] - together[0]["low"] > apart[0]["high"] - apart[0]["low"]


def test_nothing_is_known_and_nothing_is_said(per_text):
    shares = novelty(per_text(["quite new", ""], ["other words", "\x00"]))
    assert [share and share["value"] for share in shares] == [1, 1, *[None] * 8]
    assert novelty(per_text(["", "!!!"], ["words"])) == [None] * 10


def test_texts_that_repeat_themselves():
    texts = [
        "a b a b",  # a pair twice
        "make it great, make it GREAT",  # a pair and a triple
        "a b c d e a b c d",  # all
        "no no no",  # "no no" twice
        "a b c",
        "one",
        "",
    ]
    found = repeating_texts(texts)
    assert {n: share["value"] for n, share in found.items()} == {"2": 4 / 5, "3": 2 / 5, "4": 1 / 3}
    assert found["3"] == share_interval([False, True, True, False, False])
    assert repeating_texts(["", "one"]) == {"2": None, "3": None, "4": None}


def test_repeating_texts_of_one_source_count_together():
    apart, together = (
        repeating_texts(["a b a b", "c d"] * 10, clusters)["2"] for clusters in (None, ["first", "second"] * 10)
    )
    assert together["high"] - together["low"] > apart["high"] - apart["low"]
