"""The mixture with a classifier: the probabilities of scikit-learn's own models, and damaged files."""

import json
import os

import numpy
import pytest
from running import user_error
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from utils.inference.baseline.stack import WordModel, open_stack, pooled, read_words

TEXTS = ["good soup", "bad soup", "so good", "so bad", "fine soup 😀", "what a bad, bad day", "good day", "no soup"]
LABELS = {2: [1, 0, 1, 0, 1, 0, 1, 0], 3: [1, 0, 1, 0, 1, 0, 2, 2]}


def fitted(labels: int) -> tuple[WordModel, numpy.ndarray]:
    """A model of words made of scikit-learn's, and the probabilities that scikit-learn gives the texts."""
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"(?u)\b\w\w+\b|[^\w\s\0-\u206f]")
    features = vectorizer.fit_transform(TEXTS)
    model = LogisticRegression(C=10).fit(features, LABELS[labels])
    words = WordModel(vectorizer.get_feature_names_out().tolist(), vectorizer.idf_, model.coef_, model.intercept_)
    return words, model.predict_proba(features)


@pytest.mark.parametrize("labels", [2, 3])
def test_the_probabilities_are_those_of_scikit_learn_also_after_reading_them_again(labels):
    words, expected = fitted(labels)
    assert numpy.exp(words.log_probabilities(TEXTS)) == pytest.approx(expected, abs=1e-12)
    again = read_words(words.as_text(), "baseline.json", labels)
    assert numpy.exp(again.log_probabilities(TEXTS)) == pytest.approx(expected, abs=1e-6)
    assert again.as_text() == words.as_text()
    assert again.log_probabilities([]).shape == (0, labels)


def test_a_mixture_of_one_alone_is_that_one():
    own, words = numpy.log([[0.9, 0.1], [0.4, 0.6]]), numpy.log([[0.2, 0.8], [0.3, 0.7]])
    assert pooled(own, words, 1, 0) == pytest.approx(numpy.exp(own))
    assert pooled(own, words, 0, 1) == pytest.approx(numpy.exp(words))
    odds = (0.9 / 0.1) ** 0.5 * (0.2 / 0.8) ** 2
    assert pooled(own, words, 0.5, 2)[0, 0] == pytest.approx(odds / (1 + odds))


DAMAGED = {
    "no JSON": lambda content: "terms",
    "no object": lambda content: "[]",
    "deep": lambda content: "[" * 100_000,
    "no terms": lambda content: json.dumps({**content, "terms": None}),
    "terms that are no texts": lambda content: json.dumps({**content, "terms": [1] * len(content["terms"])}),
    "a term twice": lambda content: json.dumps({**content, "terms": content["terms"][:-1] + content["terms"][:1]}),
    "a number too few": lambda content: json.dumps({**content, "idf": content["idf"][1:]}),
    "not a number": lambda content: json.dumps({**content, "bias": [float("nan")]}),
    "a huge number": lambda content: json.dumps(content).replace('"bias": [', '"bias": [1' + "0" * 400 + ", "),
    "other labels": lambda content: json.dumps({**content, "weights": content["weights"] * 3, "bias": [0, 0, 0]}),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_file_is_an_error(tmp_path, damage):
    content = json.loads(fitted(2)[0].as_text())
    (tmp_path / "baseline.json").write_text(DAMAGED[damage](content))
    record = {"used": True, "exponents": {"model": 1, "tfidf": 1}, "threshold": 0.5}
    error = user_error(open_stack, str(tmp_path), {"baseline": record}, 2)
    assert f"baseline.json of {tmp_path} is damaged" in error.problem
    assert "copy" in error.hint


def test_a_pipe_is_an_error_and_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "baseline.json")
    record = {"used": True, "exponents": {"model": 1, "tfidf": 1}, "threshold": 0.5}
    assert "not a file" in user_error(open_stack, str(tmp_path), {"baseline": record}, 2).problem


def test_a_missing_file_is_an_error(tmp_path):
    record = {"used": True, "exponents": {"model": 1, "tfidf": 1}, "threshold": 0.5}
    assert "lacks its baseline.json" in user_error(open_stack, str(tmp_path), {"baseline": record}, 2).problem
    assert open_stack(str(tmp_path), {"baseline": {"used": False}}, 2) is None
    assert open_stack(str(tmp_path), {}, 2) is None
