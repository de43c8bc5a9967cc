"""Texts that were probably given a wrong label, by confident learning."""

from collections.abc import Sequence

import numpy as np


def probable_label_errors(references: np.ndarray, probabilities: Sequence[np.ndarray]) -> list[tuple[int, int]]:
    """Return (text, class that it probably belongs to) where all models contradict the given class with confidence.

    That is the confident joint of C. Northcutt et al. ("Confident Learning: Estimating Uncertainty in Dataset Labels",
    2021, arXiv:1911.00068). A model is confident that a text belongs to a class where its probability is at least the
    mean one of the class among texts that were given this class; of several such classes, the most probable one counts.
    All models must be confident of the same other class, and find it more probable than the given one. The texts to
    which they give the given class the least probability on average come first.

    `references` are the given classes of texts that no model was trained on, `probabilities` (texts, classes) are one
    array for each model.
    """
    votes = np.stack([_confident_classes(references, each) for each in probabilities])
    texts = np.arange(len(references))
    more_probable = [each[texts, votes[0]] > each[texts, references] for each in probabilities]
    found = np.flatnonzero(
        (votes == votes[0]).all(axis=0) & (votes[0] >= 0) & (votes[0] != references) & np.all(more_probable, axis=0)
    )
    given = np.mean([each[found, references[found]] for each in probabilities], axis=0)
    return [(int(text), int(votes[0, text])) for text in found[np.argsort(given, kind="stable")]]


def _confident_classes(references: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """The class that the model is confident that each text belongs to, or -1."""
    limits = np.full(probabilities.shape[1], np.inf)
    for number in np.unique(references):
        limits[number] = probabilities[references == number, number].mean()
    confident = np.where(probabilities >= limits, probabilities, -1.0)
    return np.where(confident.max(axis=1) >= 0, confident.argmax(axis=1), -1)
