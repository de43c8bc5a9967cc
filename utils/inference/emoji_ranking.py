"""The most likely emoji for descriptions: an exact search among the emoji of a table, or beam search among all texts.

An emoji's target is the text that represents it. A model writes the tokens of the target, and then end-of-text.
"""

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from tqdm import tqdm

from utils import distributed
from utils.compute.batching import longest_first
from utils.compute.device import autocast
from utils.errors import DataError, UserError
from utils.inference.emoji_search import build_trie, find_best_targets
from utils.inference.generation import encode_prompts
from utils.inference.hf_generate import generate, generation_config, pad_left
from utils.inference.stopping import DECODE_OPTIONS
from utils.models.checkpoint import Trained
from utils.models.tokenization import apply_template, context_length, start_and_end, token_ids

Result = TypeVar("Result")
MIN_BEAMS = 10
PROMPTS_AT_ONCE = 16


@dataclass(frozen=True)
class RankedEmoji:
    """A text that a model writes for a description; without the constraint it may not be an emoji (then None).

    `probability` is that among all targets or, without the constraint, among all texts.
    """

    text: str
    emoji: str | None
    probability: float
    valid: bool


def rank_emoji(
    trained: Trained,
    descriptions: Sequence[str],
    num: int,
    *,
    until: Sequence[Collection[str]] | None = None,
    bfloat16: bool = False,
    batch_size: int = PROMPTS_AT_ONCE,
    progress: str | None = None,
) -> list[list[RankedEmoji]]:
    """Return the `num` most likely emoji (at most as many as there are targets) for each description.

    The probability of an emoji is that of its target among all targets, see `emoji_search`.

    `batch_size` is the number of descriptions at once; apart from rounding, results do not depend on it.
    `until` names emoji for each description: once one of them is found, the search for less likely ones ends.
    `trained.run` has the template and the targets. `progress` names a bar on stderr (on a terminal only). DataError
    where a description leaves no room in the context. Several processes share the batches, see `utils.distributed`.
    """
    targets = trained.run["targets"]
    sequences = _target_sequences(trained)
    trie = build_trie(sequences, range(len(sequences)))
    pad_id = start_and_end(trained.tokenizer)[1]
    number_of = {target[1]: number for number, target in enumerate(targets)}
    prompts = _encode_descriptions(trained, descriptions, max(map(len, sequences)))

    def rank_batch(batch: list[int]) -> list[list[RankedEmoji]]:
        inputs = pad_left([prompts[index] for index in batch], pad_id, trained.model.device)
        last = [{number_of[emoji] for emoji in until[index] if emoji in number_of} if until else () for index in batch]
        return [
            [RankedEmoji(*targets[number][:2], math.exp(score), True) for score, number in ranking]
            for ranking in find_best_targets(trained.model, inputs, trie, num, last)
        ]

    with torch.inference_mode(), autocast(trained.model.device.type, "bf16" if bfloat16 else "fp32"):
        return _in_batches(prompts, batch_size, rank_batch, progress)


def rank_unconstrained(
    trained: Trained, descriptions: Sequence[str], num: int, *, batch_size: int = 32, progress: str | None = None
) -> list[list[RankedEmoji]]:
    """Return the `num` most likely texts (at most as many as there are targets) for each description, by beam search.

    `batch_size` is the number of beams at once. The rest is as in `rank_emoji`.
    """
    num = min(num, len(trained.run["targets"]))
    beams = max(MIN_BEAMS, 2 * num)
    search = {"num_beams": beams, "num_return_sequences": num, "early_stopping": False}
    search["length_penalty"] = 0.0  # the score of a text is its log probability
    search["output_scores"] = True  # else there are no scores of sequences
    return _generate(trained, descriptions, search, max(1, batch_size // beams), progress)


def generate_unconstrained(
    trained: Trained, descriptions: Sequence[str], *, batch_size: int = 32, progress: str | None = None
) -> list[str | None]:
    """Return the emoji that greedy decoding without the constraint writes for each description, or None."""
    return [ranked[0].emoji for ranked in _generate(trained, descriptions, {}, batch_size, progress)]


def _target_sequences(trained: Trained) -> list[tuple[int, ...]]:
    """Return the tokens of each target, followed by end-of-text. UserError where two targets have the same."""
    end = start_and_end(trained.tokenizer)[1]
    texts = [target[0] for target in trained.run["targets"]]
    text_of: dict[tuple[int, ...], str] = {}
    for text, ids in zip(texts, token_ids(trained.tokenizer, texts), strict=True):
        sequence = (*ids, end)
        if sequence in text_of:
            raise UserError(
                f"the tokenizer of {trained.tokenizer.name_or_path} has the same tokens for {text_of[sequence]!r} and "
                f"{text!r}",
                "choose a base model whose tokenizer covers every byte (smollm2, gpt2)",
            )
        text_of[sequence] = text
    return list(text_of)


def _encode_descriptions(trained: Trained, descriptions: Sequence[str], room: int) -> list[list[int]]:
    """Return the token ids of the descriptions in the model's template; DataError where `room` tokens don't fit."""
    template = trained.run["template"]
    prompts = encode_prompts(trained.tokenizer, [apply_template(template, text) for text in descriptions])
    context = context_length(trained.model)
    for number, prompt in enumerate(prompts, start=1):
        if len(prompt) + room > context:
            raise DataError(
                f"description {number} has {len(prompt):,} tokens with its template, but the model's context of "
                f"{context:,} must hold {room:,} more for the longest emoji",
                "shorten the description, or use a model with a longer context",
            )
    return prompts


def _in_batches(
    prompts: Sequence[list[int]], batch_size: int, rank_batch: Callable[[list[int]], list[Result]], progress: str | None
) -> list[Result]:
    """Return the results of all prompts, in order; `rank_batch` returns those of the prompts with these indices."""
    order = longest_first([len(prompt) for prompt in prompts])
    batches = distributed.shard([order[first : first + batch_size] for first in range(0, len(order), batch_size)])
    results, total = {}, sum(map(len, batches))
    with tqdm(total=total, desc=progress, unit=" texts", leave=False, disable=None if progress else True) as bar:
        for batch in batches:
            results.update(zip(batch, rank_batch(batch), strict=True))
            bar.update(len(batch))
    results = distributed.gather_dict(results)
    return [results[index] for index in range(len(prompts))]


def _generate(
    trained: Trained, descriptions: Sequence[str], search: dict, batch_size: int, progress: str | None
) -> list[list[RankedEmoji]]:
    """Return the texts that transformers' `generate` writes with these settings; greedy ones have no probability."""
    end = start_and_end(trained.tokenizer)[1]
    longest = max(map(len, _target_sequences(trained)))
    prompts = _encode_descriptions(trained, descriptions, longest)
    emoji_of = {target[0]: target[1] for target in trained.run["targets"]}
    config = generation_config(end, longest, return_dict_in_generate=True, **search)

    def generate_batch(batch: list[int]) -> list[list[RankedEmoji]]:
        inputs = pad_left([prompts[index] for index in batch], end, trained.model.device)
        output = generate(trained.model, inputs, config)
        sequences = output.sequences[:, inputs["input_ids"].shape[1] :].tolist()
        scores = output.sequences_scores.tolist() if search else [math.nan] * len(batch)
        ranked = []
        for ids, score in zip(sequences, scores, strict=True):
            ids = ids[: ids.index(end)] if end in ids else ids
            text = trained.tokenizer.decode(ids, **DECODE_OPTIONS).strip()
            emoji = emoji_of.get(text)
            ranked.append(RankedEmoji(text, emoji, math.exp(score), emoji is not None))
        size = len(ranked) // len(batch)
        return [ranked[first : first + size] for first in range(0, len(ranked), size)]

    return _in_batches(prompts, batch_size, generate_batch, progress)
