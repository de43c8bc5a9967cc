"""Metrics of rankings: top-1 and top-5 accuracy and mean reciprocal rank, with intervals."""

from collections.abc import Sequence

import datasets
import evaluate
import numpy as np

from utils.metrics.shares import share_interval

RANKING_DEPTH = 50


class Ranking(evaluate.Metric):
    """Top-1 and top-5: the share of rows with a right answer in first place, and among the first five.

    The mean reciprocal rank is the mean of 1 / place of the first right answer (Voorhees 1999, "The TREC-8 Question
    Answering Track Report"), and 0 for rows where none of the first `depth` answers is right. The intervals are
    Wilson's, over clusters of rows, which are right or wrong together (see `share_interval`).

    Args:
        predictions: the answers to each row, the best first; they may end after the first right one.
        references: the right answers to each row, in any order.
        clusters: the cluster of each row; without it, every row is its own.
        depth: how many answers count.
    Returns:
        {"top_1", "top_5", "mean_reciprocal_rank": {"value", "low", "high"}, "rows": int, "clusters": int}
    Raises:
        ValueError: no row, lists of different lengths, or a row with no right answer.
    """

    def _info(self):
        texts = datasets.Sequence(datasets.Value("string"))
        features = datasets.Features({"predictions": texts, "references": texts})
        return evaluate.MetricInfo(description=self.__doc__, citation="", features=features)

    def _compute(self, predictions, references, clusters=None, depth: int = RANKING_DEPTH):
        places = np.array([place or 0 for place in places_of(predictions, references, depth)])
        clusters = range(len(places)) if clusters is None else clusters
        outcomes = {
            "top_1": places == 1,
            "top_5": (places > 0) & (places <= 5),
            "mean_reciprocal_rank": np.divide(1, places, out=np.zeros(len(places)), where=places > 0),
        }
        if not len(places):
            raise ValueError("no rows to measure")
        figures = {name: share_interval(outcome, clusters) for name, outcome in outcomes.items()}
        return {**figures, "rows": len(places), "clusters": len(set(clusters))}


def places_of(
    predictions: Sequence[Sequence[str]], references: Sequence[Sequence[str]], depth: int = RANKING_DEPTH
) -> list[int | None]:
    """Return the place (from 1) of the first right answer to each row, None if none of the first `depth` is right."""
    if len(predictions) != len(references):
        raise ValueError(f"{len(predictions)} rankings for {len(references)} rows")
    if not all(references):
        raise ValueError(f"row {[bool(right) for right in references].index(False)} has no right answer")
    return [
        next((place for place, answer in enumerate(ranked[:depth], start=1) if answer in set(right)), None)
        for ranked, right in zip(predictions, references, strict=True)
    ]
