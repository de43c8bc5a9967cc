"""The likeliest emoji of many descriptions, exactly: a walk through the trie, the likeliest beginnings first."""

import copy
import heapq
import inspect
import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING

from utils import processes
from utils.emoji_decoding import Ranked, encoded_prompts, padded_left, rank
from utils.emoji_trie import Trie

if TYPE_CHECKING:
    import torch

    from utils.checkpoint import Trained

PROMPTS_AT_ONCE = 16
STEPS_AT_ONCE = 8  # beginnings of each description that are read together
ROWS_AT_ONCE = 96


@dataclass(frozen=True)
class Fork:
    """A beginning that several tokens may follow: `ways` has them, each with the next fork or a target's number."""

    path: tuple[int, ...]
    ways: "dict[int, Fork | int]"


@dataclass
class _Ranking:
    """One description's search: forks still to read and targets found, each with its log probability."""

    num: int
    wanted: frozenset[int]
    floor: float = -math.inf  # of the likeliest wanted target found
    open: list = field(default_factory=list)
    found: list[tuple[float, int]] = field(default_factory=list)  # the best `num`, a heap with the worst on top
    order: Iterator[int] = field(default_factory=count)  # equal forks are read in the order in which they came

    def add(self, score: float, way: "Fork | int") -> None:
        if isinstance(way, Fork):
            heapq.heappush(self.open, (-score, next(self.order), way))
            return
        if way in self.wanted:
            self.floor = max(self.floor, score)
        if len(self.found) < self.num:
            heapq.heappush(self.found, (score, -way))
        else:
            heapq.heappushpop(self.found, (score, -way))

    def next_forks(self) -> Iterable[tuple[float, Fork]]:
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


def best(
    trained: "Trained",
    descriptions: Sequence[str],
    num: int,
    *,
    until: Sequence[Collection[str]] | None = None,
    bfloat16: bool = False,
    progress: str | None = None,
) -> list[list[Ranked]]:
    """As `emoji_decoding.rank`, constrained, for many descriptions: the same probabilities, no beam that misses any.

    A beginning's probability is that of all targets behind it together, so those are read best first until the
    `num`-th target is likelier than every beginning left (uniform-cost search). Where one token alone may follow,
    its probability is 1, and the model is not asked. The prompts are read once. `until` has emoji for each
    description: its list ends with the first of them, which saves the search for all that is less likely.

    A model whose state of a prompt is no such cache (Mamba) is left to beam search, whose lists are whole. Several
    processes share the batches, see `utils.processes`.
    """
    import torch
    from tqdm import tqdm

    if "past_key_values" not in inspect.signature(trained.model.forward).parameters:
        return rank(trained, descriptions, num, progress=progress)
    targets = trained.run["targets"]
    trie = Trie(trained.tokenizer, [target[0] for target in targets])
    root = _forks(trie)
    numbers = {target[1]: number for number, target in enumerate(targets)}
    prompts = encoded_prompts(trained, descriptions, trie.longest)
    results: dict[int, list[Ranked]] = {}
    order = sorted(range(len(prompts)), key=lambda place: -len(prompts[place]))
    firsts = range(0, len(order), PROMPTS_AT_ONCE)
    batches = processes.share([order[first : first + PROMPTS_AT_ONCE] for first in firsts])
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
            _read(trained.model, [prompts[place] for place in places], trie.end, searches)
            for place, search in zip(places, searches, strict=True):
                found = [(targets[number], score) for score, number in search.best()]
                results[place] = [Ranked(target[0], target[1], math.exp(score), True) for target, score in found]
            bar.update(len(places))
    results = processes.united(results)
    return [results[place] for place in range(len(prompts))]


def _forks(trie: Trie) -> "Fork | int":
    def way(node, path: tuple[int, ...]) -> "Fork | int":
        while isinstance(node, dict) and len(node) == 1:
            [(token, node)] = node.items()
            path = (*path, token)
        if not isinstance(node, dict):
            return node
        return Fork(path, {token: way(after, (*path, token)) for token, after in node.items()})

    return way(trie.root, ())


def _read(model, prompts: Sequence[list[int]], pad_id: int, searches: Sequence[_Ranking]) -> None:
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


def _batches(asked: Sequence[tuple[int, float, Fork]]) -> Iterator[list[tuple[int, float, Fork]]]:
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
