"""A model that writes emoji, mixed with the training descriptions most similar to the one at hand.

Half of an emoji's probability is the model's, and half comes from its most similar training description and that of its
concept: the model knows what words mean, and spelling finds what training has seen once, also where it has seen it of
another skin tone or gender. This is a nearest neighbor language model (U. Khandelwal et al.,
"Generalization through Memorization", ICLR 2020). The numbers were chosen on validation splits (docs/results.md).
"""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy

from utils.errors import DataError
from utils.inference.emoji_ranking import PROMPTS_AT_ONCE, RankedEmoji, rank_emoji
from utils.models.checkpoint import Trained
from utils.preprocessing.emoji.unicode import concept_of, has_skin_tone
from utils.processed import Split

SHARE = 0.5
TEMPERATURE = 0.05  # of cosines
DEPTH = 50  # of the model's ranking: an emoji below has a probability of 0 there
NGRAM_RANGE = (2, 5)  # characters, within words
ROWS_AT_ONCE = 512
CONCEPT_WEIGHT = 2 / 3  # in the mean of the cosines of an emoji and of its concept
UNASKED_SKIN_TONE = 0.001  # of the weight that an emoji has where its description has one of the words for skin tones
# A word is for skin tones if it is in this share of their descriptions or more, and this share of it is there.
IN_TONED, OF_TONED = 0.1, 0.9


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

    pairs: Sequence[tuple[str, str]]  # description, emoji
    target_of: dict[str, str]

    @cached_property
    def descriptions(self) -> DescriptionIndex:
        return DescriptionIndex(*zip(*self.pairs, strict=True))

    @cached_property
    def concepts(self) -> dict[str, str]:
        """The concept of each emoji that has a description."""
        return {emoji: concept_of(emoji) for emoji in dict.fromkeys(emoji for _, emoji in self.pairs)}

    @cached_property
    def members(self) -> dict[str, list[str]]:
        """The emoji of each concept."""
        members = defaultdict(list)
        for emoji, concept in self.concepts.items():
            members[concept].append(emoji)
        return members

    @cached_property
    def words_for_skin_tones(self) -> set[str]:
        """The words that are in many descriptions of emoji with a skin tone and in next to no others."""
        toned, everywhere, number = Counter(), Counter(), 0
        for description, emoji in self.pairs:
            words = _words(description)
            everywhere.update(words)
            if has_skin_tone(emoji):
                toned.update(words)
                number += 1
        return {
            word for word, count in toned.items() if count >= IN_TONED * number and count >= OF_TONED * everywhere[word]
        }

    def probabilities(self, queries: Sequence[str]) -> Iterator[dict[str, float]]:
        """Yield, for each query, emoji → its probability by the descriptions alone; {} without an n-gram in common."""
        for query, cosines in zip(queries, self.descriptions.cosines_by_emoji(queries), strict=True):
            best: dict[str, float] = {}
            for emoji, cosine in cosines.items():
                best.setdefault(self.concepts[emoji], cosine)
            scores = {
                emoji: (CONCEPT_WEIGHT * cosine + (1 - CONCEPT_WEIGHT) * cosines.get(emoji, 0.0)) / TEMPERATURE
                for concept, cosine in best.items()
                for emoji in self.members[concept]
            }
            if self.words_for_skin_tones and not self.words_for_skin_tones & _words(query):
                unasked = math.log(UNASKED_SKIN_TONE)
                scores = {emoji: score + unasked * has_skin_tone(emoji) for emoji, score in scores.items()}
            yield _softmax(scores)


def nearest_emoji(
    descriptions: Sequence[str], emoji: Sequence[str], queries: Sequence[str], depth: int
) -> list[list[str]]:
    """Return the emoji of the `depth` training descriptions most similar to each query, each once, the best first."""
    return [list(cosines)[:depth] for cosines in DescriptionIndex(descriptions, emoji).cosines_by_emoji(queries)]


def memory_entries(train: Split) -> list[list[str]]:
    """Return the training descriptions for run.json: a list of [description, emoji]."""
    return [list(pair) for pair in zip(train.prompt, train.metadata["emoji"], strict=True)]


def open_memory(run: Mapping[str, Any]) -> EmojiMemory | None:
    """Return the memory that a model's run.json holds; None where it holds none."""
    if not run.get("descriptions"):
        return None
    pairs = [(description, emoji) for description, emoji in run["descriptions"]]
    return EmojiMemory(pairs, {target[1]: target[0] for target in run["targets"]})


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
    nearest = memory.probabilities(descriptions)
    return [_mix(memory, *both)[:num] for both in zip(own, nearest, strict=True)], own


def _words(description: str) -> set[str]:
    return set(re.findall(r"\w+", description.casefold()))


def _softmax(scores: Mapping[str, float]) -> dict[str, float]:
    highest = max(scores.values(), default=0.0)
    powers = {emoji: math.exp(score - highest) for emoji, score in scores.items()}
    total = sum(powers.values())
    return {emoji: power / total for emoji, power in powers.items()}


def _mix(memory: EmojiMemory, own: Sequence[RankedEmoji], nearest: Mapping[str, float]) -> list[RankedEmoji]:
    """The mixture of the model's first DEPTH emoji with the nearest ones, followed by the model's others.

    So an emoji has one probability, however many are requested.
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
