"""Perplexity, bits per byte and token accuracy: totals, intervals, paired differences, and bad input."""

import math
import random

import pytest

from utils.metrics.likelihood import Likelihood, bits_per_byte_difference


@pytest.fixture(scope="module")
def likelihood():
    return Likelihood(keep_in_memory=True)


def counts(tokens, text_bytes, correct):
    return [{"tokens": t, "bytes": b, "correct": c} for t, b, c in zip(tokens, text_bytes, correct, strict=True)]


def made_up_split(texts: int, seed: int = 1):
    """Texts of unequal length and difficulty, as negative log likelihoods and counts."""
    generator = random.Random(seed)
    tokens = [generator.randint(3, 60) for _ in range(texts)]
    nll = [n * generator.uniform(2.0, 5.0) for n in tokens]
    return nll, counts(tokens, [4 * n + generator.randint(0, 9) for n in tokens], [n // 3 for n in tokens])


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
def test_values_without_a_likelihood_are_an_error(likelihood, nll, references, message):
    with pytest.raises(ValueError, match=message):
        likelihood.compute(predictions=nll, references=references)


def test_texts_without_bytes_leave_the_interval_finite(likelihood):
    result = likelihood.compute(predictions=[2.0, 2.0], references=counts([1, 1], [0, 4], [0, 1]))
    assert result["bits_per_byte"]["value"] == pytest.approx(1 / math.log(2))
    assert math.isfinite(result["bits_per_byte"]["high"])


def test_the_paired_difference_is_that_of_the_totals():
    result = bits_per_byte_difference([1.0, 50.0], [2.0, 80.0], [10, 90])
    assert result["value"] == pytest.approx(-31 / math.log(2) / 100)


def test_pairing_sees_a_gain_that_separate_intervals_hide(likelihood):
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
    (base, references), (tuned, _) = made_up_split(50), made_up_split(50, seed=2)
    text_bytes = [reference["bytes"] for reference in references]
    result = bits_per_byte_difference(tuned, base, text_bytes)
    assert result == bits_per_byte_difference(tuned, base, text_bytes)
    assert result["low"] < result["value"] < result["high"]
    with pytest.raises(ValueError, match=r"\[50, 49, 50\]"):
        bits_per_byte_difference(tuned, base[:-1], text_bytes)
    with pytest.raises(ValueError, match=r"text 3: .* nan"):
        bits_per_byte_difference(tuned, [*base[:3], math.nan, *base[4:]], text_bytes)
