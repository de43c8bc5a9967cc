"""A model that writes emoji, mixed with the training descriptions that look like the one at hand.

Half of an emoji's probability is the model's, half is that of its nearest training description: the model knows what
words mean, and spelling finds what it has seen once. Such a mixture is known as a nearest neighbour language model
(U. Khandelwal et al., "Generalization through Memorization", ICLR 2020). Share and temperature were chosen on a
validation split (docs/results.md).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from utils.emoji_decoding import Ranked
from utils.emoji_search import best
from utils.nearest_description import Descriptions

if TYPE_CHECKING:
    from utils.checkpoint import Trained
    from utils.store import Split

SHARE = 0.5
TEMPERATURE = 0.05  # of cosines
DEPTH = 50  # emoji of the model's that take part; what is less likely has none of its share


@dataclass(frozen=True)
class Memory:
    """The training descriptions, and what the model writes for their emoji."""

    descriptions: Descriptions
    texts: dict[str, str]  # by the emoji that they stand for


def to_remember(train: "Split") -> list[list[str]]:
    """What run.json keeps of the training descriptions: [description, emoji] each."""
    return [list(pair) for pair in zip(train.prompt, train.facts["emoji"], strict=True)]


def open_memory(run: Mapping[str, Any]) -> Memory | None:
    """That of a model by its run.json; None where it has none."""
    if not run.get("descriptions"):
        return None
    known, emoji = zip(*run["descriptions"], strict=True)
    return Memory(Descriptions(known, emoji), {target[1]: target[0] for target in run["targets"]})


def rank_with_memory(
    trained: "Trained",
    memory: Memory,
    descriptions: Sequence[str],
    num: int,
    *,
    bfloat16: bool = False,
    progress: str | None = None,
) -> tuple[list[list[Ranked]], list[list[Ranked]]]:
    """(The `num` likeliest emoji of the mixture, the model's own likeliest) for each description."""
    alone = best(trained, descriptions, max(num, DEPTH), bfloat16=bfloat16, progress=progress)
    near = [_probabilities(cosines) for cosines in memory.descriptions.cosines_by_emoji(descriptions)]
    return [_mixed(memory, *both)[:num] for both in zip(alone, near, strict=True)], alone


def _probabilities(cosines: Mapping[str, float]) -> dict[str, float]:
    highest = max(cosines.values(), default=0.0)
    powers = {emoji: math.exp((cosine - highest) / TEMPERATURE) for emoji, cosine in cosines.items()}
    total = sum(powers.values())
    return {emoji: power / total for emoji, power in powers.items()}


def _mixed(memory: Memory, alone: Sequence[Ranked], near: Mapping[str, float]) -> list[Ranked]:
    share = SHARE if near else 0.0  # no piece in common with any description
    found = {one.emoji: replace(one, probability=(1 - share) * one.probability) for one in alone}
    for emoji, probability in near.items():
        before = found[emoji].probability if emoji in found else 0.0
        found[emoji] = Ranked(memory.texts[emoji], emoji, before + share * probability, True)
    return sorted(found.values(), key=lambda one: -one.probability)
