"""How far up a ranked list the right answer stands: top-1, top-5 and mean reciprocal rank, with bootstrap intervals."""

from collections.abc import Hashable, Sequence

import datasets
import evaluate
import numpy as np

RESAMPLES = 1000
PERCENTILES = (2.5, 97.5)
RANKING_DEPTH = 50
_DESCRIPTION = """\
Top-1 and top-5: the share of rows with a right answer in the first place, and among the first five. The mean
reciprocal rank is the mean of 1 / place of the first right answer (Voorhees 1999); it is 0 where there is none among
the first `depth`, so that lists may end there, or with that right answer.

The intervals come from drawing whole clusters of rows (rows about one thing, whose answers stand and fall together);
without clusters, every row is one of its own."""
_CITATION = """\
@inproceedings{voorhees-1999-trec,
  title = {The TREC-8 Question Answering Track Report}, author = {Voorhees, Ellen M.},
  booktitle = {Proceedings of TREC-8}, year = {1999}
}"""
_INPUTS = f"""
Args:
    predictions: the answers to each row, the best first.
    references: the right answers to each row, in any order.
    clusters: what each row is about.
    depth: places that count (default: {RANKING_DEPTH}).
    seed: of the bootstrap.
Returns:
    {{"top_1", "top_5", "mean_reciprocal_rank": {{"value", "low", "high"}}, "rows": int, "clusters": int}}
    low and high are the ends of the 95 % percentile bootstrap interval over clusters (Efron & Tibshirani 1993; Field
    & Welsh 2007).
Raises:
    ValueError: no row, lists of different lengths, or a row with no right answer.
"""


class Ranking(evaluate.Metric):
    def _info(self):
        texts = datasets.Sequence(datasets.Value("string"))
        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation=_CITATION,
            inputs_description=_INPUTS,
            features=datasets.Features({"predictions": texts, "references": texts}),
        )

    def _compute(self, predictions, references, clusters=None, depth: int = RANKING_DEPTH, seed: int = 0):
        places = np.array([place or 0 for place in places_of(predictions, references, depth)])
        clusters = range(len(places)) if clusters is None else clusters
        figures = {
            "top_1": places == 1,
            "top_5": (places > 0) & (places <= 5),
            "mean_reciprocal_rank": np.divide(1, places, out=np.zeros(len(places)), where=places > 0),
        }
        values = np.column_stack(list(figures.values()))
        found = dict(zip(figures, _means(values, clusters, seed), strict=True))
        return {**found, "rows": len(places), "clusters": len(set(clusters))}


def places_of(
    predictions: Sequence[Sequence[str]], references: Sequence[Sequence[str]], depth: int = RANKING_DEPTH
) -> list[int | None]:
    """The place (from 1) of the first right answer to each row, None where the first `depth` have none."""
    if len(predictions) != len(references):
        raise ValueError(f"{len(predictions)} rankings for {len(references)} rows")
    if not all(references):
        raise ValueError(f"row {[bool(right) for right in references].index(False)} has no right answer")
    return [
        next((place for place, answer in enumerate(ranked[:depth], start=1) if answer in set(right)), None)
        for ranked, right in zip(predictions, references, strict=True)
    ]


def share_with_interval(outcomes: Sequence[bool], clusters: Sequence[Hashable], seed: int = 0) -> dict[str, float]:
    """The share of outcomes that are true: {"value", "low", "high"}, the interval over clusters as the metric's."""
    [found] = _means(np.array(outcomes, dtype=np.float64)[:, None], clusters, seed)
    return found


def share_difference(
    ours: Sequence[bool], theirs: Sequence[bool], clusters: Sequence[Hashable], seed: int = 0
) -> dict[str, float]:
    """The share of `ours` that are true less that of `theirs`, on the same rows: {"value", "low", "high"}.

    Both share every resample, so the interval is free of the difficulty of the rows.
    """
    if len(ours) != len(theirs):
        raise ValueError(f"{len(ours)} outcomes and {len(theirs)} to compare them with")
    difference = np.array(ours, dtype=np.float64) - np.array(theirs, dtype=np.float64)
    [found] = _means(difference[:, None], clusters, seed)
    return found


def _means(values: np.ndarray, clusters: Sequence[Hashable], seed: int) -> list[dict[str, float]]:
    """The mean of each column of `values` (rows, columns) over rows, with its interval over clusters."""
    if not len(values):
        raise ValueError("no rows to measure")
    if len(clusters) != len(values):
        raise ValueError(f"{len(clusters)} clusters of {len(values)} rows")
    numbers = {cluster: number for number, cluster in enumerate(dict.fromkeys(clusters))}
    sums = np.zeros((len(numbers), values.shape[1] + 1))
    np.add.at(sums, [numbers[cluster] for cluster in clusters], np.column_stack([values, np.ones(len(values))]))
    generator, n = np.random.default_rng(seed), len(sums)
    counts = np.stack([np.bincount(generator.integers(n, size=n), minlength=n) for _ in range(RESAMPLES)])
    totals = counts @ sums
    drawn = totals[:, :-1] / totals[:, -1:]
    low, high = np.percentile(drawn, PERCENTILES, axis=0)
    return [
        {"value": float(value), "low": float(below), "high": float(above)}
        for value, below, above in zip(values.mean(axis=0), low, high, strict=True)
    ]
