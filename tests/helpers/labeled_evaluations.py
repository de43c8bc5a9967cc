"""Evaluations of classifiers, as evaluate_model.py writes them, of probabilities that are drawn and not computed."""

import json
from collections.abc import Sequence

import numpy as np
from scipy.special import softmax

from utils.evaluation.baselines import verdict
from utils.evaluation.labels.points import classifier_points
from utils.evaluation.labels.texts import label_errors, outcomes
from utils.metrics.classification import Classification, classification_difference

TFIDF = "tfidf_logistic_regression"


def labeled_evaluation(
    labels: Sequence[str],
    texts: Sequence[str],
    *,
    given: Sequence[int] | None = None,
    threshold: float | None = 0.4,
    temperature: float = 1.6,
    seed: int = 0,
) -> dict:
    """Return the evaluation of a fair classifier; `given` are the numbers of the texts' labels."""
    generator, number = np.random.default_rng(seed), len(texts)
    logits = generator.normal(0, 2, (number, len(labels)))
    truth = np.array([generator.choice(len(labels), p=softmax(row)) for row in logits] if given is None else given)
    threshold = threshold if len(labels) == 2 else None
    models = {}
    for name, noise in (("tuned", 0.0), (TFIDF, 2.0), ("majority", 9.0)):
        shares = softmax((logits + noise * generator.normal(size=logits.shape)) / temperature, axis=1)
        cut = shares.argmax(axis=1) if threshold is None else (shares[:, 1] >= threshold).astype(int)
        models[name] = (cut, shares)
    metric, clusters = Classification(keep_in_memory=True), [f"text {row}" for row in range(number)]
    figures = {
        name: metric._compute(predictions, truth, shares, clusters, 0) for name, (predictions, shares) in models.items()
    }
    predictions, shares = models["tuned"]
    wrong = np.flatnonzero(predictions != truth)
    difference = classification_difference(truth, predictions, models[TFIDF][0], len(labels), clusters)
    evaluation = {
        "kind": "classify", "model_path": "models/mine", "base_model": "tiny", "data_path": "data.pkl",
        "data_sha256": "0" * 64, "split": "test", "seed": 0, "labels": list(labels), "threshold": threshold,
        "temperature": temperature, "max_length": 64, "texts": number, "truncated_texts": 0, "texts_left_out": 0,
        "tuned": figures["tuned"],
        "baselines": {name: {**figures[name], "train_seconds": 1.0} for name in (TFIDF, "majority")},
        "difference": difference,
        "mistakes": len(wrong),
        "most_confident_mistakes": [
            {
                "text": texts[row][:300], "label": labels[truth[row]], "prediction": labels[predictions[row]],
                "probability": float(shares[row, predictions[row]]),
                "words": [{"words": texts[row][:5], "start": 0, "drop": 0.25}],
            }
            for row in wrong[:10]
        ],
        "probable_label_errors": label_errors(texts, truth, labels, shares, models[TFIDF][1]),
        "verdict": verdict(difference, "TF-IDF"),
        "points": classifier_points(
            truth, {name: models[name] for name in ("tuned", TFIDF)}, labels,
            lengths=[len(text.split()) for text in texts], temperature=temperature, clusters=clusters, seed=0,
        ),
        "per_text": outcomes(list(range(number)), truth, predictions, shares, np.arange(number)),
    }  # fmt: skip
    return json.loads(json.dumps(evaluation, allow_nan=False))
