"""Sampling settings: their defaults, and the flags of generate.py that set them."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

from utils.argument_types import (
    fraction,
    non_negative_float,
    non_negative_int,
    positive_float,
    positive_int,
    seed_number,
)
from utils.cli import Parser
from utils.errors import UsageError
from utils.tasks.kinds import EMOJI, INSTRUCT

# The defaults of answers; those of other texts are Sampling's. Small models repeat themselves: where no four tokens may
# occur twice, 98% of the greedy answers end by themselves, and otherwise 92% (docs/results.md). That rule holds for
# models whose run.json has no sampling settings. Other tools cannot do the same (they count the question too), so a
# model that has some gives the same answers everywhere, without the rule.
ANSWER_MAX_NEW_TOKENS = 256
ANSWER_NO_REPEAT_NGRAM_SIZE = 4
SAVED = ("do_sample", "temperature", "top_k", "top_p", "no_repeat_ngram_size")  # transformers has the same names


@dataclass(frozen=True)
class Sampling:
    """The settings that choose the next tokens. UsageError where they contradict each other.

    More than one beam means beam search, which ignores the sampling settings. `top_k` 0, `top_p` 1 and `min_p` 0 keep
    every token; `no_repeat_ngram_size` 0 allows every repetition.
    """

    max_new_tokens: int = 128  # a post of 280 characters: 99% of French ones are shorter
    min_new_tokens: int = 0
    temperature: float = 1.0
    top_k: int = 50
    top_p: float = 0.95
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    no_repeat_ngram_size: int = 0
    num_beams: int = 1
    do_sample: bool = True
    num_return_sequences: int = 1
    stop: tuple[str, ...] = ()
    seed: int = 42

    def __post_init__(self):
        if self.draws and self.temperature <= 0:
            raise UsageError(
                f"temperature {self.temperature:g} is not above 0", "use --greedy to always take the most likely token"
            )
        if not 0 <= self.min_p <= 1:
            raise UsageError(f"min_p must be between 0 and 1, not {self.min_p:g}", "use 0 to keep every token")
        if self.min_new_tokens > self.max_new_tokens:
            raise UsageError(
                f"min_new_tokens {self.min_new_tokens} is above max_new_tokens {self.max_new_tokens}",
                f"add --max_new_tokens {self.min_new_tokens} or more",
            )
        if "" in self.stop:
            raise UsageError("an empty stop string would end every text at once", "remove that --stop")
        if self.num_beams > 1 and self.num_return_sequences > self.num_beams:
            raise UsageError(
                f"{self.num_beams} beams cannot give {self.num_return_sequences} texts",
                f"use --num_beams {self.num_return_sequences} or more",
            )
        if not self.draws and self.num_beams == 1 and self.num_return_sequences > 1:
            raise UsageError(
                f"greedy decoding gives one sample per prompt, not {self.num_return_sequences}",
                f"remove --greedy, or add --num_beams {self.num_return_sequences}",
            )

    @property
    def draws(self) -> bool:
        """Whether tokens are drawn at random, with the seed."""
        return self.do_sample and self.num_beams == 1

    @property
    def sequences_per_request(self) -> int:
        """The number of texts that one request gives: beam search finds all those of a prompt together."""
        return self.num_return_sequences if self.num_beams > 1 else 1


def add_sampling_flags(parser: Parser) -> None:
    """Add the flags for the length of a text and for the choice of each token. Those not given are None."""
    add, add_rare, defaults = parser.group("sampling"), parser.group("sampling", rare=True), Sampling()
    longest = f"default: {defaults.max_new_tokens}, or {ANSWER_MAX_NEW_TOKENS} for an answer"
    add("--max_new_tokens", type=positive_int, metavar="N", help=longest)
    add_rare("--min_new_tokens", type=non_negative_int, metavar="N", help=f"default: {defaults.min_new_tokens}")
    add("--temperature", type=non_negative_float, metavar="T", help=f"default: {defaults.temperature}")
    add("--top_k", type=non_negative_int, metavar="K", help=f"0: all tokens (default: {defaults.top_k})")
    add("--top_p", type=fraction, metavar="P", help=f"1: all tokens (default: {defaults.top_p})")
    min_p = "drop tokens whose probability is below P times the highest one (default: 0)"
    add_rare("--min_p", type=non_negative_float, metavar="P", help=min_p)
    penalty = f"1: none (default: {defaults.repetition_penalty})"
    add_rare("--repetition_penalty", type=positive_float, metavar="P", help=penalty)
    no_repeat = f"write no sequence of N tokens twice; 0: allow it (default: {defaults.no_repeat_ngram_size})"
    add_rare("--no_repeat_ngram_size", type=non_negative_int, metavar="N", help=no_repeat)
    add_rare("--num_beams", type=positive_int, metavar="N", help="above 1: beam search instead of sampling")
    add("--greedy", action="store_true", help="always take the most likely token")
    add_rare("--stop", action="append", default=[], metavar="TEXT", help="end a text before this string (repeatable)")
    add("--seed", type=seed_number, metavar="N", default=defaults.seed, help="default: %(default)s")


def sampling_from_flags(args: argparse.Namespace, answers: bool, saved: Mapping | None = None) -> Sampling:
    """Return the settings of the command line; `answers` says whose defaults apply to the flags not given.

    `saved` are the settings in the run.json of the model, which come before these defaults.
    """
    defaults = {}
    if answers:
        defaults = {"max_new_tokens": ANSWER_MAX_NEW_TOKENS, "no_repeat_ngram_size": ANSWER_NO_REPEAT_NGRAM_SIZE}
    defaults |= saved or {}
    names = {field.name for field in fields(Sampling)} & vars(args).keys()
    given = {name: getattr(args, name) for name in names if getattr(args, name) is not None}
    return Sampling(**{**defaults, **given, "stop": tuple(args.stop), "do_sample": not args.greedy})


def settings_to_save(kind: str, rows: Sequence[dict], context: int) -> dict:
    """Return the settings for run.json and generation_config.json of a model that writes, for its kind of task.

    `rows` are its training rows: no emoji is longer than the longest one there. `context` is the model's.
    """
    settings = {name: getattr(Sampling, name) for name in SAVED}
    longest = ANSWER_MAX_NEW_TOKENS if kind == INSTRUCT.name else Sampling.max_new_tokens
    if kind == EMOJI.name:
        settings = {"do_sample": False}
        longest = max(len(row["input_ids"]) - row["loss_start"] for row in rows)
    return {**settings, "max_new_tokens": min(longest, context - 1)}
