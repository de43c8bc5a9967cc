"""A classifier's test texts that are worth reading: confident mistakes, and labels that are probably wrong."""

from collections.abc import Sequence
from itertools import zip_longest

import numpy as np

from utils.evaluation.labels.telling_words import PIECES, telling_words
from utils.inference.classifier import Classifier
from utils.metrics.labels.label_errors import probable_label_errors
from utils.terminal.tables import one_line

SHOWN = 10  # of each
LEAST_ASKED, SHARE_ASKED = 3, 0.2  # mistakes whose words are left out; of the classifications that the test texts take
WIDTH = 300  # characters of a text
METHOD = (
    "confident learning (Northcutt et al. 2021): the model and TF-IDF + logistic regression, neither of which was "
    "trained on these texts, are both confident of the same other label"
)


def confident_mistakes(classifier: Classifier, mistakes: list[dict], tested: int, *, bfloat16: bool) -> list[dict]:
    """Return the most confident mistakes, each with the "words" that spoke for the wrong label (`telling_words`).

    Of few `tested` texts, only the first ones have words: to leave words out must not take long beside the evaluation.
    """
    shown = mistakes[:SHOWN]
    if not shown:
        return []
    asked = shown[: max(LEAST_ASKED, int(SHARE_ASKED * tested) // (PIECES + 1))]
    texts = [mistake["text"] for mistake in asked]
    predicted = [classifier.labels.index(mistake["prediction"]) for mistake in asked]
    words = telling_words(classifier, texts, predicted, bfloat16=bfloat16, progress="leaving words out")
    return [
        {"text": one_line(mistake["text"], WIDTH)}
        | {name: mistake[name] for name in ("label", "prediction", "probability")}
        | ({"words": telling} if telling is not None else {})
        for mistake, telling in zip_longest(shown, words)
    ]


def label_errors(
    texts: Sequence[str],
    references: np.ndarray,
    labels: Sequence[str],
    probabilities: np.ndarray,
    of_baseline: np.ndarray,
) -> dict:
    """Return {"method", "confident_texts", "texts": how many of them probably have a wrong label, "shown"}."""
    found, confident = probable_label_errors(references, [probabilities, of_baseline])
    return {
        "method": METHOD,
        "confident_texts": confident,
        "texts": len(found),
        "shown": [
            {
                "text": one_line(texts[row], WIDTH),
                "label": labels[references[row]],
                "probable_label": labels[probable],
                "probability": float(probabilities[row, probable]),
                "baseline_probability": float(of_baseline[row, probable]),
            }
            for row, probable in found[:SHOWN]
        ],
    }


def outcomes(
    rows: Sequence[int],
    references: np.ndarray,
    predictions: np.ndarray,
    probabilities: np.ndarray,
    clusters: np.ndarray,
) -> dict[str, list]:
    """Return a list per quantity with a value for each text, for paired comparison with another model.

    "row" of the test split, "label" and "prediction" (numbers), "probability" of the second of two labels or, of more,
    of the prediction, "correct" (0 or 1), and "cluster" (a number).
    """
    asked = np.ones(len(predictions), dtype=int) if probabilities.shape[1] == 2 else predictions
    return {
        "row": rows,
        "label": references.tolist(),
        "prediction": predictions.tolist(),
        "probability": [round(float(each), 6) for each in probabilities[np.arange(len(asked)), asked]],
        "correct": (predictions == references).astype(int).tolist(),
        "cluster": clusters.tolist(),
    }
