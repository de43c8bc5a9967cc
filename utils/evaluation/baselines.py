"""The simplest baseline of a classifier, the majority class, and the verdict on a model against a baseline."""

import time
from collections.abc import Sequence

from utils.metrics.figures import FIGURES
from utils.processed import Split
from utils.terminal.tables import with_interval
from utils.training.baseline.tfidf import Baseline, label_indices


def majority_class(train: Split, test_texts: Sequence[str], labels: Sequence[str]) -> Baseline:
    """Predict the most frequent training label (of ties, the first in `labels`), with label shares as probabilities."""
    import numpy

    begin = time.perf_counter()
    counts = numpy.bincount(label_indices(train, labels), minlength=len(labels))
    return Baseline(
        probabilities=numpy.tile(counts / counts.sum(), (len(test_texts), 1)),
        predictions=[int(counts.argmax())] * len(test_texts),
        settings={"label": labels[int(counts.argmax())]},
        train_seconds=time.perf_counter() - begin,
    )


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
