"""Exact and near duplicates: texts that are, texts that are not, and the number of missed pairs."""

import os
import random
import subprocess
import sys

import numpy as np
import pytest

from utils.text.duplicates import duplicated
from utils.text.duplicates import near_duplicates as originals
from utils.text.words import text_key


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
    found = duplicated(list(map(text_key, texts)))
    assert found.dtype == bool
    assert found.tolist() == expected


def near_duplicates(texts: list[str], threshold: float = 0.8) -> np.ndarray:
    """True for every text that is dropped."""
    found = originals(texts, threshold)
    kept = set(np.flatnonzero(found < 0).tolist())
    assert all(original == -1 or (original in kept and original < row) for row, original in enumerate(found.tolist()))
    return found >= 0


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
    """Texts of plain words, two in three edited from a new one by 1 to 8 wrong letters: 0.6 to 0.96 similar."""
    generator = random.Random(seed)
    texts, new = [], []
    for _ in range(size):
        if new and generator.random() < 0.66:
            letters = list(generator.choice(new))
            for _ in range(generator.randint(1, 8)):
                letters[generator.randrange(len(letters))] = generator.choice("abcdefgh")
            texts.append("".join(letters))
        else:
            texts.append(" ".join("".join(generator.choices("abcdefgh", k=length)) for length in range(1, 17)))
            new.append(texts[-1])
    return texts


def closest_kept(texts: list[str], duplicate: np.ndarray) -> list[float]:
    """The similarity of every text to the closest earlier text that is no duplicate."""
    sets = [pieces(text) for text in texts]
    return [
        max((similarity(own, sets[i]) for i in range(row) if not duplicate[i]), default=0.0)
        for row, own in enumerate(sets)
    ]


@pytest.mark.parametrize("threshold", [0.6, 0.7, 0.8])
@pytest.mark.parametrize("seed", range(3))
def test_near_duplicates_against_all_pairs(seed, threshold):
    texts = collection(seed)
    found = near_duplicates(texts, threshold)
    closest = np.array(closest_kept(texts, found))
    assert (closest[found] >= threshold).all()
    assert (closest[~found] < threshold + 0.1).all()
    assert (closest >= threshold + 0.1).sum() > 15


def test_nearly_all_pairs_right_above_the_threshold_are_found():
    missed = reported = 0
    for seed in range(3, 7):
        texts = collection(seed)
        found = near_duplicates(texts)
        missed += (np.array(closest_kept(texts, found))[~found] >= 0.8).sum()
        reported += found.sum()
    assert reported > 150
    assert missed <= reported * 0.03


# Copies of one text ---------------------------------------------------------------------------------------------------

BASE = "Just landed in Lisbon and the weather is wonderful, cannot wait to see the old town and eat the custard tarts"
WORDS = ["birches", "cedars", "dunes", "fjords", "groves", "herons", "jade", "kelp", "linen", "novels", "rivers"]


def words(generator: random.Random, number: int) -> str:
    return " ".join("".join(generator.choices("abcdefghijklmnopqrstuvwxyz", k=7)) for _ in range(number))


def with_wrong_letter(text: str, generator: random.Random) -> str:
    place = generator.randrange(len(text))
    return text[:place] + generator.choice("abcdefghijklmnopqrstuvwxyz") + text[place + 1 :]


def with_other_word(text: str, generator: random.Random) -> str:
    parts = text.split()
    parts[generator.randrange(len(parts))] = generator.choice(WORDS)
    return " ".join(parts)


def test_a_tweet_with_a_changing_number_is_one_tweet():
    texts = [f"the bus number {i} leaves the big station in the old town of the city now" for i in range(600)]
    assert near_duplicates(texts).tolist() == [False] + [True] * 599
    texts = [
        f"Win a phone, claim prize {i} before midnight https://t.co/Ab{i:08} and follow us for more" for i in range(20)
    ]
    assert near_duplicates(texts).tolist() == [False] + [True] * 19


@pytest.mark.parametrize("copies", [2, 5, 8, 20, 300])
def test_copies_with_a_wrong_letter_and_nothing_else(copies):
    generator = random.Random(1)
    assert near_duplicates([BASE, *(with_wrong_letter(BASE, generator) for _ in range(copies))]).sum() == copies


@pytest.mark.parametrize("copies", [3, 20, 300])
def test_copies_with_another_word_and_nothing_else(copies):
    generator = random.Random(2)
    found = near_duplicates([BASE, *(with_other_word(BASE, generator) for _ in range(copies))])
    assert found.sum() >= 0.9 * copies


@pytest.mark.parametrize("copies", [5, 50])
def test_copies_among_other_texts(copies):
    generator = random.Random(3)
    others = [words(generator, 12) for _ in range(3 * copies)]
    texts = [*others, BASE, *(with_wrong_letter(BASE, generator) for _ in range(copies - 1))]
    assert np.flatnonzero(near_duplicates(texts)).tolist() == list(range(3 * copies + 1, 4 * copies))


# Texts that share a template ------------------------------------------------------------------------------------------

INSTRUCTION = (
    "Read the following review of a product carefully and decide whether the customer recommends it to others. Answer "
    "with one word, positive or negative, and do not explain your decision. The review is:"
)
REVIEWS = [
    *("Broke on day two", "Lovely lamp", "Smells of glue", "Worth every penny", "Came cracked", "Warm and soft"),
    *("Too loud at night", "My kids love it", "Great", "Bad", "No", "Works", "Would buy again", "Never again"),
]


@pytest.mark.parametrize("number", [5, 8, 14])
def test_short_texts_with_a_long_instruction(number):
    for template in (f"{INSTRUCTION} {{}}", f"{{}} {INSTRUCTION}", f"{INSTRUCTION} {{}} {INSTRUCTION[::-1]}"):
        assert not near_duplicates([template.format(review) for review in REVIEWS[:number]]).any()


def test_questions_about_one_context():
    places = ["road", "pond", "field", "wall", "lane", "hill", "square", "bridge"]
    things = ["mill", "oak", "barn", "well", "gate", "shed", "church", "inn"]
    context = " ".join(f"The {thing} stands by the {place}." for thing, place in zip(things, places, strict=True))
    for template in ("{0} Where does the {1} stand?", "Where does the {1} stand? {0}"):
        assert not near_duplicates([template.format(context, thing) for thing in things]).any()


def test_a_signature():
    generator = random.Random(4)
    signature = (
        "-- Dr. Maria Gonzalez, department of applied linguistics, University of Somewhere, room 12, phone 555 0199"
    )
    texts = [f"{words(generator, 2)} {signature}" for _ in range(100)]
    assert not near_duplicates(texts).any()


def test_a_value_that_many_rows_have_is_no_mistake():
    moods = [("good", 20), ("furious", 9)]
    generator = random.Random(6)
    texts = [
        f"The customer {words(generator, 1)} wrote about the lamp in our shop that it was {mood} on the whole"
        for mood, number in moods
        for _ in range(number)
    ]
    assert not near_duplicates(texts).any()


@pytest.mark.parametrize(("own_words", "size"), [(3, 300), (6, 800)])
def test_near_duplicates_within_a_family_of_look_alikes(own_words, size):
    generator = random.Random(5)
    template = (
        "Breaking news from the harbor office of the city: the ferry called {} has left the pier on time with all of "
    )
    template += "its passengers on board and is going to arrive at noon"
    family = [template.format(words(generator, own_words)) for _ in range(size)]
    sets = [pieces(text.lower()) for text in family[:10]]
    assert 0.55 < similarity(sets[0], sets[1]) < 0.85
    chosen = [generator.randrange(size) for _ in range(60)]
    copies = [with_wrong_letter(family[row], generator) for row in chosen]
    found = near_duplicates([*family, *copies])
    assert not found[:size].any()
    assert found[size:].sum() >= 58


def test_the_template_counts_nothing():
    """Against a weighted Jaccard index of all pairs, whose weights are 0 in a template and 1 elsewhere."""
    different = 0
    for seed in range(5):
        generator = random.Random(seed)
        templates = [words(generator, 12), words(generator, 5)]
        texts = []
        for _ in range(60):
            if texts and generator.random() < 0.5:  # an earlier text with another end
                *start, _ = generator.choice(texts).split()
                texts.append(" ".join([*start, words(generator, 1)]))
            else:
                texts.append(f"{generator.choice(templates)} {words(generator, generator.randint(1, 14))}")
        weights = weights_of(texts)
        found = near_duplicates(texts)
        kept = [row for row in range(60) if not found[row]]
        for row in range(60):
            closest = max((weighted(texts, weights, row, earlier) for earlier in kept if earlier < row), default=0)
            assert (closest >= 0.8) == found[row] or abs(closest - 0.8) < 0.03
        assert found.sum() > 3
        different += sum(similarity(pieces(texts[i]), pieces(texts[j])) >= 0.8 for i in kept for j in kept if i < j)
    assert different > 5


def weights_of(texts: list[str]) -> list[dict[str, int]]:
    """0 for every piece of a passage of 20 characters that 8 texts have, or else 1."""
    owners: dict[str, set[int]] = {}
    for row, text in enumerate(texts):
        for start in range(len(text) - 19):
            owners.setdefault(text[start : start + 20], set()).add(row)
    found = []
    for text in texts:
        covered = [False] * len(text)
        for start in range(len(text) - 19):
            if len(owners[text[start : start + 20]]) >= 8:
                covered[start : start + 16] = [True] * 16
        found.append({text[i : i + 5]: int(not covered[i]) for i in range(len(text) - 4)})
    return found


def weighted(texts: list[str], weights: list[dict[str, int]], one: int, other: int) -> float:
    """The weighted index, or 0 if the texts are less similar than 0.8 as a whole."""
    if similarity(pieces(texts[one]), pieces(texts[other])) < 0.8:
        return 0.0
    common = sum(
        min(weights[one][piece], weights[other][piece]) for piece in weights[one].keys() & weights[other].keys()
    )
    total = sum((weights[one] | weights[other])[piece] for piece in weights[one].keys() | weights[other].keys())
    return common / total if total else 1.0


# Parts, and what is never merged --------------------------------------------------------------------------------------


def test_every_part_must_be_similar():
    question, answer = (
        "Which of these towns lies by the sea and has a port for ferries?",
        "The town of Ystad, in the south",
    )
    other = "Which of these hills is the highest and has a tower on the top?"
    rows = [(question, answer), (question + " ", answer + "s"), (other, answer), (question, other), (answer, question)]
    assert originals(rows).tolist() == [-1, 0, -1, -1, -1]


def test_texts_apart_are_never_merged():
    texts = [BASE, BASE + "!", BASE + " x", BASE, BASE + " y"]
    assert originals(texts, apart=["a", "b", "a", "b", "b"]).tolist() == [-1, -1, 0, 1, 1]
    assert originals(texts).tolist() == [-1, 0, 0, 0, 0]


def test_the_threshold_is_a_similarity_as_a_whole():
    texts = [BASE, BASE.replace("custard", "almond")]
    whole = similarity(pieces(texts[0].lower().replace(",", "")), pieces(texts[1].lower().replace(",", "")))
    for threshold in (whole - 0.01, whole + 0.01, 1.0):
        assert near_duplicates(texts, threshold).tolist() == [False, whole >= threshold]


def test_the_hash_seed_decides_nothing():
    code = "from utils.text.duplicates import near_duplicates; print(near_duplicates(['a b c d e f'] * 2).tolist())"
    for hash_seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        result = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
        )
        assert result.stdout == "[-1, 0]\n"
