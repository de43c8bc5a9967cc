"""The exact search for the likeliest of many targets: a trie of their tokens, its most likely prefixes expanded first.

At every step, the probabilities of the tokens that can continue a target are scaled to add up to 1, so those of all
targets do as well. The probability of a prefix is that of all targets that begin with it. The search ends once the last
target of the ranking is more likely than every prefix left (uniform-cost search). A prefix that only one token can
continue costs no forward pass.
"""

import copy
import heapq
import math
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count

import torch
from transformers import PreTrainedModel

from utils.inference.continuous_batching import forward_last
from utils.inference.requests import static_batches

NODES_AT_ONCE = 8  # of each search
ROWS_AT_ONCE = 96


@dataclass(frozen=True)
class TrieNode:
    """A prefix of several targets. `children`: each token that may follow → the next such prefix, or the target."""

    prefix: tuple[int, ...]
    children: "dict[int, TrieNode | int]"


def build_trie(sequences: Sequence[Sequence[int]], targets: Sequence[int], depth: int = 0) -> TrieNode | int:
    """Return the trie of these targets, which share their first `depth` tokens; a single target is its number.

    `sequences` has the tokens of every target by its number. None may be the beginning of another one.
    """
    if len(targets) == 1:
        return targets[0]
    first = sequences[targets[0]]
    while len({sequences[target][depth] for target in targets}) == 1:
        depth += 1
    groups = defaultdict(list)
    for target in targets:
        groups[sequences[target][depth]].append(target)
    children = {token: build_trie(sequences, group, depth + 1) for token, group in groups.items()}
    return TrieNode(tuple(first[:depth]), children)


def find_best_targets(
    model: PreTrainedModel,
    inputs: dict[str, torch.Tensor],
    trie: TrieNode | int,
    num: int,
    last: Sequence[Collection[int]],
) -> list[list[tuple[float, int]]]:
    """Return (log probability, target) of the `num` most likely targets of each prompt, the most likely first.

    `inputs` has the prompts, padded on the left. A ranking ends early with the first target that `last` has for its
    prompt. Prompts are read once, where the model has a key-value cache.
    """
    searches = [_Search(num, targets) for targets in last]
    for search in searches:
        search.add(0.0, trie)
    prompts, mask = inputs["input_ids"], inputs["attention_mask"]
    output = forward_last(model, prompts, mask)
    prompt_logits, prompt_cache = output.logits[:, -1], output.get("past_key_values")
    while nodes := [(row, score, node) for row, search in enumerate(searches) for score, node in search.next_nodes()]:
        # Nodes at the same depth: no padding is needed behind the prompts.
        for batch in static_batches(sorted(nodes, key=_depth), ROWS_AT_ONCE, _depth):
            rows = torch.tensor([row for row, _, _ in batch], device=model.device)
            prefixes = torch.tensor([node.prefix for _, _, node in batch], device=model.device, dtype=torch.long)
            if prefixes.shape[1] == 0:
                logits = prompt_logits[rows]
            else:
                cache, input_ids = None, torch.cat([prompts[rows], prefixes], dim=1)
                if prompt_cache is not None:
                    cache, input_ids = copy.deepcopy(prompt_cache), prefixes
                    cache.batch_select_indices(rows)
                attention_mask = torch.cat([mask[rows], torch.ones_like(prefixes)], dim=1)
                logits = forward_last(model, input_ids, attention_mask, cache).logits[:, -1]
            for (row, score, node), row_logits in zip(batch, logits.float().cpu(), strict=True):
                log_probabilities = row_logits[list(node.children)].log_softmax(0).tolist()
                for child, log_probability in zip(node.children.values(), log_probabilities, strict=True):
                    searches[row].add(score + log_probability, child)
    return [search.ranking() for search in searches]


@dataclass
class _Search:
    """The search for one prompt. Scores are log probabilities."""

    num: int
    last: Collection[int]  # the ranking ends with the first of these targets
    last_score: float = -math.inf  # of that target
    best: list[tuple[float, int]] = field(default_factory=list)  # a heap of (score, -target), the worst on top
    frontier: list[tuple[float, int, TrieNode]] = field(default_factory=list)  # a heap of (-score, arrival, node)
    arrivals: Iterator[int] = field(default_factory=count)  # equally likely nodes are expanded in this order

    def add(self, score: float, child: TrieNode | int) -> None:
        if isinstance(child, TrieNode):
            heapq.heappush(self.frontier, (-score, next(self.arrivals), child))
            return
        if child in self.last:
            self.last_score = max(self.last_score, score)
        heapq.heappush(self.best, (score, -child))
        if len(self.best) > self.num:
            heapq.heappop(self.best)

    def next_nodes(self) -> Iterator[tuple[float, TrieNode]]:
        """Take the most likely nodes from the frontier, as long as they may lead to a target of the ranking."""
        worst = self.best[0][0] if len(self.best) == self.num else -math.inf
        for _ in range(NODES_AT_ONCE):
            if not self.frontier or -self.frontier[0][0] <= max(self.last_score, worst):
                return
            score, _, node = heapq.heappop(self.frontier)
            yield -score, node

    def ranking(self) -> list[tuple[float, int]]:
        """Return (score, target) from the most likely target on."""
        return [(score, -target) for score, target in sorted(self.best, reverse=True) if score >= self.last_score]


def _depth(entry: tuple[int, float, TrieNode]) -> int:
    return len(entry[2].prefix)
