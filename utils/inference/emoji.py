"""Emoji for descriptions: the check that a model writes emoji, its options, and the output."""

import argparse
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from utils.compute.loaded_models import keep_loaded, one_at_a_time
from utils.errors import UserError
from utils.inference.generation import BATCH_SIZE
from utils.inference.prompts import Prompt
from utils.models import checkpoint
from utils.models.checkpoint import Trained
from utils.preprocessing.emoji.resolve import normalize_description
from utils.preprocessing.emoji.unicode import format_code_points
from utils.tasks.kinds import EMOJI
from utils.terminal.tables import one_line

if TYPE_CHECKING:
    from utils.inference.emoji_memory import EmojiMemory
    from utils.inference.emoji_ranking import RankedEmoji

# Flags for sampling and for conversations.
UNSUPPORTED_FLAGS = (
    *("instruction", "input", "system", "length", "chat", "max_new_tokens", "min_new_tokens", "temperature", "top_k"),
    *("top_p", "min_p", "repetition_penalty", "no_repeat_ngram_size", "num_beams", "greedy", "stop"),
)
TRAIN_ONE = "use a model that was trained on emoji (preprocess.py --task emoji)"


def writes_emoji(args: argparse.Namespace, trained: Trained, prompts: Sequence[Prompt]) -> bool:
    """Return whether the model writes emoji for descriptions. UserError where it cannot do what the flags ask for."""
    if trained.run.get("kind") != EMOJI.name:
        if args.unconstrained:
            raise UserError(f"{args.model_path} does not write emoji, which --unconstrained is for", TRAIN_ONE)
        return False
    for name in UNSUPPORTED_FLAGS:
        value = getattr(args, name)
        if value not in (None, []) and value is not False:
            raise UserError(
                f"{args.model_path} writes emoji, the most likely first, and does not support --{name}",
                f'remove --{name}; use --prompt "a description" and --num_return_sequences',
            )
    if not all(isinstance(prompt, str) for prompt in prompts):
        raise UserError(
            f"{args.model_path} writes emoji and follows no instructions, but {args.prompts_file} has some",
            'write one description per line, or {"prompt": "…"}',
        )
    if not prompts:
        raise UserError(f"{args.model_path} writes emoji, but there is no description", 'add --prompt "…"')
    return True


def emoji_records(
    models: Mapping[str, Trained], prompts: Sequence[str], num: int, *, constrained: bool, batch_size: int | None
) -> list[dict]:
    """Return one JSON object per emoji: for each prompt those of each model by its name, the most likely first.

    `batch_size` is the number of texts at once, by default what is fast. One of the models is "tuned". A base model
    gets its template and its targets, but not its memory.
    """
    from utils.inference.emoji_memory import open_memory
    from utils.inference.emoji_ranking import rank_unconstrained

    descriptions = as_descriptions(prompts)
    run = models["tuned"].run
    memory = open_memory(run) if constrained else None
    rankings = {}
    for name, trained in models.items():
        trained = replace(trained, run=run)
        if constrained:
            rankings[name] = _rank(trained, memory if name == "tuned" else None, descriptions, num, batch_size, name)
        else:
            rankings[name] = rank_unconstrained(
                trained, descriptions, num, batch_size=batch_size or BATCH_SIZE, progress=name
            )
    return [
        {
            "prompt": description,
            "text": ranked.text,
            "emoji": ranked.emoji,
            "codepoints": format_code_points(ranked.emoji) if ranked.valid else None,
            "rank": rank,
            "probability": ranked.probability,
            "valid": ranked.valid,
            "model": name,
            "prompt_index": index,
        }
        for index, description in enumerate(descriptions)
        for name, ranking in rankings.items()
        for rank, ranked in enumerate(ranking[index], start=1)
    ]


def emoji_lines(records: Sequence[dict], labelled: bool) -> Iterator[str]:
    """Yield the output for people: an emoji per line, or the text that is not one, and a blank line between prompts."""
    for number, record in enumerate(records):
        if record["rank"] == 1:
            yield from [""] * (number > 0)
            yield from [f"{record['model']}:"] * labelled
        yield record["emoji"] or one_line(record["text"])


def emoji_for(description: str, model_path: str | os.PathLike, num: int) -> list[str]:
    """Return the `num` most likely emoji. The model is loaded once, and again where another one replaced it."""
    if num < 1:
        raise UserError(f"num is {num}, expected at least 1", "remove num, or raise it")
    trained, memory = _load(os.fspath(model_path))
    with one_at_a_time:
        [ranking] = _rank(trained, memory, as_descriptions([description]), num)
    return [ranked.emoji for ranked in ranking]


def as_descriptions(prompts: Sequence[str]) -> list[str]:
    """Return the prompts as descriptions like those in training; UserError if one becomes empty."""
    descriptions = [normalize_description(prompt) for prompt in prompts]
    for number, description in enumerate(descriptions, start=1):
        if not description:
            raise UserError(f"description {number} is empty", "describe the emoji in words")
    return descriptions


def _rank(
    trained: Trained,
    memory: "EmojiMemory | None",
    descriptions: Sequence[str],
    num: int,
    batch_size: int | None = None,
    progress: str | None = None,
) -> list[list["RankedEmoji"]]:
    from utils.inference.emoji_memory import rank_with_memory
    from utils.inference.emoji_ranking import PROMPTS_AT_ONCE, rank_emoji

    options = {"batch_size": batch_size or PROMPTS_AT_ONCE, "progress": progress}
    if memory is None:
        return rank_emoji(trained, descriptions, num, **options)
    return rank_with_memory(trained, memory, descriptions, num, **options)[0]


@keep_loaded
def _load(model_path: str) -> tuple[Trained, "EmojiMemory | None"]:
    from utils.compute.device import choose_device
    from utils.inference.emoji_memory import open_memory

    trained = checkpoint.load_writer(model_path)
    if trained.run.get("kind") != EMOJI.name:
        raise UserError(f"{model_path} does not write emoji", TRAIN_ONE)
    trained.model.to(choose_device("auto"))
    return trained, open_memory(trained.run)
