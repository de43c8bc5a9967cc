"""Which training descriptions look like the one at hand, and their emoji: what a model that writes emoji must beat.

MERGED: A model that writes emoji, mixed with the training descriptions that look like the one at hand.

Half of an emoji's probability is the model's, half is that of its nearest training description: the model knows what
words mean, and spelling finds what it has seen once. Such a mixture is known as a nearest neighbour language model
(U. Khandelwal et al., "Generalization through Memorization", ICLR 2020). Share and temperature were chosen on a
validation split (docs/results.md).
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from utils.errors import DataError
from utils.inference.emoji_ranking import RankedEmoji, rank_emoji

if TYPE_CHECKING:
    from utils.models.checkpoint import Trained
    from utils.processed import Split

PIECES = (2, 5)  # characters, within words
ROWS_AT_ONCE = 512


class DescriptionIndex:
    """Known descriptions with their emoji, as TF-IDF vectors of pieces of words (scikit-learn's char_wb).

    DataError where no description has any piece.
    """

    def __init__(self, known: Sequence[str], emoji: Sequence[str]):
        from sklearn.feature_extraction.text import TfidfVectorizer

        self._emoji = list(emoji)
        self._vectorizer = TfidfVectorizer(analyzer="char_wb", ngram_range=PIECES)
        try:
            self._vectors = self._vectorizer.fit_transform(known)
        except ValueError as error:  # scikit-learn: "empty vocabulary; perhaps the documents only contain stop words"
            raise DataError("the train split has no descriptions to compare with", "preprocess more rows") from error

    def cosines_by_emoji(self, asked: Sequence[str]) -> Iterator[dict[str, float]]:
        """For each of `asked`, emoji → the cosine of its nearest description, the nearest first.

        Of equals, the earlier comes first. An emoji whose descriptions share no piece is left out.
        """
        import numpy

        for first in range(0, len(asked), ROWS_AT_ONCE):
            pieces = self._vectorizer.transform(asked[first : first + ROWS_AT_ONCE])
            for row in (pieces @ self._vectors.T).toarray():
                found: dict[str, float] = {}
                for place in numpy.argsort(-row, kind="stable")[: numpy.count_nonzero(row > 0)]:
                    found.setdefault(self._emoji[place], float(row[place]))
                yield found


def nearest_emoji(known: Sequence[str], emoji: Sequence[str], asked: Sequence[str], depth: int) -> list[list[str]]:
    """The emoji of the `depth` training descriptions nearest to each of `asked`, once each, the nearest first.

    Near is the cosine; see `Descriptions`. An emoji that no training description has is never named.
    """
    return [list(found)[:depth] for found in DescriptionIndex(known, emoji).cosines_by_emoji(asked)]


SHARE = 0.5
TEMPERATURE = 0.05  # of cosines
DEPTH = 50  # emoji of the model's that take part; what is less likely has none of its share


@dataclass(frozen=True)
class EmojiMemory:
    """The training descriptions, and what the model writes for their emoji."""

    descriptions: DescriptionIndex
    texts: dict[str, str]  # by the emoji that they stand for


def memory_entries(train: "Split") -> list[list[str]]:
    """What run.json keeps of the training descriptions: [description, emoji] each."""
    return [list(pair) for pair in zip(train.prompt, train.metadata["emoji"], strict=True)]


def open_memory(run: Mapping[str, Any]) -> EmojiMemory | None:
    """That of a model by its run.json; None where it has none."""
    if not run.get("descriptions"):
        return None
    known, emoji = zip(*run["descriptions"], strict=True)
    return EmojiMemory(DescriptionIndex(known, emoji), {target[1]: target[0] for target in run["targets"]})


def rank_with_memory(
    trained: "Trained",
    memory: EmojiMemory,
    descriptions: Sequence[str],
    num: int,
    *,
    bfloat16: bool = False,
    progress: str | None = None,
) -> tuple[list[list[RankedEmoji]], list[list[RankedEmoji]]]:
    """(The `num` likeliest emoji of the mixture, the model's own likeliest) for each description."""
    alone = rank_emoji(trained, descriptions, max(num, DEPTH), bfloat16=bfloat16, progress=progress)
    near = [_probabilities(cosines) for cosines in memory.descriptions.cosines_by_emoji(descriptions)]
    return [_mixed(memory, *both)[:num] for both in zip(alone, near, strict=True)], alone


def _probabilities(cosines: Mapping[str, float]) -> dict[str, float]:
    highest = max(cosines.values(), default=0.0)
    powers = {emoji: math.exp((cosine - highest) / TEMPERATURE) for emoji, cosine in cosines.items()}
    total = sum(powers.values())
    return {emoji: power / total for emoji, power in powers.items()}


def _mixed(memory: EmojiMemory, alone: Sequence[RankedEmoji], near: Mapping[str, float]) -> list[RankedEmoji]:
    share = SHARE if near else 0.0  # no piece in common with any description
    found = {one.emoji: replace(one, probability=(1 - share) * one.probability) for one in alone}
    for emoji, probability in near.items():
        before = found[emoji].probability if emoji in found else 0.0
        found[emoji] = RankedEmoji(memory.texts[emoji], emoji, before + share * probability, True)
    return sorted(found.values(), key=lambda one: -one.probability)
