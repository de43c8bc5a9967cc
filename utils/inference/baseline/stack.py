"""TF-IDF with logistic regression beside a classifier, whose probabilities are mixed with the classifier's own.

The mixture is the logarithmic pool of both, p ∝ p_model^a · p_words^b: C. Genest and J. Zidek, "Combining Probability
Distributions" (Statistical Science 1986). baseline.json holds words and numbers alone, so opening it runs no code.
"""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy

from utils.errors import UserError
from utils.models.load_errors import COPY_AGAIN
from utils.models.pt_file import read_text
from utils.models.run_file import BASELINE_FILE
from utils.system_errors import read_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sklearn.feature_extraction.text import TfidfVectorizer

# scikit-learn's own words, plus emoji and other symbols, which it drops although they say a lot in reviews.
TOKEN = r"(?u)\b\w\w+\b|[^\w\s\u0000-\u206f]"
DIGITS = 7  # of each number in baseline.json


def new_vectorizer(**options) -> "TfidfVectorizer":
    """Return a vectorizer for sublinear TF-IDF of words and word pairs."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=TOKEN, **options)


@dataclass(frozen=True)
class WordModel:
    """Logistic regression on TF-IDF: `terms` with their `idf`, `weights` (labels, terms) and `bias` (labels,).

    Of two labels, only the second has weights and a bias.
    """

    terms: list[str]
    idf: numpy.ndarray
    weights: numpy.ndarray
    bias: numpy.ndarray

    @cached_property
    def _vectorizer(self) -> "TfidfVectorizer":
        vectorizer = new_vectorizer(vocabulary=self.terms)
        vectorizer.idf_ = self.idf
        return vectorizer

    def log_probabilities(self, texts: "Sequence[str]") -> numpy.ndarray:
        """Return the logarithms of the probabilities of the labels: (texts, labels)."""
        from scipy.special import log_softmax

        if not len(texts):
            return numpy.empty((0, max(2, len(self.bias))))
        logits = self._vectorizer.transform(texts) @ self.weights.T + self.bias
        if logits.shape[1] == 1:
            logits = numpy.hstack([numpy.zeros_like(logits), logits])
        return log_softmax(logits, axis=1)

    def as_text(self) -> str:
        """Return the content of baseline.json."""
        numbers = {name: _rounded(getattr(self, name)) for name in ("idf", "weights", "bias")}
        return json.dumps({"terms": self.terms, **numbers}, ensure_ascii=False) + "\n"


@dataclass(frozen=True)
class Stack:
    """A mixture of a classifier's probabilities with those of its baseline: the exponent of each, and the threshold."""

    words: WordModel
    of_model: float
    of_words: float
    threshold: float | None

    def probabilities(self, own: numpy.ndarray, texts: "Sequence[str]") -> numpy.ndarray:
        """Return the probabilities (texts, labels) of cleaned texts from the logarithms of the classifier's `own`."""
        return pooled(own, self.words.log_probabilities(texts), self.of_model, self.of_words)


def pooled(own: numpy.ndarray, of_words: numpy.ndarray, own_exponent: float, words_exponent: float) -> numpy.ndarray:
    """Return the probabilities (texts, labels) of the pool of two models, from the logarithms of theirs."""
    from scipy.special import softmax

    return softmax(own_exponent * own + words_exponent * of_words, axis=1)


def open_stack(model_path: str, run: dict, labels: int) -> Stack | None:
    """Return the baseline to mix with the classifier at `model_path`, whose run.json is `run`; None without one.

    UserError where its baseline.json is missing or damaged.
    """
    record = run.get("baseline") or {}
    if not record.get("used"):
        return None
    path = Path(model_path).expanduser()
    try:
        in_file = path.suffix == ".pt"
        text = read_text(path, BASELINE_FILE) if in_file else read_file(path / BASELINE_FILE).decode("utf-8")
    except (OSError, ValueError) as error:
        raise UserError(f"{model_path} lacks its {BASELINE_FILE}, or it is damaged: {error}", COPY_AGAIN) from error
    words = read_words(text, f"{BASELINE_FILE} of {model_path}", labels)
    return Stack(words, record["exponents"]["model"], record["exponents"]["tfidf"], record["threshold"])


def read_words(text: str, name: str, labels: int) -> WordModel:
    """Return the model in the text of a baseline.json called `name`. UserError where it is not one of `labels`."""
    try:
        content = json.loads(text)
        terms = content["terms"]
        idf, weights, bias = (numpy.array(content[name], dtype=numpy.float64) for name in ("idf", "weights", "bias"))
    except (ValueError, LookupError, TypeError, OverflowError, RecursionError) as error:
        raise UserError(f"the {name} is damaged: {error}", COPY_AGAIN) from error
    rows = 1 if labels == 2 else labels
    whole = (
        isinstance(terms, list)
        and all(isinstance(term, str) for term in terms)
        and 0 < len(terms) == len(set(terms))
        and (idf.shape, weights.shape, bias.shape) == ((len(terms),), (rows, len(terms)), (rows,))
        and all(numpy.isfinite(numbers).all() for numbers in (idf, weights, bias))
    )
    if not whole:
        problem = f"the {name} is damaged: it needs different terms, and a finite number for each and each label"
        raise UserError(problem, COPY_AGAIN)
    return WordModel(terms, idf, weights, bias)


def _rounded(numbers: numpy.ndarray) -> list:
    if numbers.ndim > 1:
        return [_rounded(row) for row in numbers]
    return [float(f"{number:.{DIGITS}g}") for number in numbers]
