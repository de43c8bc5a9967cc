"""Sampling settings: contradictions, and the defaults of texts and of answers."""

import pytest

from utils.argument_types import positive_int
from utils.cli import Parser
from utils.errors import UsageError
from utils.inference.sampling import Sampling, add_sampling_flags, sampling_from_flags


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"temperature": 0.0}, "temperature 0 is not above 0"),
        ({"min_new_tokens": 9, "max_new_tokens": 8}, "min_new_tokens 9 is above max_new_tokens 8"),
        ({"stop": ("x", "")}, "an empty stop string"),
        ({"num_beams": 2, "num_return_sequences": 3}, "2 beams cannot give 3 texts"),
        ({"do_sample": False, "num_return_sequences": 3}, "greedy decoding gives one sample per prompt, not 3"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(settings, problem):
    with pytest.raises(UsageError, match=problem) as caught:
        Sampling(**settings)
    assert "--" in caught.value.hint


def parse(*words: str):
    parser = Parser("A script with sampling flags.")
    parser.add_argument("--num_return_sequences", type=positive_int, default=1)
    add_sampling_flags(parser)
    return parser.parse_args(words)


def test_the_defaults_are_those_of_texts_or_of_answers():
    assert sampling_from_flags(parse(), answers=False) == Sampling()
    assert sampling_from_flags(parse(), answers=True) == Sampling(max_new_tokens=256, no_repeat_ngram_size=4)


def test_flags_replace_the_defaults():
    words = ["--max_new_tokens", "9", "--no_repeat_ngram_size", "0", "--top_k", "0", "--stop", "a", "--stop", "b"]
    for answers in (True, False):
        sampling = sampling_from_flags(parse(*words, "--greedy", "--seed", "7"), answers)
        assert sampling == Sampling(max_new_tokens=9, top_k=0, stop=("a", "b"), do_sample=False, seed=7)
