"""What a classifier must beat: the majority class, and TF-IDF with logistic regression, trained in seconds."""

import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

from utils.errors import DataError
from utils.metrics.figures import FIGURES
from utils.processed import Split
from utils.terminal.progress import progress_bar
from utils.terminal.tables import with_interval

if TYPE_CHECKING:
    import numpy

INVERSE_REGULARIZATION = (0.1, 1.0, 10.0, 100.0)
CLASS_WEIGHTS = (None, "balanced")
DEFAULTS = (None, 1.0)  # scikit-learn's own, for data without a validation split
# scikit-learn's own words, plus emoji and other symbols, which it drops although they say a lot in reviews.
TOKEN = r"(?u)\b\w\w+\b|[^\w\s\u0000-\u206f]"


@dataclass(frozen=True)
class Baseline:
    """A baseline on the test texts: (texts, labels) float64 probabilities, and the predicted label index of each text.

    `settings` were chosen on the validation split; `train_seconds` includes that.
    """

    probabilities: "numpy.ndarray"
    predictions: list[int]
    settings: dict
    train_seconds: float


def majority_class(train: Split, test_texts: Sequence[str], labels: Sequence[str]) -> Baseline:
    """Predict the most frequent training label (of ties, the first in `labels`), with label shares as probabilities."""
    import numpy

    begin = time.perf_counter()
    counts = numpy.bincount(_label_indices(train, labels), minlength=len(labels))
    return Baseline(
        probabilities=numpy.tile(counts / counts.sum(), (len(test_texts), 1)),
        predictions=[int(counts.argmax())] * len(test_texts),
        settings={"label": labels[int(counts.argmax())]},
        train_seconds=time.perf_counter() - begin,
    )


def tfidf_logistic_regression(
    train: Split,
    validation: Split,
    test_texts: Sequence[str],
    labels: Sequence[str],
    threshold: str = "auto",
    seed: int = 0,
) -> Baseline:
    """Train logistic regression on the sublinear TF-IDF of words and word pairs of the train split.

    Its regularization and class weights are those with the highest macro F1 on the validation split and, of ties, the
    lowest log loss there. Then its temperature and threshold are fitted there, by the same code as a trained model's
    (`threshold` and `seed` are those of `fit_calibration`). It is deterministic. DataError if the train split has
    only one label, or no word.
    """
    from scipy.special import softmax

    from utils.training.calibration import fit_calibration

    begin = time.perf_counter()
    expected = _label_indices(train, labels)
    if len(set(expected)) < 2:
        raise DataError("the train split has rows of one label only", "preprocess rows of two labels or more")
    vectorizer, features = tfidf_vectorizer(train.prompt)
    model, settings = _fit_best(features, expected, vectorizer, validation, labels)
    logits = _log_probabilities(model, vectorizer, validation.prompt, labels)
    calibration = fit_calibration(logits, _label_indices(validation, labels), threshold, seed)
    seconds = time.perf_counter() - begin
    logits = _log_probabilities(model, vectorizer, test_texts, labels)
    probabilities = softmax(logits / calibration["temperature"], axis=1)
    cut = calibration["threshold"]
    predictions = probabilities.argmax(axis=1) if cut is None else (probabilities[:, 1] >= cut).astype(int)
    return Baseline(probabilities, predictions.tolist(), {**settings, **calibration}, seconds)


def tfidf_vectorizer(texts: Sequence[str]) -> tuple:
    """Return the vectorizer of words and word pairs fitted to texts, and what it makes of them.

    DataError if they have no word.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=TOKEN)
    try:
        return vectorizer, vectorizer.fit_transform(texts)
    except ValueError as error:  # scikit-learn: "empty vocabulary; perhaps the documents only contain stop words"
        raise DataError("the train split has no word of two letters and no emoji", "preprocess real texts") from error


def verdict(difference: dict, baseline: str) -> str:
    """Return whether the model is better than the baseline, figure by figure: "better in accuracy (…) than …".

    `difference` has figures of the model minus those of the baseline.
    """
    sides = {"better": [], "worse": [], "not clearly better": []}
    for name, figure in difference.items():
        above, below = ("better", "worse") if FIGURES[name].greater_is_better else ("worse", "better")
        side = above if figure["low"] > 0 else below if figure["high"] < 0 else "not clearly better"
        sides[side].append(f"{FIGURES[name].title} ({with_interval(figure, FIGURES[name].difference_pattern)})")
    parts = [f"{side} in {' and '.join(figures)}" for side, figures in sides.items() if figures]
    return f"{', '.join(parts)} than {baseline}"


def _fit_best(features, expected: list[int], vectorizer, validation: Split, labels: Sequence[str]):
    """Return (the fitted model that does best on the validation split, its settings)."""
    from sklearn.metrics import f1_score, log_loss

    if len(validation) == 0:
        class_weight, inverse = DEFAULTS
        settings = {"C": inverse, "class_weight": class_weight, "validation_macro_f1": None}
        return _fit(features, expected, class_weight, inverse), settings
    validation_features = vectorizer.transform(validation.prompt)
    validation_expected = _label_indices(validation, labels)
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


def _log_probabilities(model, vectorizer, texts: Sequence[str], labels: Sequence[str]) -> "numpy.ndarray":
    """The logits of the texts: (texts, labels); a label without training rows is next to impossible."""
    import numpy

    if not len(texts):
        return numpy.empty((0, len(labels)))
    probabilities = _predict(model, vectorizer.transform(texts), len(labels))
    return numpy.log(numpy.maximum(probabilities, numpy.finfo(numpy.float64).tiny))


def _label_indices(split: Split, labels: Sequence[str]) -> list[int]:
    index_of = {label: index for index, label in enumerate(labels)}
    return [index_of[label] for label in split.label]
