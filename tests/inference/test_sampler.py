"""The choice of the next token: exact draws from the probabilities, and tokens that are ruled out."""

import math
from collections import Counter

import pytest
import torch
from bigram_model import bigram_model
from generating import texts_of
from scipy.stats import chisquare

from utils.inference.generation import Generated, generate_texts
from utils.inference.sampler import uniform
from utils.inference.sampling import Sampling

GREEDY = {"do_sample": False}
PROMPTS = ["a", "", "some longer prompt than the others", "Été", "b c", "a", "two words", "x" * 50, "😀"]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        # Worked out by hand from the probabilities 8/16, 4/16, 2/16, 1/16, 1/16.
        ({"top_k": 0, "top_p": 1.0}, {"a": 8 / 16, "b": 4 / 16, "c": 2 / 16, "d": 1 / 16, "": 1 / 16}),
        ({"top_k": 3, "top_p": 1.0}, {"a": 4 / 7, "b": 2 / 7, "c": 1 / 7}),
        ({"top_k": 0, "top_p": 0.7}, {"a": 2 / 3, "b": 1 / 3}),
        # Of the three most likely, a and b together have 6/7 = 0.857: c is needed for 0.9, but not for 0.85.
        ({"top_k": 3, "top_p": 0.9}, {"a": 4 / 7, "b": 2 / 7, "c": 1 / 7}),
        ({"top_k": 3, "top_p": 0.85}, {"a": 2 / 3, "b": 1 / 3}),
        # A temperature of 0.5 squares the probabilities: 64, 16, 4, 1, 1 of 86.
        (
            {"top_k": 0, "top_p": 1.0, "temperature": 0.5},
            {"a": 64 / 86, "b": 16 / 86, "c": 4 / 86, "d": 1 / 86, "": 1 / 86},
        ),
    ],
)
def test_draws_follow_the_probabilities(tokenizer, settings, expected):
    logits = {token: math.log(share) for token, share in zip("abcd", (8, 4, 2, 1), strict=True)} | {None: 0.0}
    model = bigram_model(tokenizer, {None: logits})
    sampling = Sampling(max_new_tokens=1, num_return_sequences=3000, **settings)
    counts = Counter(generated.text for generated in generate_texts(model, tokenizer, [""], sampling, 1000)[0])
    assert counts.keys() <= expected.keys()
    assert chisquare([counts[text] for text in expected], [3000 * p for p in expected.values()]).pvalue > 0.001


@pytest.mark.parametrize("settings", [{"top_k": 1}, {"top_k": 0, "top_p": 1e-6}, {"temperature": 1e-4}])
def test_settings_that_leave_one_token_are_greedy(random_model, tokenizer, settings):
    greedy = generate_texts(random_model, tokenizer, PROMPTS, Sampling(max_new_tokens=5, **GREEDY))
    assert generate_texts(random_model, tokenizer, PROMPTS, Sampling(max_new_tokens=5, **settings)) == greedy


def test_draws_of_following_steps_and_of_other_prompts_are_independent(tokenizer):
    probabilities = {"a": 0.5, "b": 0.3, "c": 0.2}
    logits = {token: math.log(probability) for token, probability in probabilities.items()}
    model = bigram_model(tokenizer, dict.fromkeys((None, *probabilities), logits))
    results = generate_texts(model, tokenizer, [""] * 2000, Sampling(max_new_tokens=2, top_k=0, top_p=1), 1000)
    first_and_second = Counter(texts[0].text for texts in results)
    first_of_neighbours = Counter(results[n][0].text[0] + results[n + 1][0].text[0] for n in range(0, 2000, 2))
    for counts in (first_and_second, first_of_neighbours):
        expected = {x + y: probabilities[x] * probabilities[y] * counts.total() for x in "abc" for y in "abc"}
        assert chisquare([counts[pair] for pair in expected], list(expected.values())).pvalue > 0.001


def test_the_noise_is_splitmix64():
    # The published first outputs of the stream that starts at 1234567.
    published = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431]
    numbers = uniform(torch.tensor([1234567]), torch.arange(4))
    assert numbers.tolist() == [((number >> 11) + 0.5) / 2**53 for number in published]


def test_min_new_tokens_keeps_a_text_going(tokenizer):
    model = bigram_model(tokenizer, {None: {None: 5.0, "a": 0.0}, "a": {None: 5.0, "a": 0.0}})
    for settings in ({}, GREEDY, {"num_beams": 2}):
        sampling = Sampling(min_new_tokens=4, max_new_tokens=9, top_k=2, **settings)
        (from_start,), (from_a,) = generate_texts(model, tokenizer, ["", "aaa"], sampling)
        assert from_start == from_a == Generated("aaaa", 4, finished=True)


def test_the_repetition_penalty_counts_the_prompt_but_neither_start_token_nor_padding(tokenizer):
    model = bigram_model(tokenizer, {"a": {"a": 2.0, None: 1.9, "b": 1.5}, "b": {None: 2.0, "b": 0.1, "c": 1.5}})
    sampling = Sampling(repetition_penalty=2.0, **GREEDY)
    texts = texts_of(generate_texts(model, tokenizer, ["a", "a" * 9], sampling))
    assert texts == [[""], [""]]  # a is penalised down to 1.0, end-of-text is not
    beams = Sampling(repetition_penalty=2.0, num_beams=2, max_new_tokens=1)
    assert texts_of(generate_texts(model, tokenizer, ["b", "b" * 9], beams)) == [[""], [""]]
    model = bigram_model(tokenizer, {"a": {"a": 2.0, "b": 1.5}, "b": {None: 0.0}})
    assert texts_of(generate_texts(model, tokenizer, ["a"], sampling)) == [["b"]]
