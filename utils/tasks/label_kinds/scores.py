"""A number per text (`--labels score`): stars, grades, ratings. The model learns it by regression."""

import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from utils.errors import DataError
from utils.tasks.label_kinds.label_kind import LabelKind
from utils.tasks.labels import MISSING, LabelMap, as_number

NAME = "score"  # of the model's one output
LARGEST = 1e15
STRATA, LEAST_IN_STRATUM = 10, 25  # parts of equal size that all splits share; the validation split gets two of 25 rows
LISTED = 3


def read(cells: Iterable[str | None], column: str, label_map: LabelMap | None) -> tuple[list[float | str], list[bool]]:
    """Return the number in each cell, "" where it is empty. DataError with the first rows that hold anything else."""
    labels, strange = [], []
    for row, cell in enumerate(cells, 1):
        text = cell.strip() if isinstance(cell, str) else ""
        number = as_number(text)
        if text.casefold() in MISSING:
            labels.append("")
        elif number is None or abs(number) > LARGEST:
            strange.append(f"{text[:40]!r} in row {row:,}")
        else:
            labels.append(number)
    if strange:
        more = f" and {len(strange) - LISTED:,} more" if len(strange) > LISTED else ""
        raise DataError(
            f"column {column!r} holds scores that aren't numbers: {', '.join(strange[:LISTED])}{more}",
            "write each as 4 or 4.5, leave the cell empty where there is none, name another with --label_column, or "
            "remove --labels score for classes",
        )
    return labels, [False] * len(labels)


def settle(keys: Sequence[str], labels: Sequence[float], keep_conflicts: bool) -> tuple[list[float], list[bool]]:
    """Give a text that has several scores their mean; no row is dropped."""
    scores = defaultdict(list)
    for key, label in zip(keys, labels, strict=True):
        scores[key].append(label)
    means = {key: statistics.fmean(of_text) for key, of_text in scores.items()}
    return [means[key] for key in keys], [False] * len(labels)


def strata(labels: Sequence[float]) -> list[int]:
    """Return the part of the sorted scores that each belongs to, of up to ten of equal size; equal scores share one."""
    import numpy

    parts = max(1, min(STRATA, len(labels) // LEAST_IN_STRATUM))
    edges = numpy.unique(numpy.quantile(labels, numpy.arange(1, parts) / parts)) if len(labels) else []
    return numpy.searchsorted(edges, labels, side="right").tolist()


def check(labels: Sequence[float], groups: Sequence[str], dropped: str) -> None:
    """Raise DataError if all scores are the same."""
    if len(set(labels)) == 1:
        problem = f"all {len(labels):,} rows left have the score {labels[0]:g}: there is nothing to learn"
        raise DataError(problem, f"add rows with other scores, or see --label_column (dropped: {dropped})")


def audit(labels: Mapping[str, Sequence[float]]) -> dict:
    """Return the mean of each split's scores, their standard deviation, and the lowest and the highest one."""
    import numpy

    return {
        "scores": {
            name: {
                "mean": statistics.fmean(scores),
                "deviation": float(numpy.std(scores)),
                "lowest": min(scores),
                "highest": max(scores),
            }
            for name, scores in labels.items()
            if scores
        }
    }


def score_scale(train_labels: Sequence[float]) -> float:
    """Return the standard deviation of the training scores, in which the model learns them.

    DataError where it is 0.
    """
    import numpy

    scale = float(numpy.std(train_labels))
    if not scale > 0:
        raise DataError("all training texts have the same score: there is nothing to learn", "preprocess more rows")
    return scale


def targets(labels: Sequence[float], names: Sequence[str], train_labels: Sequence[float]) -> list[float]:
    """Return each score in standard deviations of the training scores, so that learning rates suit any scale.

    The mean stays, since the heads of GPT-2 and Llama have no bias that could carry it.
    """
    scale = score_scale(train_labels)
    return [label / scale for label in labels]


def text(target: float, names: Sequence[str], train_labels: Sequence[float]) -> str:
    """Return a score of `targets` as it was."""
    return f"{target * score_scale(train_labels):.6g}"


def score_cell(score: float) -> str:
    """Return a predicted score for a table: six decimals, or six significant digits where 0 is near."""
    return f"{score:.6f}" if score == 0 or abs(score) >= 0.1 else f"{score:.6g}"


def given_score_cell(score: float) -> str:
    """Return a score of the data for a table, with all its digits."""
    return f"{score:.15g}"


SCORES = LabelKind(read, settle, strata, check, lambda labels: [NAME], audit, targets, text)
