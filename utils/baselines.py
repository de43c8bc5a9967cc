"""What a trained classifier must beat: the majority class, and TF-IDF with logistic regression, made in seconds."""

import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from utils.errors import DataError

if TYPE_CHECKING:
    import numpy

    from utils.store import Split

INVERSE_REGULARISATION = (0.1, 1.0, 10.0, 100.0)
CLASS_WEIGHTS = (None, "balanced")
UNCHOSEN = (1.0, None)  # scikit-learn's own defaults, where no validation split can choose
# scikit-learn's own words, and beyond them emoji and other symbols, which it drops and which say a lot in reviews.
TOKEN = r"(?u)\b\w\w+\b|[^\w\s\u0000-\u206f]"


@dataclass(frozen=True)
class Baseline:
    """A baseline's answers on the test texts: (texts, labels) float64 probabilities, and the label number of each text.

    `settings` were chosen on the validation split, which `train_seconds` includes.
    """

    probabilities: "numpy.ndarray"
    predictions: list[int]
    settings: dict
    train_seconds: float


def majority_class(train: "Split", test_texts: Sequence[str], labels: Sequence[str]) -> Baseline:
    """The label that most training rows have (the first of `labels` in a draw), with their shares as probabilities."""
    import numpy

    begin = time.perf_counter()
    counts = numpy.bincount(_numbers(train, labels), minlength=len(labels))
    return Baseline(
        probabilities=numpy.tile(counts / counts.sum(), (len(test_texts), 1)),
        predictions=[int(counts.argmax())] * len(test_texts),
        settings={"label": labels[int(counts.argmax())]},
        train_seconds=time.perf_counter() - begin,
    )


def tfidf_logistic_regression(
    train: "Split", validation: "Split", test_texts: Sequence[str], labels: Sequence[str]
) -> Baseline:
    """Logistic regression on the TF-IDF (sublinear) of words and pairs of words, trained on the train split.

    Its regularisation and class weights are those with the best macro F1 on the validation split and, of equals, with
    the least log loss there. It is deterministic. DataError where the train split has one label only, or no word.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    begin = time.perf_counter()
    numbers = _numbers(train, labels)
    if len(set(numbers)) < 2:
        raise DataError("the train split has rows of one label only", "preprocess rows of two labels or more")
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=TOKEN)
    try:
        features = vectorizer.fit_transform(train.prompt)
    except ValueError as error:  # scikit-learn: "empty vocabulary; perhaps the documents only contain stop words"
        raise DataError("the train split has no word of two letters and no emoji", "preprocess real texts") from error
    model, settings = _chosen(features, numbers, vectorizer, validation, labels)
    seconds = time.perf_counter() - begin
    probabilities = _probabilities(model, vectorizer.transform(test_texts), len(labels))
    return Baseline(probabilities, probabilities.argmax(axis=1).tolist(), settings, seconds)


def _chosen(features, numbers: list[int], vectorizer, validation: "Split", labels: Sequence[str]):
    """The fitted model that does best on the validation split, and its settings."""
    from sklearn.metrics import f1_score, log_loss

    if len(validation) == 0:
        inverse, weights = UNCHOSEN
        settings = {"C": inverse, "class_weight": weights, "validation_macro_f1": None}
        return _fitted(features, numbers, inverse, weights), settings
    validation_features = vectorizer.transform(validation.prompt)
    expected = _numbers(validation, labels)
    best_rank, best = (-1.0, 0.0), None
    for weights in CLASS_WEIGHTS:
        for inverse in INVERSE_REGULARISATION:
            model = _fitted(features, numbers, inverse, weights)
            probabilities = _probabilities(model, validation_features, len(labels))
            score = float(f1_score(expected, probabilities.argmax(axis=1), average="macro", zero_division=0))
            rank = (score, -log_loss(expected, probabilities, labels=range(len(labels))))
            if rank > best_rank:
                best_rank = rank
                best = model, {"C": inverse, "class_weight": weights, "validation_macro_f1": score}
    return best


def _fitted(features, numbers: list[int], inverse: float, weights: str | None):
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    with warnings.catch_warnings():
        # A model that has not converged is judged on the validation split as it is, like any other.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return LogisticRegression(C=inverse, class_weight=weights, max_iter=1000).fit(features, numbers)


def _probabilities(model, features, labels: int) -> "numpy.ndarray":
    import numpy

    probabilities = numpy.zeros((features.shape[0], labels))  # a label that no training row has stays at 0
    probabilities[:, model.classes_] = model.predict_proba(features)
    return probabilities


def _numbers(split: "Split", labels: Sequence[str]) -> list[int]:
    number = {label: index for index, label in enumerate(labels)}
    return [number[label] for label in split.label]
