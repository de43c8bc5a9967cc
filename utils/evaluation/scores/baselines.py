"""Baselines of models that score texts: the mean score, and TF-IDF with ridge regression."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from utils.processed import Split
from utils.training.baseline.tfidf import fit_vectorizer

RIDGES = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
DEFAULT = 1.0  # scikit-learn's own, for data without a validation split


@dataclass(frozen=True)
class ScoreBaseline:
    """A baseline's scores of the test texts (texts,), the setting chosen on validation, and the time it took."""

    predictions: np.ndarray
    settings: dict
    train_seconds: float


def mean_score(train: Split, test_texts: Sequence[str]) -> ScoreBaseline:
    """Give every text the mean of the training scores."""
    began = time.perf_counter()
    mean = float(np.mean(train.label))
    return ScoreBaseline(np.full(len(test_texts), mean), {"score": mean}, time.perf_counter() - began)


def tfidf_ridge(train: Split, validation: Split, test_texts: Sequence[str]) -> ScoreBaseline:
    """Fit ridge regression to the sublinear TF-IDF of words and word pairs of the train split.

    Its strength is the one with the lowest mean squared error on the validation split. It is deterministic. DataError
    if the train split has no word.
    """
    from sklearn.linear_model import Ridge

    began = time.perf_counter()
    vectorizer, features = fit_vectorizer(train.prompt)
    errors, models = {}, {}
    for alpha in RIDGES if len(validation) else [DEFAULT]:
        models[alpha] = Ridge(alpha, solver="sparse_cg", random_state=0).fit(features, train.label)
        if len(validation):
            found = models[alpha].predict(vectorizer.transform(validation.prompt))
            errors[alpha] = float(((found - np.array(validation.label)) ** 2).mean())
    best = min(errors, key=errors.get) if errors else DEFAULT
    seconds = time.perf_counter() - began
    settings = {"alpha": best, "validation_rmse": errors[best] ** 0.5 if errors else None}
    return ScoreBaseline(models[best].predict(vectorizer.transform(test_texts)), settings, seconds)
