"""Emoji for users' descriptions: which models write them, what they can be asked for, and how they are shown."""

import argparse
import functools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from utils.errors import UserError
from utils.inference.emoji_memory import open_memory, rank_with_memory
from utils.inference.emoji_ranking import RankedEmoji, rank_by_beams
from utils.models import checkpoint
from utils.preprocessing.emoji_resolve import normalize_description
from utils.text_tables import one_line

if TYPE_CHECKING:
    from utils.inference.emoji_memory import EmojiMemory
    from utils.inference.prompts import Prompt
    from utils.models.checkpoint import Trained

KIND = "emoji"
# Flags that are for texts which are drawn token by token, or for conversations.
UNSUPPORTED_FLAGS = (
    *("instruction", "input", "system", "length", "chat", "max_new_tokens", "min_new_tokens", "temperature", "top_k"),
    *("top_p", "min_p", "repetition_penalty", "no_repeat_ngram_size", "num_beams", "greedy", "stop"),
)
TRAIN_ONE = "name a model that was trained on emoji (preprocess.py --task emoji)"


def writes_emoji(args: argparse.Namespace, trained: "Trained", prompts: Sequence["Prompt"]) -> bool:
    """Whether the model writes emoji for descriptions. UserError where it cannot do what it is asked."""
    if trained.run.get("kind") != KIND:
        if args.unconstrained:
            raise UserError(f"{args.model_path} writes no emoji: --unconstrained is not for it", TRAIN_ONE)
        return False
    given = [
        name for name in UNSUPPORTED_FLAGS if getattr(args, name) not in (None, []) and getattr(args, name) is not False
    ]
    if given:
        raise UserError(
            f"{args.model_path} writes emoji, the likeliest first: --{given[0]} is not for it",
            f'leave out --{given[0]}; --prompt "a description" and --num_return_sequences are what it takes',
        )
    if not all(isinstance(prompt, str) for prompt in prompts):
        raise UserError(
            f"{args.model_path} writes emoji and follows no instructions: {args.prompts_file} holds some",
            'write one description a line, or {"prompt": "…"}',
        )
    if not prompts:
        raise UserError(f"{args.model_path} writes emoji, and was given no description", 'add --prompt "…"')
    return True


def as_descriptions(prompts: Sequence[str]) -> list[str]:
    """The prompts as training has descriptions; UserError where nothing is left of one."""
    descriptions = [normalize_description(prompt) for prompt in prompts]
    for number, description in enumerate(descriptions, start=1):
        if not description:
            raise UserError(f"description {number} is empty", "say in words what the emoji shows")
    return descriptions


def emoji_records(
    models: dict[str, "Trained"], prompts: Sequence[str], num: int, *, constrained: bool, batch_size: int
) -> list[dict]:
    """One JSON object an emoji: for each prompt those of each model (one of them tuned), the likeliest first.

    A base model is asked in the template and for the targets of the model tuned from it; it remembers nothing.
    """
    from utils.preprocessing.emoji_unicode import format_code_points

    descriptions = as_descriptions(prompts)
    run = models["tuned"].run
    memory = open_memory(run) if constrained else None
    ranked = {}
    for name, each in models.items():
        asked = replace(each, run=run)
        options = {"constrained": constrained, "batch_size": batch_size, "progress": name}
        ranked[name] = _likeliest(asked, memory if name == "tuned" else None, descriptions, num, **options)
    return [
        {
            "prompt": description,
            "text": one.text,
            "emoji": one.emoji,
            "codepoints": format_code_points(one.emoji) if one.valid else None,
            "rank": place,
            "probability": one.probability,
            "valid": one.valid,
            "model": name,
            "prompt_index": index,
        }
        for index, description in enumerate(descriptions)
        for name, lists in ranked.items()
        for place, one in enumerate(lists[index], start=1)
    ]


def emoji_lines(found: Sequence[dict], labelled: bool) -> Iterator[str]:
    """What is printed for people: an emoji a line, or the text that is none, with a blank line between prompts."""
    for number, record in enumerate(found):
        if record["rank"] == 1:
            yield from [""] * (number > 0)
            yield from [f"{record['model']}:"] * labelled
        yield record["emoji"] or one_line(record["text"])


def emoji_for(description: str, model_path: str, num: int) -> list[str]:
    """The likeliest `num` emoji; the model is loaded once, and again once it is another one."""
    if num < 1:
        raise UserError(f"{num} emoji were asked for, expected at least 1", "leave out num, or raise it")
    trained, memory = _loaded(model_path, *_state(Path(model_path)))
    [ranked] = _likeliest(trained, memory, as_descriptions([description]), num)
    return [one.emoji for one in ranked]


def _likeliest(
    trained: "Trained",
    memory: "EmojiMemory | None",
    descriptions: Sequence[str],
    num: int,
    *,
    progress: str | None = None,
    **search,
) -> list[list[RankedEmoji]]:
    """With a memory, or as `rank` has it, for which `search` is."""
    if memory:
        return rank_with_memory(trained, memory, descriptions, num, progress=progress)[0]
    return rank_by_beams(trained, descriptions, num, progress=progress, **search)


def _state(path: Path) -> tuple[str, int | None]:
    """What tells a model from another at the same path: the folder that the path starts from, and when it was saved."""
    saved = path if path.suffix == ".pt" else path / checkpoint.RUN_FILE
    return str(path.resolve()), saved.stat().st_mtime_ns if saved.is_file() else None


@functools.lru_cache(maxsize=2)
def _loaded(model_path: str, _place: str, _saved: int | None) -> tuple["Trained", "EmojiMemory | None"]:
    from utils.compute.device import choose_device

    trained = checkpoint.load_writer(model_path)
    if trained.run.get("kind") != KIND:
        raise UserError(f"{model_path} writes no emoji", TRAIN_ONE)
    trained.model.to(choose_device("auto"))
    return trained, open_memory(trained.run)
