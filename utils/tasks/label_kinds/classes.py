"""One class per text, for a classifier. The classes themselves are read in `utils/tasks/labels.py`."""

from collections.abc import Iterable, Mapping, Sequence

from utils.tasks.label_kinds.label_kind import LabelKind
from utils.tasks.labels import (
    LabelMap,
    check_are_classes,
    check_are_enough,
    check_map_fits,
    conflicting_labels,
    label_order,
    read_labels,
)


def read(cells: Iterable[str | None], column: str, label_map: LabelMap | None) -> tuple[list[str], list[bool]]:
    """Return the class of each cell, checked; see `LabelKind`."""
    labels, left_out = read_labels(cells, label_map)
    if label_map is None:
        check_are_classes(labels, column)
    else:
        check_map_fits(labels, left_out, column, label_map)
    return labels, left_out


def settle(keys: Sequence[str], labels: Sequence[str], keep_conflicts: bool) -> tuple[list[str], list[bool]]:
    """Drop a text with several classes or, with `keep_conflicts`, its rows without the most frequent one."""
    return list(labels), conflicting_labels(keys, labels, keep_conflicts)


def audit(labels: Mapping[str, Sequence[str]]) -> dict:
    """Return how often each split has each class."""
    every = label_order(label for of_split in labels.values() for label in of_split)
    return {"labels": {label: {name: list(split).count(label) for name, split in labels.items()} for label in every}}


def targets(labels: Sequence[str], names: Sequence[str], train_labels: Sequence[str]) -> list[int]:
    """Return the number of each class."""
    numbers = {name: number for number, name in enumerate(names)}
    return [numbers[label] for label in labels]


def text(target: int, names: Sequence[str], train_labels: Sequence[str]) -> str:
    """Return the name of a class."""
    return names[target]


CLASSES = LabelKind(read, settle, lambda labels: labels, check_are_enough, label_order, audit, targets, text)
