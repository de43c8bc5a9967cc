"""All that a model may write, token by token: the emoji of its table as a tree.

MERGED: From a description to emoji: beam search that writes nothing but emoji that exist, with their probabilities.

MERGED: The likeliest emoji of many descriptions, exactly: a walk through the trie, the likeliest beginnings first."""

import copy
import heapq
import inspect
import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING

from utils import distributed
from utils.errors import DataError, UserError
from utils.models.tokenization import apply_template, context_length, start_and_end, token_ids

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase

    from utils.models.checkpoint import Trained


class EmojiTrie:
    """The token sequences of all targets, each with its end-of-text, as a tree: token → the tree of what follows.

    Behind a target's end-of-text stands its number. UserError where two targets have the same tokens.
    """

    def __init__(self, tokenizer: "PreTrainedTokenizerBase", texts: Sequence[str]):
        self.end = start_and_end(tokenizer)[1]
        self.longest = 0  # tokens of a target with its end
        self.root = {}
        for number, (text, ids) in enumerate(zip(texts, token_ids(tokenizer, texts), strict=True)):
            node = self.root
            for token in ids:
                node = node.setdefault(token, {})
            if self.end in node:
                raise UserError(
                    f"the tokenizer of {tokenizer.name_or_path} writes {texts[node[self.end]]!r} and {text!r} alike",
                    "choose a base model whose tokenizer knows every byte (smollm2, gpt2)",
                )
            node[self.end] = number
            self.longest = max(self.longest, len(ids) + 1)

    def allowed(self, written: Sequence[int]) -> list[int]:
        """The tokens that may follow; end-of-text behind what no target begins with, for beams that come to nothing."""
        node = self._at(written)
        return list(node) if isinstance(node, dict) else [self.end]

    def number(self, written: Sequence[int]) -> int:
        """The number of the target that was written, end-of-text included, and whatever pads behind that."""
        return self._at(written[: written.index(self.end) + 1])

    def _at(self, written: Sequence[int]) -> dict | int | None:
        node = self.root
        for token in written:
            node = node.get(token) if isinstance(node, dict) else None
        return node


FEWEST_BEAMS = 10
IMPOSSIBLE = -1e8  # transformers gives beams that stand for nothing a score of -1e9


@dataclass(frozen=True)
class RankedEmoji:
    """What a model writes for a description; `emoji` is None where that is none of its targets (`valid` is False).

    `probability` is that among all targets or, without the constraint, among all texts.
    """

    text: str
    emoji: str | None
    probability: float
    valid: bool


def rank_by_beams(
    trained: "Trained",
    descriptions: Sequence[str],
    num: int,
    *,
    constrained: bool = True,
    batch_size: int = 32,
    progress: str | None = None,
) -> list[list[RankedEmoji]]:
    """The `num` emoji (at most as many as there are targets) that the model finds likeliest for each description.

    Constrained, `prefix_allowed_tokens_fn` leaves the tokens that lead to a target, whose probabilities are made to
    add up to 1 at every step: those of all targets do too. Unconstrained, it is plain beam search. `batch_size` is
    the most beams at once and changes nothing else. `trained.run` has the template and the targets. DataError for
    a description that leaves no room in the context. `progress` names a bar on stderr (on a terminal only). Several
    processes share the batches, see `utils.distributed`.
    """
    from tqdm import tqdm

    targets = trained.run["targets"]
    trie = EmojiTrie(trained.tokenizer, [target[0] for target in targets])
    num = min(num, len(targets))
    beams = min(max(FEWEST_BEAMS, 2 * num), max(2, len(targets)))
    prompts = encoded_prompts(trained, descriptions, trie.longest)
    results: dict[int, list[RankedEmoji]] = {}
    order = sorted(range(len(prompts)), key=lambda place: -len(prompts[place]))
    size = max(1, batch_size // beams)
    batches = distributed.shard([order[first : first + size] for first in range(0, len(order), size)])
    total = sum(map(len, batches))
    with tqdm(total=total, desc=progress, unit=" texts", disable=None if progress else True) as bar:
        for places in batches:
            found = _beam_search(trained, [prompts[place] for place in places], trie, constrained, beams, num)
            for place, sequences in zip(places, found, strict=True):
                results[place] = []
                for ids, score in sequences:
                    text, emoji = (
                        targets[trie.number(ids)][:2] if constrained else _parse_written(trained, ids, trie.end)
                    )
                    results[place].append(RankedEmoji(text, emoji, math.exp(score), emoji is not None))
            bar.update(len(places))
    results = distributed.gather_dict(results)
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


def generate_unconstrained(
    trained: "Trained", descriptions: Sequence[str], *, batch_size: int = 32, progress: str | None = None
) -> list[str | None]:
    """The emoji that each description leads to without the constraint, the likeliest token each time, or None."""
    from tqdm import tqdm

    trie = EmojiTrie(trained.tokenizer, [target[0] for target in trained.run["targets"]])
    prompts = encoded_prompts(trained, descriptions, trie.longest)
    results: dict[int, str | None] = {}
    order = sorted(range(len(prompts)), key=lambda place: -len(prompts[place]))
    batches = distributed.shard([order[first : first + batch_size] for first in range(0, len(order), batch_size)])
    total = sum(map(len, batches))
    with tqdm(total=total, desc=progress, unit=" texts", disable=None if progress else True) as bar:
        for places in batches:
            output, width = _generate(trained.model, [prompts[place] for place in places], trie, constrained=False)
            for place, ids in zip(places, output.sequences[:, width:].tolist(), strict=True):
                results[place] = _parse_written(trained, ids, trie.end)[1]
            bar.update(len(places))
    results = distributed.gather_dict(results)
    return [results[place] for place in range(len(prompts))]


def _beam_search(
    trained: "Trained", prompts: Sequence[list[int]], trie: EmojiTrie, constrained: bool, beams: int, num: int
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


def _generate(model, prompts: Sequence[list[int]], trie: EmojiTrie, constrained: bool, **search):
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


def _parse_written(trained: "Trained", ids: list[int], end: int) -> tuple[str, str | None]:
    """(the text, the emoji that it stands for or None) of what was written freely."""
    written = ids[: ids.index(end)] if end in ids else ids
    text = trained.tokenizer.decode(written, skip_special_tokens=True, clean_up_tokenization_spaces=False).strip()
    return text, next((target[1] for target in trained.run["targets"] if target[0] == text), None)


PROMPTS_AT_ONCE = 16
STEPS_AT_ONCE = 8  # beginnings of each description that are read together
ROWS_AT_ONCE = 96


@dataclass(frozen=True)
class TrieFork:
    """A beginning that several tokens may follow: `ways` has them, each with the next fork or a target's number."""

    path: tuple[int, ...]
    ways: "dict[int, TrieFork | int]"


@dataclass
class _Ranking:
    """One description's search: forks still to read and targets found, each with its log probability."""

    num: int
    wanted: frozenset[int]
    floor: float = -math.inf  # of the likeliest wanted target found
    open: list = field(default_factory=list)
    found: list[tuple[float, int]] = field(default_factory=list)  # the best `num`, a heap with the worst on top
    order: Iterator[int] = field(default_factory=count)  # equal forks are read in the order in which they came

    def add(self, score: float, way: "TrieFork | int") -> None:
        if isinstance(way, TrieFork):
            heapq.heappush(self.open, (-score, next(self.order), way))
            return
        if way in self.wanted:
            self.floor = max(self.floor, score)
        if len(self.found) < self.num:
            heapq.heappush(self.found, (score, -way))
        else:
            heapq.heappushpop(self.found, (score, -way))

    def next_forks(self) -> Iterable[tuple[float, TrieFork]]:
        """The likeliest forks. Behind a less likely one than the worst of enough targets, there is no better one."""
        for _ in range(STEPS_AT_ONCE):
            floor = max(self.floor, self.found[0][0] if len(self.found) == self.num else -math.inf)
            if not self.open or -self.open[0][0] <= floor:
                return
            score, _, fork = heapq.heappop(self.open)
            yield -score, fork

    def best(self) -> list[tuple[float, int]]:
        """The targets found, the likeliest first, down to the wanted one."""
        return [(score, -number) for score, number in sorted(self.found, reverse=True) if score >= self.floor]


def rank_emoji(
    trained: "Trained",
    descriptions: Sequence[str],
    num: int,
    *,
    until: Sequence[Collection[str]] | None = None,
    bfloat16: bool = False,
    progress: str | None = None,
) -> list[list[RankedEmoji]]:
    """As `emoji_decoding.rank`, constrained, for many descriptions: the same probabilities, no beam that misses any.

    A beginning's probability is that of all targets behind it together, so those are read best first until the
    `num`-th target is likelier than every beginning left (uniform-cost search). Where one token alone may follow,
    its probability is 1, and the model is not asked. The prompts are read once. `until` has emoji for each
    description: its list ends with the first of them, which saves the search for all that is less likely.

    A model whose state of a prompt is no such cache (Mamba) is left to beam search, whose lists are whole. Several
    processes share the batches, see `utils.distributed`.
    """
    import torch
    from tqdm import tqdm

    if "past_key_values" not in inspect.signature(trained.model.forward).parameters:
        return rank_by_beams(trained, descriptions, num, progress=progress)
    targets = trained.run["targets"]
    trie = EmojiTrie(trained.tokenizer, [target[0] for target in targets])
    root = _forks(trie)
    numbers = {target[1]: number for number, target in enumerate(targets)}
    prompts = encoded_prompts(trained, descriptions, trie.longest)
    results: dict[int, list[RankedEmoji]] = {}
    order = sorted(range(len(prompts)), key=lambda place: -len(prompts[place]))
    firsts = range(0, len(order), PROMPTS_AT_ONCE)
    batches = distributed.shard([order[first : first + PROMPTS_AT_ONCE] for first in firsts])
    autocast = torch.autocast(trained.model.device.type, torch.bfloat16, enabled=bfloat16)
    total = sum(map(len, batches))
    bar = tqdm(total=total, desc=progress, unit=" texts", leave=False, disable=None if progress else True)
    with torch.inference_mode(), autocast, bar:
        for places in batches:
            searches = [
                _Ranking(
                    num, frozenset(numbers[emoji] for emoji in (until[place] if until else ()) if emoji in numbers)
                )
                for place in places
            ]
            for search in searches:
                search.add(0.0, root)
            _expand_forks(trained.model, [prompts[place] for place in places], trie.end, searches)
            for place, search in zip(places, searches, strict=True):
                found = [(targets[number], score) for score, number in search.best()]
                results[place] = [RankedEmoji(target[0], target[1], math.exp(score), True) for target, score in found]
            bar.update(len(places))
    results = distributed.gather_dict(results)
    return [results[place] for place in range(len(prompts))]


def _forks(trie: EmojiTrie) -> "TrieFork | int":
    def way(node, path: tuple[int, ...]) -> "TrieFork | int":
        while isinstance(node, dict) and len(node) == 1:
            [(token, node)] = node.items()
            path = (*path, token)
        if not isinstance(node, dict):
            return node
        return TrieFork(path, {token: way(after, (*path, token)) for token, after in node.items()})

    return way(trie.root, ())


def _expand_forks(model, prompts: Sequence[list[int]], pad_id: int, searches: Sequence[_Ranking]) -> None:
    """Carry on the searches, one of each prompt, until none has a fork worth reading."""
    inputs = {name: tensor.to(model.device) for name, tensor in padded_left(prompts, pad_id).items()}
    mask = inputs["attention_mask"]
    lengths = mask.sum(dim=1)
    positions = (mask.cumsum(dim=1) - 1).clamp(min=0)
    output = model(**inputs, position_ids=positions, use_cache=True, logits_to_keep=1)
    prompt_logits, cache = output.logits[:, -1], output.past_key_values
    while True:
        asked = [(row, score, fork) for row, search in enumerate(searches) for score, fork in search.next_forks()]
        if not asked:
            return
        for batch in _batches(asked):
            rows = _tensor([row for row, _, _ in batch], model)
            path = _tensor([fork.path for _, _, fork in batch], model)
            if path.shape[1] == 0:
                logits = prompt_logits[rows]
            else:
                own = copy.deepcopy(cache)
                own.batch_select_indices(rows)
                steps = _tensor(range(path.shape[1]), model)
                logits = model(
                    input_ids=path,
                    attention_mask=_with_ones(mask[rows], path.shape[1]),
                    position_ids=lengths[rows, None] + steps,
                    past_key_values=own,
                    use_cache=True,
                    logits_to_keep=1,
                ).logits[:, -1]
            for (row, score, fork), row_logits in zip(batch, logits.float().cpu(), strict=True):
                shares = row_logits[list(fork.ways)].log_softmax(0).tolist()
                for way, share in zip(fork.ways.values(), shares, strict=True):
                    searches[row].add(score + share, way)


def _batches(asked: Sequence[tuple[int, float, TrieFork]]) -> Iterator[list[tuple[int, float, TrieFork]]]:
    """Batches of forks at the same depth: nothing is to be padded behind the prompts."""
    by_depth: dict[int, list] = {}
    for one in asked:
        by_depth.setdefault(len(one[2].path), []).append(one)
    for batch in by_depth.values():
        for first in range(0, len(batch), ROWS_AT_ONCE):
            yield batch[first : first + ROWS_AT_ONCE]


def _tensor(values: Iterable, model) -> "torch.Tensor":
    import torch

    return torch.tensor(list(values), device=model.device, dtype=torch.long)


def _with_ones(mask: "torch.Tensor", more: int) -> "torch.Tensor":
    import torch

    return torch.cat([mask, mask.new_ones(len(mask), more)], dim=1)
