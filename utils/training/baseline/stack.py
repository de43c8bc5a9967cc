"""--with_baseline: TF-IDF with logistic regression, mixed with a classifier where that helps on validation."""

import logging
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy
from scipy.optimize import minimize
from scipy.special import log_softmax

from utils.errors import DataError
from utils.inference.baseline.stack import Stack, WordModel, pooled, read_words
from utils.models.run_file import BASELINE_FILE
from utils.processed import Split
from utils.training.baseline.tfidf import fit_words, label_indices
from utils.training.threshold import fit_threshold

log = logging.getLogger(__name__)
FOLDS = 5
FEWEST = 50  # validation texts, for "auto"
LARGEST_EXPONENT = 20.0


@dataclass(frozen=True)
class FittedWords:
    """The baseline of a classifier, as baseline.json has it, and its settings, chosen on the validation split."""

    words: WordModel
    settings: dict


def fit_baseline(train: Split, validation: Split, labels: Sequence[str]) -> FittedWords:
    """Train the baseline, as `fit_words` does."""
    words, settings = fit_words(train, validation, labels)
    return FittedWords(read_words(words.as_text(), BASELINE_FILE, len(labels)), settings)


def check_can_mix(path: Path, mode: str, validation: Split) -> None:
    """Raise DataError where "on" lacks the texts to fit the mixture to. `path` is that of the data."""
    if mode == "on" and len(set(validation.group)) < FOLDS:
        found = f"{path} has {len(validation)} validation texts"
        raise DataError(f"{found}, too few for --with_baseline on: it needs {FOLDS}", "preprocess more rows")


def choose_stack(
    fitted: FittedWords, logits: numpy.ndarray, validation: Split, labels: Sequence[str], flags: Namespace
) -> tuple[Stack | None, dict]:
    """Return (the mixture that --with_baseline requests, its record in run.json); None where there is to be none.

    `logits` (texts, labels) are the classifier's for the validation texts. With "auto", there is a mixture where it
    lowers their mean log loss by more than the standard error of that gain.
    """
    if flags.with_baseline == "auto" and len(validation) < FEWEST:
        log.info("the baseline is not mixed in: %d validation texts are too few to tell", len(validation))
        return None, {"used": False, "validation_texts": len(validation)}
    stack, record = _fit_stack(fitted, logits, validation, labels, flags.threshold)
    used = flags.with_baseline == "on" or record["gain"] > record["gain_error"]
    log.info(
        "the baseline is %s: out of fold on validation, it lowers the log loss by %.4f ± %.4f (standard error)",
        "mixed in" if used else "not mixed in",
        *(record["gain"], record["gain_error"]),
    )
    return (stack if used else None), {"used": used, **record}


def _fit_stack(
    fitted: FittedWords, logits: numpy.ndarray, validation: Split, labels: Sequence[str], threshold: str
) -> tuple[Stack, dict]:
    """Return (the mixture, its record).

    "gain" is by how much it lowers the log loss of a text on average, each by exponents that were fitted without its
    fold, and "gain_error" the standard error.
    """
    expected = numpy.array(label_indices(validation, labels))
    own, of_words = log_softmax(logits, axis=1), fitted.words.log_probabilities(validation.prompt)
    of_model, exponent = fit_exponents(own, of_words, expected)
    cut = None
    if len(labels) == 2:
        mixed = pooled(own, of_words, of_model, exponent)
        cut = fit_threshold(mixed[:, 1], expected) if threshold == "auto" else float(threshold)
    gains = _gains(own, of_words, expected, validation.group)
    record = {
        "exponents": {"model": of_model, "tfidf": exponent},
        "threshold": cut,
        "settings": fitted.settings,
        "validation_texts": len(expected),
        "gain": float(gains.mean()),
        "gain_error": float(gains.std(ddof=1) / len(gains) ** 0.5),
    }
    return Stack(fitted.words, of_model, exponent, cut), record


def fit_exponents(own: numpy.ndarray, of_words: numpy.ndarray, expected: numpy.ndarray) -> tuple[float, float]:
    """Return the exponents of a classifier's and of its baseline's probabilities with which the labels are likeliest.

    `own` and `of_words` are logarithms (texts, labels). As for a temperature alone (`calibration.fit_temperature`), the
    logarithm of the classifier's exponent has a standard normal prior; so has the baseline's exponent, from 0 on.
    """
    rows = numpy.arange(len(expected))

    def loss(parameters: numpy.ndarray) -> float:
        log_exponent, exponent = parameters
        mixed = log_softmax(numpy.exp(log_exponent) * own + exponent * of_words, axis=1)
        return float((log_exponent**2 + exponent**2) / 2 - mixed[rows, expected].sum())

    limit = numpy.log(LARGEST_EXPONENT)
    found = minimize(loss, (0.0, 0.1), bounds=((-limit, limit), (0.0, LARGEST_EXPONENT)), method="L-BFGS-B").x
    return float(numpy.exp(found[0])), float(found[1])


def _gains(
    own: numpy.ndarray, of_words: numpy.ndarray, expected: numpy.ndarray, groups: Sequence[str]
) -> numpy.ndarray:
    """Return for each text by how much the mixture lowers its log loss, with exponents of the other folds."""
    from sklearn.model_selection import GroupKFold

    nothing = numpy.zeros_like(of_words)
    gains = numpy.zeros(len(expected))
    folds = GroupKFold(FOLDS, shuffle=True, random_state=0)
    for others, part in folds.split(own, expected, groups):
        losses = []
        for words in (nothing, of_words):
            of_model, exponent = fit_exponents(own[others], words[others], expected[others])
            mixed = log_softmax(of_model * own[part] + exponent * words[part], axis=1)
            losses.append(-mixed[numpy.arange(len(part)), expected[part]])
        gains[part] = losses[0] - losses[1]
    return gains
