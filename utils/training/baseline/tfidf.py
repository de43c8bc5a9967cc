"""TF-IDF with logistic regression, whose settings the validation split chooses."""

import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING

from utils.errors import DataError
from utils.inference.baseline.stack import WordModel, new_vectorizer
from utils.processed import Split
from utils.terminal.progress import progress_bar

if TYPE_CHECKING:
    import numpy

INVERSE_REGULARIZATION = (0.1, 1.0, 10.0, 100.0)
CLASS_WEIGHTS = (None, "balanced")
DEFAULTS = (None, 1.0)  # scikit-learn's own, for data without a validation split
NEVER = -700.0  # the logit of a label without training rows: a probability next to 0


@dataclass(frozen=True)
class Baseline:
    """A baseline on the test texts: (texts, labels) float64 probabilities, and the predicted label index of each text.

    `settings` were chosen on the validation split; `train_seconds` includes that.
    """

    probabilities: "numpy.ndarray"
    predictions: list[int]
    settings: dict
    train_seconds: float


def fit_words(train: Split, validation: Split, labels: Sequence[str]) -> tuple[WordModel, dict]:
    """Fit logistic regression to the TF-IDF of the words and word pairs of the train split; return it and its settings.

    Its regularization and class weights are those with the highest macro F1 on the validation split and, of ties, the
    lowest log loss there. DataError if the train split has only one label, or no word.
    """
    import numpy

    expected = label_indices(train, labels)
    if len(set(expected)) < 2:
        raise DataError("the train split has rows of one label only", "preprocess rows of two labels or more")
    vectorizer, features = fit_vectorizer(train.prompt)
    model, settings = _fit_best(features, expected, vectorizer, validation, labels)
    weights, bias = model.coef_, model.intercept_
    if len(labels) > 2:
        by_class = weights if len(weights) > 1 else numpy.concatenate([-weights, weights]) / 2
        bias_by_class = bias if len(bias) > 1 else numpy.concatenate([-bias, bias]) / 2
        weights, bias = numpy.zeros((len(labels), weights.shape[1])), numpy.full(len(labels), NEVER)
        weights[model.classes_], bias[model.classes_] = by_class, bias_by_class
    return WordModel(vectorizer.get_feature_names_out().tolist(), vectorizer.idf_, weights, bias), settings


def tfidf_logistic_regression(
    train: Split,
    validation: Split,
    test_texts: Sequence[str],
    labels: Sequence[str],
    threshold: str = "auto",
) -> Baseline:
    """Train as `fit_words` does, with its errors, and predict the labels of the test texts.

    `threshold` is that of `fit_calibration`. The result is deterministic.
    """
    begin = time.perf_counter()
    words, settings = fit_words(train, validation, labels)
    seconds = time.perf_counter() - begin
    found = predict_words(words, validation, test_texts, labels, threshold)
    return replace(found, settings={**settings, **found.settings}, train_seconds=seconds + found.train_seconds)


def predict_words(
    words: WordModel, validation: Split, test_texts: Sequence[str], labels: Sequence[str], threshold: str
) -> Baseline:
    """Predict the labels of the test texts, with a temperature and a threshold by the same code as a trained model's.

    They are fitted on the validation split.
    """
    from scipy.special import softmax

    from utils.training.calibration import fit_calibration

    begin = time.perf_counter()
    logits = words.log_probabilities(validation.prompt)
    calibration = fit_calibration(logits, label_indices(validation, labels), threshold)
    seconds = time.perf_counter() - begin
    probabilities = softmax(words.log_probabilities(test_texts) / calibration["temperature"], axis=1)
    cut = calibration["threshold"]
    predictions = probabilities.argmax(axis=1) if cut is None else (probabilities[:, 1] >= cut).astype(int)
    return Baseline(probabilities, predictions.tolist(), calibration, seconds)


def fit_vectorizer(texts: Sequence[str]) -> tuple:
    """Return the vectorizer of words and word pairs fitted to texts, and their vectors.

    DataError if they have no word.
    """
    vectorizer = new_vectorizer()
    try:
        return vectorizer, vectorizer.fit_transform(texts)
    except ValueError as error:  # scikit-learn: "empty vocabulary; perhaps the documents only contain stop words"
        raise DataError("the train split has no word of two letters and no emoji", "preprocess real texts") from error


def _fit_best(features, expected: list[int], vectorizer, validation: Split, labels: Sequence[str]):
    """Return (the fitted model that does best on the validation split, its settings)."""
    from sklearn.metrics import f1_score, log_loss

    if len(validation) == 0:
        class_weight, inverse = DEFAULTS
        settings = {"C": inverse, "class_weight": class_weight, "validation_macro_f1": None}
        return _fit(features, expected, class_weight, inverse), settings
    validation_features = vectorizer.transform(validation.prompt)
    validation_expected = label_indices(validation, labels)
    best_rank, best = (-1.0, 0.0), None
    tried = list(product(CLASS_WEIGHTS, INVERSE_REGULARIZATION))
    with progress_bar("TF-IDF", len(tried), "settings") as bar:
        for class_weight, inverse in tried:
            model = _fit(features, expected, class_weight, inverse)
            probabilities = _predict(model, validation_features, len(labels))
            macro_f1 = f1_score(validation_expected, probabilities.argmax(axis=1), average="macro", zero_division=0)
            rank = (macro_f1, -log_loss(validation_expected, probabilities, labels=range(len(labels))))
            if rank > best_rank:
                best_rank = rank
                best = model, {"C": inverse, "class_weight": class_weight, "validation_macro_f1": float(macro_f1)}
            bar.update()
    return best


def _fit(features, expected: list[int], class_weight: str | None, inverse: float):
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    with warnings.catch_warnings():
        # A model that has not converged competes on the validation split like any other.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return LogisticRegression(C=inverse, class_weight=class_weight, max_iter=1000).fit(features, expected)


def _predict(model, features, labels: int) -> "numpy.ndarray":
    import numpy

    probabilities = numpy.zeros((features.shape[0], labels))  # a label without training rows keeps 0
    probabilities[:, model.classes_] = model.predict_proba(features)
    return probabilities


def label_indices(split: Split, labels: Sequence[str]) -> list[int]:
    index_of = {label: index for index, label in enumerate(labels)}
    return [index_of[label] for label in split.label]
