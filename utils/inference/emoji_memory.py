"""A model that writes emoji, mixed with the training descriptions most similar to the one at hand.

Half of an emoji's probability is the model's, and half comes from its most similar training description: the model
knows what words mean, and spelling finds what training has seen once. This is a nearest neighbor language model
(U. Khandelwal et al., "Generalization through Memorization", ICLR 2020). Share and temperature were chosen on a
validation split (docs/results.md).
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy

from utils.errors import DataError
from utils.inference.emoji_ranking import PROMPTS_AT_ONCE, RankedEmoji, rank_emoji
from utils.models.checkpoint import Trained
from utils.processed import Split

SHARE = 0.5
TEMPERATURE = 0.05  # of cosines
DEPTH = 50  # of the model's ranking: an emoji below has a probability of 0 there
NGRAM_RANGE = (2, 5)  # characters, within words
ROWS_AT_ONCE = 512


class DescriptionIndex:
    """Descriptions with their emoji, as TF-IDF vectors of character n-grams (scikit-learn's char_wb).

    DataError where no description has any n-gram.
    """

    def __init__(self, descriptions: Sequence[str], emoji: Sequence[str]):
        from sklearn.feature_extraction.text import TfidfVectorizer

        self._emoji = list(emoji)
        self._vectorizer = TfidfVectorizer(analyzer="char_wb", ngram_range=NGRAM_RANGE)
        try:
            self._vectors = self._vectorizer.fit_transform(descriptions)
        except ValueError as error:  # scikit-learn: "empty vocabulary; perhaps the documents only contain stop words"
            raise DataError("the train split has no descriptions to compare with", "preprocess more rows") from error

    def cosines_by_emoji(self, queries: Sequence[str]) -> Iterator[dict[str, float]]:
        """Yield, for each query, emoji → the cosine of its most similar description, the highest first.

        Among equals, the earlier description comes first. An emoji whose descriptions share no n-gram is left out.
        """
        for first in range(0, len(queries), ROWS_AT_ONCE):
            vectors = self._vectorizer.transform(queries[first : first + ROWS_AT_ONCE])
            for row in (vectors @ self._vectors.T).toarray():
                cosines: dict[str, float] = {}
                for index in numpy.argsort(-row, kind="stable")[: numpy.count_nonzero(row > 0)]:
                    cosines.setdefault(self._emoji[index], float(row[index]))
                yield cosines


@dataclass(frozen=True)
class EmojiMemory:
    """The training descriptions, and the target of each emoji."""

    descriptions: DescriptionIndex
    target_of: dict[str, str]


def nearest_emoji(
    descriptions: Sequence[str], emoji: Sequence[str], queries: Sequence[str], depth: int
) -> list[list[str]]:
    """Return the emoji of the `depth` training descriptions most similar to each query, each once, the best first."""
    return [list(cosines)[:depth] for cosines in DescriptionIndex(descriptions, emoji).cosines_by_emoji(queries)]


def memory_entries(train: Split) -> list[list[str]]:
    """Return what run.json keeps of the training descriptions: a list of [description, emoji]."""
    return [list(pair) for pair in zip(train.prompt, train.metadata["emoji"], strict=True)]


def open_memory(run: Mapping[str, Any]) -> EmojiMemory | None:
    """Return the memory that a model's run.json holds; None where it holds none."""
    if not run.get("descriptions"):
        return None
    descriptions, emoji = zip(*run["descriptions"], strict=True)
    return EmojiMemory(DescriptionIndex(descriptions, emoji), {target[1]: target[0] for target in run["targets"]})


def rank_with_memory(
    trained: Trained,
    memory: EmojiMemory,
    descriptions: Sequence[str],
    num: int,
    *,
    bfloat16: bool = False,
    batch_size: int = PROMPTS_AT_ONCE,
    progress: str | None = None,
) -> tuple[list[list[RankedEmoji]], list[list[RankedEmoji]]]:
    """Return (the `num` most likely emoji of the mixture, the model's own ranking) for each description."""
    own = rank_emoji(
        trained, descriptions, max(num, DEPTH), bfloat16=bfloat16, batch_size=batch_size, progress=progress
    )
    nearest = map(_softmax, memory.descriptions.cosines_by_emoji(descriptions))
    return [_mix(memory, *both)[:num] for both in zip(own, nearest, strict=True)], own


def _softmax(cosines: Mapping[str, float]) -> dict[str, float]:
    highest = max(cosines.values(), default=0.0)
    powers = {emoji: math.exp((cosine - highest) / TEMPERATURE) for emoji, cosine in cosines.items()}
    total = sum(powers.values())
    return {emoji: power / total for emoji, power in powers.items()}


def _mix(memory: EmojiMemory, own: Sequence[RankedEmoji], nearest: Mapping[str, float]) -> list[RankedEmoji]:
    """The mixture of the model's first DEPTH emoji with the nearest ones, and after it what else the model has.

    So an emoji has one probability, however many are asked for.
    """
    share = SHARE if nearest else 0.0  # no n-gram in common with any description
    mixed = {
        ranked.emoji: replace(ranked, probability=(1 - share) * ranked.probability)
        for place, ranked in enumerate(own)
        if place < DEPTH or ranked.emoji not in nearest
    }
    for emoji, probability in nearest.items():
        own_part = mixed[emoji].probability if emoji in mixed else 0.0
        mixed[emoji] = RankedEmoji(memory.target_of[emoji], emoji, own_part + share * probability, True)
    return sorted(mixed.values(), key=lambda ranked: -ranked.probability)
