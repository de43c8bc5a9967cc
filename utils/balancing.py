"""Against unequal classes, in the training split alone: weights in the loss, rows repeated, texts varied."""

import random
from collections import Counter
from collections.abc import Sequence

from utils.errors import UsageError

KEPT, SHUFFLED = 0.7, 0.5  # measured for emoji (docs/results.md)
DROPPED = 0.1  # share of the words, as in Wei and Zou, "EDA" (EMNLP 2019, arXiv:1901.11196), for small data


def class_weights(wanted: str, labels: Sequence[str], names: Sequence[str]) -> list[float] | None:
    """A weight a class, 1 on average over the rows: "none", "balanced" (every class weighs the same) or "w0,w1,…".

    UsageError where there are not as many weights as classes, or one is no number above 0.
    """
    if wanted == "none":
        return None
    counts = Counter(labels)
    if wanted == "balanced":
        return [len(labels) / (len(names) * counts[name]) for name in names]
    try:
        weights = [float(part) for part in wanted.split(",")]
    except ValueError:
        weights = []
    if len(weights) != len(names) or not all(0 < weight < float("inf") for weight in weights):
        raise UsageError(
            f"--class_weights {wanted}: expected balanced, none, or {len(names)} numbers above 0",
            f"write one for each of {', '.join(names)}, in this order, with commas between",
        )
    mean = sum(weight * counts[name] for name, weight in zip(names, weights, strict=True)) / len(labels)
    return [weight / mean for weight in weights]


def training_texts(
    texts: Sequence[str], labels: Sequence[str], *, oversample: bool, augment: bool, seed: int
) -> tuple[list[str], list[str]]:
    """The texts to train on and their labels: all there are, and more.

    `oversample` repeats random texts of the smaller classes until all are as large as the largest. `augment` adds a
    varied copy of every text then there.
    """
    generator = random.Random(seed)
    rows = list(range(len(texts)))
    if oversample:
        counts = Counter(labels)
        for label in sorted(counts):
            members = [row for row in range(len(texts)) if labels[row] == label]
            missing = max(counts.values()) - len(members)
            whole, rest = divmod(missing, len(members))
            rows += members * whole + generator.sample(members, rest)
    all_texts, all_labels = [texts[row] for row in rows], [labels[row] for row in rows]
    if augment:
        all_texts += [varied(text, generator) for text in all_texts]
        all_labels += all_labels
    return all_texts, all_labels


def varied(text: str, generator: random.Random) -> str:
    """The text without a tenth of its words (one at least, if it has several), and with two neighbours exchanged."""
    words = text.split()
    if len(words) < 2:
        return text
    for _ in range(max(1, round(DROPPED * len(words)))):
        words.pop(generator.randrange(len(words)))
    if len(words) > 1:
        place = generator.randrange(len(words) - 1)
        words[place : place + 2] = reversed(words[place : place + 2])
    return " ".join(words)


def reworded(description: str, generator: random.Random) -> str:
    """Each word with a chance of 0.7 (one at least), half of the time in another order: how people shorten names."""
    words = description.split()
    kept = [word for word in words if generator.random() < KEPT] or [generator.choice(words)]
    if generator.random() < SHUFFLED:
        generator.shuffle(kept)
    return " ".join(kept)
