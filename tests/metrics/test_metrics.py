import json
import math
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from utils.metrics.copying import Copying
from utils.metrics.distinct import Distinct
from utils.metrics.likelihood import Likelihood

PROJECT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def likelihood():
    return Likelihood(keep_in_memory=True)


@pytest.fixture(scope="module")
def distinct():
    return Distinct(keep_in_memory=True)


@pytest.fixture(scope="module")
def novelty():
    return Copying(keep_in_memory=True)


def counts(tokens, text_bytes, correct):
    return [{"tokens": t, "bytes": b, "correct": c} for t, b, c in zip(tokens, text_bytes, correct, strict=True)]


def made_up_split(texts: int, seed: int = 1):
    """Texts of unequal length and difficulty, as negative log likelihoods and counts."""
    generator = random.Random(seed)
    tokens = [generator.randint(3, 60) for _ in range(texts)]
    nll = [n * generator.uniform(2.0, 5.0) for n in tokens]
    return nll, counts(tokens, [4 * n + generator.randint(0, 9) for n in tokens], [n // 3 for n in tokens])


# --- loading ---


def test_metrics_load_without_network_and_where_no_cache_can_be_written(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    code = (
        "import json; from utils.metrics.answers import Answers; from utils.metrics.copying import Copying;"
        "from utils.metrics.distinct import Distinct; from utils.metrics.likelihood import Likelihood;"
        "from utils.metrics.compute import compute_metric as c;"
        "print(json.dumps([c(Distinct, predictions=['a b a']),"
        "c(Copying, predictions=['a b'], training_texts=['A, b!', 'c'])['exact_copies'],"
        "c(Likelihood, predictions=[1.0], references=[dict(tokens=1, bytes=2, correct=1)])['tokens'],"
        "c(Answers, predictions=['a b'], references=['a b'], finished=[True])['words']]))"
    )
    unwritable = str(tmp_path / "file" / "home")
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": unwritable, "HOME": unwritable}
    environment.pop("HF_MODULES_CACHE", None)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=PROJECT, env=environment, capture_output=True, text=True
    )
    assert done.stderr == ""
    assert json.loads(done.stdout) == [{"distinct_1": 2 / 3, "distinct_2": 1.0}, 1.0, 1, 2]


def test_a_metric_loads_by_its_path_with_evaluate_itself(tmp_path, distinct):
    import evaluate

    metric = evaluate.load(str(PROJECT / "utils" / "metrics" / "distinct.py"), cache_dir=str(tmp_path))
    assert metric.compute(predictions=["a b a"]) == distinct.compute(predictions=["a b a"])
    assert metric.compute(predictions=["a a"])["distinct_1"] == 0.5


# --- likelihood ---


def test_a_uniform_model_has_its_vocabulary_as_perplexity(likelihood):
    tokens = [5, 1, 40]
    result = likelihood.compute(
        predictions=[n * math.log(50257) for n in tokens], references=counts(tokens, [20, 3, 100], [0, 0, 0])
    )
    for figure in result["perplexity"].values():
        assert figure == pytest.approx(50257)
    assert result["token_accuracy"] == {"value": 0.0, "low": 0.0, "high": 0.0}
    assert (result["texts"], result["tokens"]) == (3, 46)


def test_totals_are_divided_by_totals(likelihood):
    # A short hard text and a long easy one: the mean of the texts' means would be (4 + 1) / 2 = 2.5 nats a token.
    result = likelihood.compute(predictions=[4.0, 99.0], references=counts([1, 99], [2, 400], [0, 50]))
    assert result["perplexity"]["value"] == pytest.approx(math.exp(103 / 100))
    assert result["bits_per_byte"]["value"] == pytest.approx(103 / math.log(2) / 402)
    assert result["token_accuracy"]["value"] == 0.5


def test_small_likelihoods_keep_double_precision(likelihood):
    result = likelihood.compute(predictions=[123456789.123], references=counts([10**8], [10**9], [0]))
    assert result["perplexity"]["value"] == pytest.approx(math.exp(1.23456789123), rel=1e-12)


def test_the_interval_agrees_with_the_normal_approximation(likelihood):
    generator = random.Random(3)
    nll = [generator.gauss(80.0, 12.0) for _ in range(500)]
    result = likelihood.compute(predictions=nll, references=counts([20] * 500, [100] * 500, [5] * 500))
    bits = [value / math.log(2) / 100 for value in nll]
    mean = sum(bits) / 500
    half_width = 1.96 * math.sqrt(sum((bit - mean) ** 2 for bit in bits) / 500 / 500)
    interval = result["bits_per_byte"]
    assert interval["value"] == pytest.approx(mean)
    assert interval["low"] == pytest.approx(mean - half_width, abs=0.15 * half_width)
    assert interval["high"] == pytest.approx(mean + half_width, abs=0.15 * half_width)
    assert result["perplexity"]["low"] == pytest.approx(math.exp(interval["low"] * math.log(2) * 100 / 20))


def test_intervals_hold_the_value_and_follow_the_seed(likelihood):
    nll, references = made_up_split(300)
    first, again, other = (likelihood.compute(predictions=nll, references=references, seed=seed) for seed in (0, 0, 1))
    assert first == again
    assert first["perplexity"]["low"] != other["perplexity"]["low"]
    for name in ("perplexity", "bits_per_byte", "token_accuracy"):
        assert first[name]["low"] < first[name]["value"] < first[name]["high"]
        assert first[name]["value"] == other[name]["value"]


@pytest.mark.parametrize(
    ("nll", "references", "message"),
    [
        ([], [], "no texts"),
        ([1.0, 0.0], counts([1, 0], [2, 2], [0, 0]), "text 1: no supervised token"),
        ([1.0, math.nan], counts([1, 1], [2, 2], [0, 0]), "text 1: the negative log likelihood is nan"),
        ([math.inf], counts([1], [2], [0]), "text 0: the negative log likelihood is inf"),
        ([1.0], counts([1], [0], [0]), "no bytes"),
    ],
)
def test_what_cannot_be_measured_is_an_error(likelihood, nll, references, message):
    with pytest.raises(ValueError, match=message):
        likelihood.compute(predictions=nll, references=references)


def test_texts_without_bytes_leave_the_interval_finite(likelihood):
    result = likelihood.compute(predictions=[2.0, 2.0], references=counts([1, 1], [0, 4], [0, 1]))
    assert result["bits_per_byte"]["value"] == pytest.approx(1 / math.log(2))
    assert math.isfinite(result["bits_per_byte"]["high"])


def test_the_paired_difference_is_that_of_the_totals():
    from utils.metrics.likelihood import bits_per_byte_difference

    result = bits_per_byte_difference([1.0, 50.0], [2.0, 80.0], [10, 90])
    assert result["value"] == pytest.approx(-31 / math.log(2) / 100)


def test_pairing_sees_a_gain_that_separate_intervals_hide(likelihood):
    from utils.metrics.likelihood import bits_per_byte_difference

    base, references = made_up_split(100)
    text_bytes = [reference["bytes"] for reference in references]
    tuned = [nll - 0.05 * n for nll, n in zip(base, text_bytes, strict=True)]
    before, after = (
        likelihood.compute(predictions=nll, references=references)["bits_per_byte"] for nll in (base, tuned)
    )
    assert after["high"] > before["low"]
    for figure in bits_per_byte_difference(tuned, base, text_bytes).values():
        assert figure == pytest.approx(-0.05 / math.log(2))


def test_the_paired_difference_follows_its_seed_and_checks_its_input():
    from utils.metrics.likelihood import bits_per_byte_difference

    (base, references), (tuned, _) = made_up_split(50), made_up_split(50, seed=2)
    text_bytes = [reference["bytes"] for reference in references]
    result = bits_per_byte_difference(tuned, base, text_bytes)
    assert result == bits_per_byte_difference(tuned, base, text_bytes)
    assert result["low"] < result["value"] < result["high"]
    with pytest.raises(ValueError, match=r"\[50, 49, 50\]"):
        bits_per_byte_difference(tuned, base[:-1], text_bytes)
    with pytest.raises(ValueError, match=r"text 3: .* nan"):
        bits_per_byte_difference(tuned, [*base[:3], math.nan, *base[4:]], text_bytes)


# --- distinct ---


def test_distinct_counts_ngrams_within_texts(distinct):
    # the cat the dog | The cat: 6 words, 3 different; the-cat cat-the the-dog | the-cat: 4 pairs, 3 different
    assert distinct.compute(predictions=["the cat the dog", "The cat"]) == {"distinct_1": 3 / 6, "distinct_2": 3 / 4}


@pytest.mark.parametrize(
    ("text", "tokens", "different"),
    [
        ("Don't, don't!", 4, 3),
        ("👩🏽‍🚒👩🏽‍🚒 ❤️", 3, 2),
        ("hé hé नमस्ते", 3, 2),
        ("日本日", 3, 2),
    ],
)
def test_distinct_tokens_are_words_marks_and_whole_emoji(distinct, text, tokens, different):
    assert distinct.compute(predictions=[text])["distinct_1"] == different / tokens


def test_without_ngrams_there_is_no_distinct(distinct):
    assert distinct.compute(predictions=["one", "two", ""]) == {"distinct_1": 1.0, "distinct_2": None}
    assert distinct.compute(predictions=[]) == {"distinct_1": None, "distinct_2": None}


# --- novelty ---


def test_novelty_of_a_small_case(novelty):
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
    result = novelty.compute(predictions=generated, training_texts=training)
    assert result.pop("per_text") == [
        {
            "exact_copy": False,
            "copied_words": 8,
            "copied_run": "one two three four five six seven eight",
            "training_index": 1,
        },
        {"exact_copy": True, "copied_words": 3, "copied_run": "we dont know", "training_index": 2},
        {"exact_copy": False, "copied_words": 1, "copied_run": "five", "training_index": 1},
        {"exact_copy": False, "copied_words": 0, "copied_run": "", "training_index": None},
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
def test_novelty_folds_case_blanks_and_punctuation(novelty, text, training_text, copied_words, exact_copy):
    result = novelty.compute(predictions=[text], training_texts=[training_text])
    assert (result["longest_copied_words"], result["exact_copies"]) == (copied_words, float(exact_copy))


def test_a_run_does_not_cross_from_one_text_into_the_next(novelty):
    result = novelty.compute(predictions=["a b", "c d"], training_texts=["x a", "b c", "d"])
    assert result["longest_copied_words"] == 1


def test_runs_of_a_large_vocabulary_are_told_apart(novelty):
    # Pairs are numbered first word * 70,000 + second word: in 32 bits, the first training text would pass for "w0 w1".
    generated = " ".join(f"w{number}" for number in range(70_000))
    result = novelty.compute(predictions=[generated], training_texts=["w61356 w47297", "w1", "w0"])
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
def test_novelty_agrees_with_brute_force(novelty, generated, training):
    result = novelty.compute(
        predictions=[" ".join(words) for words in generated],
        training_texts=[" ".join(words) for words in training],
    )
    for text, words in zip(result["per_text"], generated, strict=True):
        length, run, index = longest_run_by_brute_force(words, training)
        assert (text["copied_words"], text["copied_run"], text["training_index"]) == (length, " ".join(run), index)
        assert text["exact_copy"] == (words != [] and words in training)


@pytest.mark.parametrize(("generated", "training"), [([], ["a"]), (["a"], [])])
def test_novelty_needs_texts_on_both_sides(novelty, generated, training):
    with pytest.raises(ValueError, match="nothing to compare"):
        novelty.compute(predictions=generated, training_texts=training)
