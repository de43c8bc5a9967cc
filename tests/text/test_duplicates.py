"""Exact and near duplicates: which texts are, which are not, and how many pairs are missed."""

import os
import random
import subprocess
import sys

import numpy as np
import pytest

from utils.text.duplicates import exact_duplicates, near_duplicates


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ([], []),
        (["a"], [False]),
        (["Don’t stop!", "dont   STOP", "dont stop now"], [False, True, False]),
        (["STRASSE", "Straße", "Strasse."], [False, True, True]),
        (["é", "e\u0301", "e"], [False, True, False]),
        (["की", "का"], [False, False]),  # vowel signs are no punctuation
        (["!!!", "???", "!!!", "", ""], [False, False, True, False, True]),
        (["a b", "😀", "a b 😀", "A\u00a0B\n😀"], [False, False, False, True]),
    ],
)
def test_exact_duplicates(texts, expected):
    found = exact_duplicates(texts)
    assert found.dtype == bool
    assert found.tolist() == expected


TWEET = "Nous avons chiffré notre programme à partir du modèle de la Banque de France, et le voici en ligne"


@pytest.mark.parametrize(
    "variant",
    [
        TWEET,
        TWEET.upper() + " !!!",
        TWEET + " https://t.co/AbCdEf1234",
        TWEET.replace("programme", "progamme"),
        TWEET.replace("France", "Suisse"),
        "Enfin : " + TWEET,
    ],
)
def test_the_same_tweet_again_is_a_near_duplicate(variant):
    assert near_duplicates([TWEET, "something else", variant]).tolist() == [False, False, True]
    assert near_duplicates([variant, TWEET]).tolist() == [False, True]


def test_links_do_not_count():
    texts = ["Live now: https://t.co/AbCdEf1234 https://t.co/Ab3dEf9876", "Live now: https://t.co/zYxWvU5678"]
    assert near_duplicates(texts).tolist() == [False, True]


def test_different_tweets_are_not():
    texts = [
        "Thank you. So true!",
        "Thank you David, so true!",
        "Will be interviewed tonight at 9 on the news",
        "Will be interviewed tomorrow at 8 in the paper",
        "LIVE now",
        "LIVE then",
    ]
    assert not near_duplicates(texts).any()


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ([], []),
        (["", ""], [False, True]),
        (["ok", "OK!", "no", "k"], [False, True, False, False]),
        (["!!!", "?!?", "!!!"], [False, False, True]),
        (["https://t.co/AbCdEf1", "https://t.co/Zyxwv98", "https://t.co/AbCdEf1"], [False, False, True]),
        (["\ud800 lone half of a character", "another \udc00 lone half"], [False, False]),
    ],
)
def test_near_duplicates_of_tiny_texts(texts, expected):
    found = near_duplicates(texts)
    assert found.dtype == bool
    assert found.tolist() == expected


def pieces(text: str) -> set[str]:
    return {text[i : i + 5] for i in range(max(1, len(text) - 4))}


def similarity(one: set[str], other: set[str]) -> float:
    return len(one & other) / len(one | other)


def collection(seed: int, size: int = 200) -> list[str]:
    """Texts of plain words, two in three edited from an earlier one by 1 to 8 wrong letters: 0.6 to 0.96 similar."""
    generator = random.Random(seed)
    texts = []
    for _ in range(size):
        if texts and generator.random() < 0.66:
            letters = list(generator.choice(texts))
            for _ in range(generator.randint(1, 8)):
                letters[generator.randrange(len(letters))] = generator.choice("abcdefgh")
            texts.append("".join(letters))
        else:
            texts.append(" ".join("".join(generator.choices("abcdefgh", k=length)) for length in range(1, 17)))
    return texts


def closest_kept(texts: list[str], duplicate: np.ndarray) -> list[float]:
    """The similarity of every text to the closest earlier text that is no duplicate."""
    sets = [pieces(text) for text in texts]
    return [
        max((similarity(own, sets[i]) for i in range(row) if not duplicate[i]), default=0.0)
        for row, own in enumerate(sets)
    ]


@pytest.mark.parametrize("threshold", [0.5, 0.7, 0.8])
@pytest.mark.parametrize("seed", range(3))
def test_near_duplicates_against_all_pairs(seed, threshold):
    texts = collection(seed)
    found = near_duplicates(texts, threshold)
    closest = np.array(closest_kept(texts, found))
    assert (closest[found] >= threshold).all()
    assert (closest[~found] < threshold + 0.1).all()
    assert (closest >= threshold + 0.1).sum() > 15
    assert ((closest > 0.4) & (closest < threshold)).sum() > 5


def test_nearly_all_pairs_right_above_the_threshold_are_found():
    missed = reported = 0
    for seed in range(3, 12):
        texts = collection(seed)
        found = near_duplicates(texts)
        missed += (np.array(closest_kept(texts, found))[~found] >= 0.8).sum()
        reported += found.sum()
    assert reported > 300
    assert missed <= reported / 100


def test_ten_thousand_look_alikes():
    texts = [f"the bus number {i} leaves the big station in the old town of the city now" for i in range(10_000)]
    found = near_duplicates(texts)
    assert not found[0]
    assert found.sum() > 9_900


def test_the_hash_seed_decides_nothing():
    code = "from utils.text.duplicates import near_duplicates; print(near_duplicates(['a b c d e f'] * 2).tolist())"
    for hash_seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        result = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
        )
        assert result.stdout == "[False, True]\n"
