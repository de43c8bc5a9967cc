"""Texts whose given label is probably wrong, by confident learning."""

from collections.abc import Sequence

import numpy as np

MORE_LIKELY_THAN_NOT = 0.5


def probable_label_errors(
    references: np.ndarray, probabilities: Sequence[np.ndarray]
) -> tuple[list[tuple[int, int]], int]:
    """Return ([(text, class that it probably belongs to), …], of how many texts all models are confident).

    That is the confident joint of C. Northcutt et al. ("Confident Learning: Estimating Uncertainty in Dataset Labels",
    2021, arXiv:1911.00068). A model is confident that a text belongs to a class where its probability is at least the
    mean one of the class among texts that were given this class; of several such classes, the most probable one counts.
    Here it must also be more likely than not, since the mean of a poor model says little, and all models must be
    confident of the same class. Texts that were given another class are returned, those first to which the models
    give their class the least probability on average.

    `references` are the given classes of texts that no model was trained on, `probabilities` (texts, classes) are one
    array for each model.
    """
    votes = np.stack([_confident_classes(references, each) for each in probabilities])
    confident = (votes == votes[0]).all(axis=0) & (votes[0] >= 0)
    found = np.flatnonzero(confident & (votes[0] != references))
    given = np.mean([each[found, references[found]] for each in probabilities], axis=0)
    errors = [(int(text), int(votes[0, text])) for text in found[np.argsort(given, kind="stable")]]
    return errors, int(confident.sum())


def _confident_classes(references: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """The class that the model is confident that each text belongs to, or -1."""
    limits = np.full(probabilities.shape[1], np.inf)
    for number in np.unique(references):
        limits[number] = max(MORE_LIKELY_THAN_NOT, probabilities[references == number, number].mean())
    confident = np.where(probabilities >= limits, probabilities, -1.0)
    return np.where(confident.max(axis=1) >= 0, confident.argmax(axis=1), -1)
