"""The scores of each class."""

from collections.abc import Hashable, Sequence

import numpy as np

from utils.metrics.classification import class_area
from utils.metrics.shares import class_intervals


def class_scores(
    predictions: np.ndarray,
    references: np.ndarray,
    probabilities: np.ndarray,
    clusters: Sequence[Hashable] | None = None,
) -> list[dict]:
    """Return for each class {"texts", "predicted", "precision", "recall", "f1", "roc_auc"}, in the order of classes.

    The last four are {"value", "low", "high"}, or None where they are undefined: the precision of a class that is never
    predicted, the recall of one that no text has, the F1 of one that is neither, the area of one that no or every text
    has. `probabilities` are (texts, classes).
    """
    classes = np.arange(probabilities.shape[1])
    predicted, true = (numbers[:, None] == classes for numbers in (predictions, references))
    both, either = predicted & true, predicted | true
    precision, recall, shares = (class_intervals(both, counted, clusters) for counted in (predicted, true, either))
    f1 = [{end: 2 * share / (1 + share) for end, share in one.items()} for one in shares]
    return [
        {
            "texts": int(true[:, number].sum()),
            "predicted": int(predicted[:, number].sum()),
            "precision": precision[number] if predicted[:, number].any() else None,
            "recall": recall[number] if true[:, number].any() else None,
            "f1": f1[number] if either[:, number].any() else None,
            "roc_auc": class_area(true[:, number], probabilities[:, number], clusters),
        }
        for number in classes
    ]
