"""How high the right answers are ranked: top-1, top-5 and mean reciprocal rank, with bootstrap intervals."""

from collections.abc import Hashable, Mapping, Sequence

import datasets
import evaluate
import numpy as np

from utils.metrics.bootstrap import Intervals, bootstrap_totals

RANKING_DEPTH = 50


class Ranking(evaluate.Metric):
    """Top-1 and top-5: the share of rows with a right answer in first place, and among the first five.

    The mean reciprocal rank is the mean of 1 / place of the first right answer (Voorhees 1999, "The TREC-8 Question
    Answering Track Report"), and 0 for rows where none of the first `depth` answers is right. The intervals come from
    drawing whole clusters of rows, which are right or wrong together (Field & Welsh 2007).

    Args:
        predictions: the answers to each row, the best first; they may end after the first right one.
        references: the right answers to each row, in any order.
        clusters: the cluster of each row; without it, every row is its own.
        depth: how many answers count.
        seed: seed of the bootstrap over clusters.
    Returns:
        {"top_1", "top_5", "mean_reciprocal_rank": {"value", "low", "high"}, "rows": int, "clusters": int}
    Raises:
        ValueError: no row, lists of different lengths, or a row with no right answer.
    """

    def _info(self):
        texts = datasets.Sequence(datasets.Value("string"))
        features = datasets.Features({"predictions": texts, "references": texts})
        return evaluate.MetricInfo(description=self.__doc__, citation="", features=features)

    def _compute(self, predictions, references, clusters=None, depth: int = RANKING_DEPTH, seed: int = 0):
        places = np.array([place or 0 for place in places_of(predictions, references, depth)])
        clusters = range(len(places)) if clusters is None else clusters
        outcomes = {
            "top_1": places == 1,
            "top_5": (places > 0) & (places <= 5),
            "mean_reciprocal_rank": np.divide(1, places, out=np.zeros(len(places)), where=places > 0),
        }
        return {**_means(outcomes, clusters, seed), "rows": len(places), "clusters": len(set(clusters))}


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


def share_with_interval(outcomes: Sequence[bool], clusters: Sequence[Hashable], seed: int = 0) -> dict[str, float]:
    """Return the share of true outcomes: {"value", "low", "high"}, the interval over clusters as the metric's."""
    return _means({"share": outcomes}, clusters, seed)["share"]


def share_difference(
    tuned: Sequence[bool], baseline: Sequence[bool], clusters: Sequence[Hashable], seed: int = 0
) -> dict[str, float]:
    """Return the share of true outcomes in `tuned` minus that in `baseline`: {"value", "low", "high"}.

    The outcomes are of the same rows. Both share every resample, so the interval does not depend on how difficult the
    rows are.
    """
    if len(tuned) != len(baseline):
        raise ValueError(f"{len(tuned)} outcomes and {len(baseline)} to compare them with")
    difference = np.array(tuned, dtype=np.float64) - np.array(baseline, dtype=np.float64)
    return _means({"difference": difference}, clusters, seed)["difference"]


def _means(columns: Mapping[str, Sequence[float]], clusters: Sequence[Hashable], seed: int) -> Intervals:
    """The mean of each column over rows, with its interval over clusters."""
    values = np.column_stack([np.array(column, dtype=np.float64) for column in columns.values()])
    if not len(values):
        raise ValueError("no rows to measure")
    if len(clusters) != len(values):
        raise ValueError(f"{len(clusters)} clusters of {len(values)} rows")
    numbers = {cluster: number for number, cluster in enumerate(dict.fromkeys(clusters))}
    sums = np.zeros((len(numbers), len(columns) + 1))  # the last column counts the rows
    np.add.at(sums, [numbers[cluster] for cluster in clusters], np.column_stack([values, np.ones(len(values))]))

    def means(totals):
        return dict(zip(columns, (totals[:, :-1] / totals[:, -1:]).T, strict=True))

    return bootstrap_totals(means, sums, seed)
