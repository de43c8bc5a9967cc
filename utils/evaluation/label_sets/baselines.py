"""Baselines of multi-label classifiers: the most frequent labels, and TF-IDF with one regression per label."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from utils.processed import Split
from utils.tasks.label_kinds.label_sets import LABEL_SETS
from utils.training.baseline.tfidf import fit_vectorizer
from utils.training.labels.label_sets import fit_label_thresholds

INVERSE_REGULARIZATION = (1.0, 10.0, 100.0)
DEFAULT = 1.0  # scikit-learn's own, for data without a validation split


@dataclass(frozen=True)
class LabelSetBaseline:
    """A baseline's labels of the test texts (texts, labels), the setting chosen on validation, and the time it took."""

    predictions: np.ndarray
    settings: dict
    train_seconds: float


def label_matrix(split: Split, names: Sequence[str]) -> np.ndarray:
    """Return which labels the texts of a split have: (texts, labels)."""
    return np.array(LABEL_SETS.targets(split.label, names, ()), dtype=bool).reshape(len(split), len(names))


def most_frequent_set(train: Split, test_texts: Sequence[str], names: Sequence[str]) -> LabelSetBaseline:
    """Give every text the labels that most training texts have."""
    began = time.perf_counter()
    ((frequent, _),) = Counter(train.label).most_common(1)
    row = np.array([name in frequent for name in names])
    return LabelSetBaseline(np.tile(row, (len(test_texts), 1)), {"labels": list(frequent)}, time.perf_counter() - began)


def tfidf_one_vs_rest(
    train: Split, validation: Split, test_texts: Sequence[str], names: Sequence[str]
) -> LabelSetBaseline:
    """Fit a logistic regression for each label to the sublinear TF-IDF of words and word pairs of the train split.

    Their regularization is the one with the highest macro F1 on the validation split, where a threshold for each label
    is fitted as for a trained model. DataError if the train split has no word.
    """
    from sklearn.metrics import f1_score

    began = time.perf_counter()
    vectorizer, features = fit_vectorizer(train.prompt)
    expected, held_out = label_matrix(train, names), label_matrix(validation, names)
    found = {}
    for inverse in INVERSE_REGULARIZATION if len(validation) else [DEFAULT]:
        models = [_fitted(features, has, inverse) for has in expected.T]
        thresholds, macro_f1 = [0.5] * len(names), None
        if len(validation):
            probabilities = _probabilities(models, vectorizer.transform(validation.prompt))
            thresholds = fit_label_thresholds(probabilities, held_out)
            macro_f1 = float(f1_score(held_out, probabilities >= thresholds, average="macro", zero_division=0))
        found[inverse] = models, thresholds, macro_f1
    best = max(found, key=lambda inverse: found[inverse][2] or 0.0)
    models, thresholds, macro_f1 = found[best]
    seconds = time.perf_counter() - began
    predictions = _probabilities(models, vectorizer.transform(test_texts)) >= thresholds
    return LabelSetBaseline(
        predictions, {"C": best, "validation_macro_f1": macro_f1, "thresholds": thresholds}, seconds
    )


def _fitted(features, has: np.ndarray, inverse: float):
    """Return the regression of one label; its share of the texts where all or none of them have it."""
    from sklearn.linear_model import LogisticRegression

    if has.all() or not has.any():
        return float(has.mean())
    return LogisticRegression(C=inverse, class_weight="balanced", max_iter=1000).fit(features, has)


def _probabilities(models: Sequence, features) -> np.ndarray:
    """Return the probability of each label of each text: (texts, labels)."""
    columns = [
        np.full(features.shape[0], model) if isinstance(model, float) else model.predict_proba(features)[:, 1]
        for model in models
    ]
    return np.stack(columns, axis=1)
