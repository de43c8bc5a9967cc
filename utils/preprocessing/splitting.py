"""Assign rows to train, validation and test: groups stay whole, unless one is too large for a split."""

import logging
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from utils.errors import DataError
from utils.preprocessing.filters import FilteredRows, describe_drops
from utils.processed import SPLITS
from utils.tasks.base import Task
from utils.tasks.label_kinds.label_kinds import LABEL_KINDS
from utils.text.splits import divide_large_groups, split_by_group

log = logging.getLogger(__name__)
LARGE = 0.1  # of the smallest split: a larger group would fill much of it, or never be in it
ALWAYS_SMALL = 4  # rows, which only have to be divided where the splits would be uneven otherwise
TOLERANCE = 0.02  # of all rows, by which a split may differ from the requested size
DIVIDED = "in a group too large for one split, divided"
NO_FAULTS = (0, 0, 0.0)


def assign_splits(filtered: FilteredRows, task: Task, seed: int) -> tuple[FilteredRows, dict[str, Sequence[int]]]:
    """Return the rows with their final groups, and the row numbers of each split.

    The rows of a group stay together. A group of more than a tenth of the smallest split is divided into its parts, and
    every group is where the splits would otherwise be too uneven; where nearly all rows ask the same, by conversation.
    DataError if a split would have no row, or a class too few for all splits.
    """
    dropped = describe_drops(filtered.dropped) or "nothing"
    kind = LABEL_KINDS.get(task.kind)
    if kind is not None:
        filtered = replace(filtered, labels=kind.prune(filtered.labels, filtered.groups))
    strata = filtered.labels if kind is None else kind.strata(filtered.labels)
    smallest = min(fraction for fraction in task.split if fraction > 0) * len(filtered.texts)
    choices = []
    divisions = [(filtered.parts, max(ALWAYS_SMALL, LARGE * smallest)), (filtered.parts, 1)]
    if "location" in filtered.metadata:
        divisions.append((filtered.metadata["location"], 1))
    for parts, most in divisions:
        groups = divide_large_groups(filtered.groups, parts, most)
        splits = split_by_group(groups, task.split, seed, strata)
        faults = _faults(splits, task.split, strata)
        choices.append((faults, groups, splits))
        if faults == NO_FAULTS or (most == 1 and not faults[0]):
            break
    (empty, _, _), groups, splits = min(choices, key=lambda choice: choice[0])
    if kind is not None:
        kind.check(filtered.labels, groups, dropped)
    split_rows = dict(zip(SPLITS, splits, strict=True))
    if empty:
        number = len(set(groups))
        problem = f"{len(filtered.texts)} rows in {number} groups are left, too few for three splits"
        raise DataError(problem, f"add more rows, or filter less (dropped: {dropped})")
    if len(choices) == 3:
        log.warning(
            "warning: nearly all rows ask the same question, so the splits share questions, with different answers"
        )
    warn_if_uneven(split_rows, task.split, _why_uneven(groups))
    return _with_groups(filtered, groups), split_rows


def _faults(splits: Sequence[np.ndarray], fractions: Sequence[float], labels: Sequence[Hashable]) -> tuple:
    """Return the number of empty splits, of labels that splits lack, and how uneven the splits are (0: even)."""
    classes = set(labels)
    lacking = sum(len(classes - {labels[row] for row in rows.tolist()}) for rows in splits)
    return sum(len(rows) == 0 for rows in splits), lacking, _unevenness(splits, fractions)


def _unevenness(splits: Sequence[Sequence[int]], fractions: Sequence[float]) -> float:
    """Return the largest difference from the requested sizes as a share of all rows, if it is more than tolerable."""
    total = sum(map(len, splits))
    differences = (
        abs(len(rows) / total - fraction / sum(fractions)) for rows, fraction in zip(splits, fractions, strict=True)
    )
    largest = max(differences, default=0.0)
    return round(largest, 2) if largest > TOLERANCE else 0.0


def _with_groups(filtered: FilteredRows, groups: list[str]) -> FilteredRows:
    """Return the rows with these groups, and count and log the ones that were divided."""
    if groups == filtered.groups:
        return filtered
    divided = Counter(before for before, after in zip(filtered.groups, groups, strict=True) if before != after)
    rows, (largest, most) = sum(divided.values()), divided.most_common(1)[0]
    number = "1 group is" if len(divided) == 1 else f"{len(divided):,} groups are"
    log.info("%s too large for one split and divided; the largest, %s, has %s rows", number, largest, f"{most:,}")
    return replace(filtered, groups=groups, cleaned={**filtered.cleaned, DIVIDED: rows})


def warn_if_uneven(split_rows: Mapping[str, Sequence[int]], fractions: Sequence[float], reason: str) -> None:
    """Log a warning if a split differs from the requested size by more than the tolerance."""
    splits = list(split_rows.values())
    if not _unevenness(splits, fractions):
        return
    total = sum(map(len, splits))
    if total * TOLERANCE < 1:
        reason = f"there are only {total:,} rows"
    shares = ", ".join(f"{name} {len(rows) / total:.1%}" for name, rows in split_rows.items())
    asked = " / ".join(f"{fraction / sum(fractions):.0%}" for fraction in fractions)
    log.warning("warning: the splits are %s instead of %s: %s", shares, asked, reason)


def _why_uneven(groups: Sequence[str]) -> str:
    (group, rows), *_ = Counter(groups).most_common(1)
    if rows == 1:
        return "every class needs a row in each split"
    return f"rows that ask or belong to the same stay together, such as the {rows:,} of {group}"
