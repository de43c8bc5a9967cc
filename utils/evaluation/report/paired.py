"""Differences of several models on the same test texts, from the figures of each text in their evaluations."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from utils.errors import DataError
from utils.metrics.classification import classification_difference
from utils.metrics.label_sets import label_set_differences
from utils.metrics.likelihood import bits_per_byte_difference
from utils.metrics.scores import score_differences
from utils.metrics.shares import share_difference_interval

SEED = 0
MEASURED = {  # the fields that "per_text" must have, by kind
    "generate": ("nll", "bytes"),
    "instruct": ("nll", "bytes"),
    "classify": ("label", "prediction"),
    "multilabel": ("label", "prediction"),
    "score": ("label", "prediction"),
    "emoji": ("place",),
}


def check_paired(evaluations: Mapping[Path, dict], kind: str) -> None:
    """Raise DataError where evaluations are of other test texts, or lack figures of single texts."""
    for path, evaluation in evaluations.items():
        per_text = evaluation.get("per_text")
        columns = [
            per_text.get(name) if isinstance(per_text, dict) else None for name in ("row", "cluster", *MEASURED[kind])
        ]
        if not all(isinstance(column, list) and len(column) == len(columns[0] or ()) for column in columns):
            raise DataError(
                f"{path} has no figures of single texts, as in evaluations by earlier versions",
                "evaluate that model again, then compare",
            )
    first, *others = evaluations
    for path in others:
        if evaluations[path]["data_sha256"] != evaluations[first]["data_sha256"]:
            raise DataError(
                f"{first} and {path} were measured on different test data, so no page can compare them",
                "evaluate both models on the same data",
            )
        if not set(evaluations[path]["per_text"]["row"]) & set(evaluations[first]["per_text"]["row"]):
            raise DataError(
                f"{first} and {path} were measured on different rows of the test data",
                "evaluate both models with the same --limit and --seed",
            )


def paired_differences(kind: str, one: dict, other: dict) -> tuple[int, dict[str, dict[str, float]]]:
    """Return (how many texts both measured, figures of `one` minus those of `other` on them, with 95% intervals).

    An interval is over pairs of texts, and rows of one source are drawn together, so it does not depend on how
    difficult the texts are; whether two models' own intervals overlap says less. Texts that were cut at different
    places are left out.
    """
    mine, others = _by_row(kind, one), _by_row(kind, other)
    rows = [row for row in mine if row in others]
    if kind in ("generate", "instruct"):
        rows = [row for row in rows if mine[row]["bytes"] == others[row]["bytes"]]
    if not rows:
        return 0, {}
    clusters = [mine[row]["cluster"] for row in rows]
    if kind in ("generate", "instruct"):
        nll = [[some[row]["nll"] for row in rows] for some in (mine, others)]
        text_bytes = [mine[row]["bytes"] for row in rows]
        return len(rows), {"bits_per_byte": bits_per_byte_difference(*nll, text_bytes, clusters, SEED)}
    if kind == "emoji":
        right = [[some[row]["place"] == 1 for row in rows] for some in (mine, others)]
        return len(rows), {"top_1": share_difference_interval(*right, clusters)}
    if kind == "score":
        scores, first, second = (
            np.array([some[row][name] for row in rows])
            for some, name in ((mine, "label"), (mine, "prediction"), (others, "prediction"))
        )
        return len(rows), score_differences(scores, first, second, clusters, SEED)
    if kind == "multilabel":
        names = list(dict.fromkeys([*one["labels"], *other["labels"]]))
        labels, first, second = (
            _chosen([some[row][name] for row in rows], evaluation["labels"], names)
            for evaluation, some, name in (
                (one, mine, "label"),
                (one, mine, "prediction"),
                (other, others, "prediction"),
            )
        )
        return len(rows), label_set_differences(labels, first, second, clusters, SEED)
    names = list(dict.fromkeys([*one["labels"], *other["labels"]]))
    number = {name: place for place, name in enumerate(names)}
    expected = [number[one["labels"][mine[row]["label"]]] for row in rows]
    predicted = [
        [number[evaluation["labels"][some[row]["prediction"]]] for row in rows]
        for evaluation, some in ((one, mine), (other, others))
    ]
    return len(rows), classification_difference(expected, *predicted, len(names), clusters, SEED)


def _chosen(numbers: list[list[int]], own: list[str], names: list[str]) -> np.ndarray:
    """Return which of `names` each text has, from the numbers of a model's own labels: (texts, names)."""
    return np.array([[name in {own[number] for number in of_text} for name in names] for of_text in numbers])


def _by_row(kind: str, evaluation: dict) -> dict[int, dict]:
    per_text = evaluation["per_text"]
    names = ("cluster", *MEASURED[kind])
    return {row: {name: per_text[name][place] for name in names} for place, row in enumerate(per_text["row"])}
