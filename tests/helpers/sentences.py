"""Texts that differ so much that no two of them are near duplicates."""

import random

_WORDS = (
    "amber basil cedar daisy ember fjord grove heron ivory jolly koala lemon mango nylon olive piano quilt raven "
    "sugar tulip umbra velvet walnut xenon yarrow zebra apple brick cloud dream eagle flute grape honey ideal"
)
WORDS = _WORDS.split()


def sentence(number: int, words: int = 7) -> str:
    """Return so many different words, which `number` decides."""
    return " ".join(random.Random(number).sample(WORDS, words))
