"""From a description to emoji: beam search that writes nothing but emoji that exist, with their probabilities."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from utils import processes
from utils.emoji_trie import Trie
from utils.encoding import context_length, start_and_end, token_ids
from utils.errors import DataError
from utils.tasks.base import apply_template

if TYPE_CHECKING:
    from utils.checkpoint import Trained

FEWEST_BEAMS = 10
IMPOSSIBLE = -1e8  # transformers gives beams that stand for nothing a score of -1e9


@dataclass(frozen=True)
class Ranked:
    """What a model writes for a description; `emoji` is None where that is none of its targets (`valid` is False).

    `probability` is that among all targets or, without the constraint, among all texts.
    """

    text: str
    emoji: str | None
    probability: float
    valid: bool


def rank(
    trained: "Trained",
    descriptions: Sequence[str],
    num: int,
    *,
    constrained: bool = True,
    batch_size: int = 32,
    progress: str | None = None,
) -> list[list[Ranked]]:
    """The `num` emoji (at most as many as there are targets) that the model finds likeliest for each description.

    Constrained, `prefix_allowed_tokens_fn` leaves the tokens that lead to a target, whose probabilities are made to
    add up to 1 at every step: those of all targets do too. Unconstrained, it is plain beam search. `batch_size` is
    the most beams at once and changes nothing else. `trained.run` has the template and the targets. DataError for
    a description that leaves no room in the context. `progress` names a bar on stderr (on a terminal only). Several
    processes share the batches, see `utils.processes`.
    """
    from tqdm import tqdm

    targets = trained.run["targets"]
    trie = Trie(trained.tokenizer, [target[0] for target in targets])
    num = min(num, len(targets))
    beams = min(max(FEWEST_BEAMS, 2 * num), max(2, len(targets)))
    prompts = encoded_prompts(trained, descriptions, trie.longest)
    results: dict[int, list[Ranked]] = {}
    order = sorted(range(len(prompts)), key=lambda place: -len(prompts[place]))
    size = max(1, batch_size // beams)
    batches = processes.share([order[first : first + size] for first in range(0, len(order), size)])
    total = sum(map(len, batches))
    with tqdm(total=total, desc=progress, unit=" texts", disable=None if progress else True) as bar:
        for places in batches:
            found = _search(trained, [prompts[place] for place in places], trie, constrained, beams, num)
            for place, sequences in zip(places, found, strict=True):
                results[place] = []
                for ids, score in sequences:
                    text, emoji = targets[trie.number(ids)][:2] if constrained else _read(trained, ids, trie.end)
                    results[place].append(Ranked(text, emoji, math.exp(score), emoji is not None))
            bar.update(len(places))
    results = processes.united(results)
    return [results[place] for place in range(len(prompts))]


def encoded_prompts(trained: "Trained", descriptions: Sequence[str], room: int) -> list[list[int]]:
    """The token ids of the descriptions in the model's template; DataError where less than `room` tokens are left."""
    start = start_and_end(trained.tokenizer)[0]
    templated = [apply_template(trained.run["template"], description) for description in descriptions]
    prompts = [[start, *ids] for ids in token_ids(trained.tokenizer, templated)]
    context = context_length(trained.model)
    for number, prompt in enumerate(prompts, start=1):
        if len(prompt) + room > context:
            raise DataError(
                f"description {number} has {len(prompt):,} tokens with its template, and the model's context of "
                f"{context:,} must hold {room:,} more for the longest emoji",
                "shorten the description, or use a model with a longer context",
            )
    return prompts


def padded_left(prompts: Sequence[Sequence[int]], pad_id: int) -> dict:
    """Token ids and their mask, padded on the left to the longest: (texts, length) int64 tensors."""
    import torch

    width = max(map(len, prompts))
    padding = torch.tensor([width - len(prompt) for prompt in prompts])
    input_ids = torch.tensor([[pad_id] * (width - len(prompt)) + list(prompt) for prompt in prompts])
    return {"input_ids": input_ids, "attention_mask": (torch.arange(width) >= padding[:, None]).long()}


def written_freely(
    trained: "Trained", descriptions: Sequence[str], *, batch_size: int = 32, progress: str | None = None
) -> list[str | None]:
    """The emoji that each description leads to without the constraint, the likeliest token each time, or None."""
    from tqdm import tqdm

    trie = Trie(trained.tokenizer, [target[0] for target in trained.run["targets"]])
    prompts = encoded_prompts(trained, descriptions, trie.longest)
    results: dict[int, str | None] = {}
    order = sorted(range(len(prompts)), key=lambda place: -len(prompts[place]))
    batches = processes.share([order[first : first + batch_size] for first in range(0, len(order), batch_size)])
    total = sum(map(len, batches))
    with tqdm(total=total, desc=progress, unit=" texts", disable=None if progress else True) as bar:
        for places in batches:
            output, width = _generate(trained.model, [prompts[place] for place in places], trie, constrained=False)
            for place, ids in zip(places, output.sequences[:, width:].tolist(), strict=True):
                results[place] = _read(trained, ids, trie.end)[1]
            bar.update(len(places))
    results = processes.united(results)
    return [results[place] for place in range(len(prompts))]


def _search(
    trained: "Trained", prompts: Sequence[list[int]], trie: Trie, constrained: bool, beams: int, num: int
) -> list[list[tuple[list[int], float]]]:
    """The best `num` (new ids, log probability) of each prompt."""
    output, width = _generate(
        trained.model,
        prompts,
        trie,
        constrained,
        num_beams=beams,
        num_return_sequences=num,
        length_penalty=0.0,  # the score of a text is its log probability
        early_stopping=False,
        output_scores=True,  # without them there are no scores of sequences
    )
    pairs = list(zip(output.sequences[:, width:].tolist(), output.sequences_scores.tolist(), strict=True))
    each = (pairs[first : first + num] for first in range(0, len(pairs), num))
    return [[(ids, score) for ids, score in sequences if score > IMPOSSIBLE] for sequences in each]


def _generate(model, prompts: Sequence[list[int]], trie: Trie, constrained: bool, **search):
    """(what transformers' `generate` returns, how wide the prompts are in it)."""
    from transformers import GenerationConfig

    inputs = padded_left(prompts, trie.end)
    width = inputs["input_ids"].shape[1]
    config = GenerationConfig(
        **search,
        do_sample=False,
        max_new_tokens=trie.longest,
        renormalize_logits=True,
        eos_token_id=trie.end,
        pad_token_id=trie.end,
        use_cache=True,
        return_dict_in_generate=True,
        # What is not said here is taken from the model's own generation_config.json.
        repetition_penalty=1.0,
        no_repeat_ngram_size=0,
    )
    output = model.generate(
        **{name: tensor.to(model.device) for name, tensor in inputs.items()},
        generation_config=config,
        prefix_allowed_tokens_fn=(lambda _, ids: trie.allowed(ids[width:].tolist())) if constrained else None,
    )
    return output, width


def _read(trained: "Trained", ids: list[int], end: int) -> tuple[str, str | None]:
    """(the text, the emoji that it stands for or None) of what was written freely."""
    written = ids[: ids.index(end)] if end in ids else ids
    text = trained.tokenizer.decode(written, skip_special_tokens=True, clean_up_tokenization_spaces=False).strip()
    return text, next((target[1] for target in trained.run["targets"] if target[0] == text), None)
