"""The flags of generate.py that say how texts are drawn; None where they are not given."""

import argparse
from dataclasses import replace

from utils.cli import fraction, non_negative_float, non_negative_int, positive_float, positive_int
from utils.inference.prompts import ANSWER_MAX_NEW_TOKENS, ANSWER_NO_REPEAT_NGRAM_SIZE
from utils.inference.sampling import Sampling

DEFAULT = "default: {}"
NAMES = (
    *("min_new_tokens", "temperature", "top_k", "top_p", "min_p", "repetition_penalty", "no_repeat_ngram_size"),
    "num_beams",
)


def add_sampling_flags(parser: argparse.ArgumentParser) -> None:
    """How long a text gets, and how each next token is chosen."""
    add, defaults = parser.add_argument, Sampling()
    add(
        "--max_new_tokens",
        type=positive_int,
        metavar="N",
        help=f"default: {defaults.max_new_tokens}, and {ANSWER_MAX_NEW_TOKENS} for an answer",
    )
    add("--min_new_tokens", type=non_negative_int, help=DEFAULT.format(defaults.min_new_tokens))
    add("--temperature", type=non_negative_float, help=DEFAULT.format(defaults.temperature))
    add("--top_k", type=non_negative_int, help=f"0: all tokens (default: {defaults.top_k})")
    add("--top_p", type=fraction, help=f"1: all tokens (default: {defaults.top_p})")
    add("--min_p", type=non_negative_float, help="no token below this share of the likeliest one's chance")
    add("--repetition_penalty", type=positive_float, help=DEFAULT.format(defaults.repetition_penalty))
    add(
        "--no_repeat_ngram_size",
        type=non_negative_int,
        metavar="N",
        help="no N tokens in a row come twice in what is written; 0: they may "
        f"(default: 0, and {ANSWER_NO_REPEAT_NGRAM_SIZE} for an answer)",
    )
    add("--num_beams", type=positive_int, help="above 1: beam search, nothing is drawn")
    add("--greedy", action="store_true", help="always the likeliest token, nothing is drawn")
    add("--stop", action="append", default=[], metavar="TEXT", help="end a text before this string (repeatable)")
    add("--seed", type=non_negative_int, default=defaults.seed, help="default: %(default)s")


def sampling_from_flags(args: argparse.Namespace) -> Sampling:
    """The settings of the command line; how long a text may get is the model's to say where they don't."""
    given = {name: getattr(args, name) for name in NAMES if getattr(args, name) is not None}
    return Sampling(
        **given,
        num_return_sequences=args.num_return_sequences,
        seed=args.seed,
        max_new_tokens=args.max_new_tokens or max(ANSWER_MAX_NEW_TOKENS, args.min_new_tokens or 0),
        do_sample=not args.greedy,
        stop=tuple(args.stop),
    )


def with_task_defaults(sampling: Sampling, args: argparse.Namespace, answers: bool) -> Sampling:
    """The settings with what the command line leaves to the kind of model."""
    defaults = {"max_new_tokens": Sampling.max_new_tokens}
    if answers:
        defaults = {"max_new_tokens": ANSWER_MAX_NEW_TOKENS, "no_repeat_ngram_size": ANSWER_NO_REPEAT_NGRAM_SIZE}
    return replace(sampling, **{name: value for name, value in defaults.items() if getattr(args, name) is None})
