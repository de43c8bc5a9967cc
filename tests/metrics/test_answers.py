"""utils/metrics/answers.py against sacrebleu's own corpus scores, and against definitions written out anew."""

import random
from itertools import combinations

import numpy as np
import pytest
import sacrebleu
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from utils.metrics.answers import Answers, answers_difference

FIGURES = ("bleu", "chrf", "rouge_l", "finished", "repetition", "length_ratio")


@pytest.fixture(scope="module")
def answers():
    return Answers(keep_in_memory=True)


def measure(metric, predictions, references, finished=None, **options):
    finished = [True] * len(predictions) if finished is None else finished
    return metric.compute(predictions=predictions, references=references, finished=finished, **options)


def made_up(rows: int, kept: float, seed: int = 1) -> tuple[list[str], list[str]]:
    """(answers, references): of a reference's words an answer keeps the given share, and changes the others."""
    generator = random.Random(seed)
    words = [f"word{number}" for number in range(50)] + ["naïve,", "3.5", "don't", "&amp;", "日本"]
    references = [" ".join(generator.choices(words, k=generator.randint(1, 30))) + "." for _ in range(rows)]
    predictions = [
        " ".join(word if generator.random() < kept else generator.choice(words) for word in reference.split())
        for reference in references
    ]
    return predictions, references


# --- BLEU and chrF ---


def test_bleu_and_chrf_are_those_of_sacrebleu(answers):
    predictions, references = made_up(60, kept=0.7)
    predictions[3], predictions[4] = "", "two\nlines and\n\nmore "
    found = measure(answers, predictions, references)
    bleu, chrf = sacrebleu.BLEU(), sacrebleu.CHRF()
    assert found["bleu"]["value"] == pytest.approx(bleu.corpus_score(predictions, [references]).score, rel=1e-12)
    assert found["chrf"]["value"] == pytest.approx(chrf.corpus_score(predictions, [references]).score, rel=1e-12)
    assert found["signatures"] == {"bleu": str(bleu.get_signature()), "chrf": str(chrf.get_signature())}
    assert sacrebleu.__version__ in found["signatures"]["bleu"]


def test_answers_that_share_few_words_are_smoothed_as_sacrebleu_does(answers):
    predictions, references = ["a b c x y z"], ["a b q r s t u"]
    found = measure(answers, predictions, references)
    expected = sacrebleu.BLEU().corpus_score(predictions, [references]).score
    assert found["bleu"]["value"] == pytest.approx(expected)
    assert 0 < expected < 30


def test_the_intervals_are_those_of_rows_drawn_again(answers):
    predictions, references = made_up(12, kept=0.6)
    found = measure(answers, predictions, references, seed=3)
    generator = np.random.default_rng(3)
    scores = []
    for _ in range(1000):
        drawn = generator.integers(12, size=12)
        texts, truth = [predictions[row] for row in drawn], [references[row] for row in drawn]
        scores.append([metric.corpus_score(texts, [truth]).score for metric in (sacrebleu.BLEU(), sacrebleu.CHRF())])
    low, high = np.percentile(scores, (2.5, 97.5), axis=0)
    assert [found[name]["low"] for name in ("bleu", "chrf")] == pytest.approx(low.tolist())
    assert [found[name]["high"] for name in ("bleu", "chrf")] == pytest.approx(high.tolist())


def test_intervals_follow_the_seed_and_the_number_of_rows(answers):
    predictions, references = made_up(200, kept=0.6)
    first, again, other = (measure(answers, predictions, references, seed=seed) for seed in (0, 0, 1))
    assert first == again
    assert first["bleu"]["low"] != other["bleu"]["low"]
    few = measure(answers, predictions[:20], references[:20])
    for name in ("bleu", "chrf", "rouge_l"):
        assert first[name]["low"] < first[name]["value"] < first[name]["high"]
        assert first[name]["value"] == other[name]["value"]
        assert few[name]["high"] - few[name]["low"] > 2 * (first[name]["high"] - first[name]["low"])


# --- ROUGE-L ---


def longest_common_subsequence(first, second):
    """By trying every subsequence, the longest first."""
    for length in range(min(len(first), len(second)), 0, -1):
        for places in combinations(range(len(first)), length):
            rest = iter(second)
            if all(first[place] in rest for place in places):
                return length
    return 0


short_texts = st.lists(st.sampled_from("abcd"), max_size=8)


@settings(deadline=None, max_examples=50)
@given(answer=short_texts, reference=short_texts)
def test_rouge_l_agrees_with_brute_force(answers, answer, reference):
    found = measure(answers, [" ".join(answer)], [" ".join(reference)])["rouge_l"]["value"]
    common = longest_common_subsequence(answer, reference)
    precision, recall = common / max(1, len(answer)), common / max(1, len(reference))
    assert found == pytest.approx(2 * precision * recall / (precision + recall) if common else 0.0)


@pytest.mark.parametrize(
    ("answer", "reference", "common", "words"),
    [
        ("The police KILLED the gunman.", "police kill the gunman", 3, 9),
        ("don't", "Don’t!", 2, 4),
        ("Straße", "STRASSE", 1, 2),
        ("日本語", "日本", 2, 5),
        ("नमस्ते दुनिया", "नमस्ते", 1, 3),
        ("snake_case", "snake case", 2, 4),
        (" ".join(["word"] * 200), " ".join(["word"] * 100), 100, 300),
    ],
)
def test_words_are_unicode_and_their_case_is_folded(answers, answer, reference, common, words):
    assert measure(answers, [answer], [reference])["rouge_l"]["value"] == pytest.approx(2 * common / words)


def test_rouge_l_is_the_mean_over_rows(answers):
    assert measure(answers, ["a b", "x", ""], ["a b", "y", "z"])["rouge_l"]["value"] == pytest.approx(1 / 3)


# --- ends, repetition, length ---


def test_the_share_of_answers_that_ended(answers):
    finished = [True] * 45 + [False] * 5
    found = measure(answers, ["a"] * 50, ["a"] * 50, finished)["finished"]
    assert found["value"] == 0.9
    expected = binomtest(45, 50).proportion_ci(method="wilson")
    assert (found["low"], found["high"]) == pytest.approx(tuple(expected))


@pytest.mark.parametrize(
    ("texts", "repeated", "runs"),
    [
        (["a b c d a b c d"], 1, 5),
        (["no no no no no no"], 2, 3),
        (["One two, three four. ONE two three; four!"], 1, 5),
        (["a b c d e f g", "a b c d e f g"], 0, 8),  # what another answer says is no repetition
        (["a b c d a b c d", "short", "no no no no no no"], 3, 8),  # all over all, and no mean of means
    ],
)
def test_the_repetition_rate(answers, texts, repeated, runs):
    assert measure(answers, texts, ["x"] * len(texts))["repetition"]["value"] == pytest.approx(repeated / runs)


@settings(deadline=None, max_examples=50)
@given(texts=st.lists(st.lists(st.sampled_from("ab"), max_size=12), min_size=1, max_size=4))
def test_the_repetition_rate_agrees_with_brute_force(answers, texts):
    runs = [[words[place : place + 4] for place in range(len(words) - 3)] for words in texts]
    total = sum(map(len, runs))
    repeated = sum(run in earlier[:place] for earlier in runs for place, run in enumerate(earlier))
    found = measure(answers, [" ".join(words) for words in texts], ["x"] * len(texts))["repetition"]
    assert (found and found["value"]) == (pytest.approx(repeated / total) if total else None)


def test_the_length_ratio_is_of_totals(answers):
    found = measure(answers, ["one two three", "four"], ["one", "one two three four five"])
    assert found["length_ratio"]["value"] == pytest.approx(4 / 6)
    assert (found["answers"], found["words"]) == (2, 4)


def test_empty_answers_have_figures(answers):
    found = measure(answers, ["", ""], ["a b", "c"], [True, False])
    assert found["repetition"] is None
    assert {name: found[name]["value"] for name in FIGURES if name != "repetition"} == {
        "bleu": 0, "chrf": 0, "rouge_l": 0, "finished": 0.5, "length_ratio": 0,
    }  # fmt: skip
    assert measure(answers, ["a"], ["!"])["length_ratio"] is None


@pytest.mark.parametrize(
    ("predictions", "references", "finished", "message"),
    [([], [], [], "no answers"), (["a"], ["a"], [], "no answers"), (["a"], ["a"], [True, True], r"\[1, 1, 2\]")],
)
def test_missing_answers_are_an_error(answers, predictions, references, finished, message):
    with pytest.raises(ValueError, match=message):
        measure(answers, predictions, references, finished)


# --- two models ---


def test_the_paired_difference_is_that_of_the_figures(answers):
    better, references = made_up(80, kept=0.8)
    worse, _ = made_up(80, kept=0.4)
    found = answers_difference(references, better, worse)
    ours, theirs = (measure(answers, texts, references) for texts in (better, worse))
    assert found.keys() == {"bleu", "chrf", "rouge_l"}
    for name, figure in found.items():
        assert figure["value"] == pytest.approx(ours[name]["value"] - theirs[name]["value"])
        assert 0 < figure["low"] < figure["value"] < figure["high"]
    assert answers_difference(references, worse, better)["bleu"]["high"] < 0


def test_pairing_sees_a_gain_that_separate_intervals_hide(answers):
    base, references = made_up(100, kept=0.5)
    tuned = [f"{text} {reference.split()[-1]}" for text, reference in zip(base, references, strict=True)]
    before, after = (measure(answers, texts, references)["rouge_l"] for texts in (base, tuned))
    assert after["low"] < before["high"]
    assert answers_difference(references, tuned, base)["rouge_l"]["low"] > 0


def test_a_model_against_itself_differs_in_nothing():
    predictions, references = made_up(20, kept=0.5)
    for figure in answers_difference(references, predictions, predictions).values():
        assert figure == {"value": 0, "low": 0, "high": 0}


def test_the_paired_difference_checks_its_input():
    with pytest.raises(ValueError, match=r"\[1, 2, 2\]"):
        answers_difference(["a", "b"], ["a", "b"], ["a"])
