"""Skin tones in training: five rows with one for each row without would teach that a person always has one."""

import random
from collections.abc import Sequence

from utils.emoji_tables.concepts import TONES


def without_most_tones(emoji: Sequence[str], seed: int) -> list[int]:
    """The numbers of the rows to train on: all without a skin tone, and a fifth of the others, drawn with `seed`;
    all of them where there is nothing else.

    An emoji and its tone are tokens of their own, so that a model learns them apart (docs/results.md).
    """
    toned = [row for row, one in enumerate(emoji) if any(ord(character) in TONES for character in one)]
    if len(toned) == len(emoji):
        return list(range(len(emoji)))
    left_out = set(random.Random(seed).sample(toned, len(toned) - len(toned) // 5))
    return [row for row in range(len(emoji)) if row not in left_out]
