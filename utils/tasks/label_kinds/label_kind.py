"""The interface of a kind of label: reading, splitting and counting labels, and the targets that a model learns."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass

Label = str | float | tuple[str, ...]  # as a processed pickle holds it


@dataclass(frozen=True)
class LabelKind:
    """The steps in which kinds of labels differ; every step takes or returns one label for each row.

    `read(cells, column, label_map)`: the labels in the cells of a column, "" where there is none, and whether the map
    leaves each out. DataError for cells that are no such labels.
    `settle(keys, labels, keep_conflicts)`: the labels of texts, where equal keys mean the same text, and whether to
    drop each because its labels contradict each other.
    `strata(labels)`: the groups that all splits have in the same shares.
    `check(labels, groups, dropped)`: DataError where nothing can be learned from the rows that are left.
    `names(labels)`: one name for each of the model's outputs.
    `audit(labels by split)`: the part of the audit on labels.
    `targets(labels, names, train_labels)`: the numbers that the model learns.
    `prune(labels, groups)`: the labels without those that are too rare to learn.
    `text(target, names, train_labels)`: the label of such a number, as people read it.
    """

    read: Callable[..., tuple[list[Label], list[bool]]]
    settle: Callable[[Sequence[str], Sequence[Label], bool], tuple[list[Label], list[bool]]]
    strata: Callable[[Sequence[Label]], Sequence[Hashable]]
    check: Callable[[Sequence[Label], Sequence[str], str], None]
    names: Callable[[Sequence[Label]], list[str]]
    audit: Callable[[Mapping[str, Sequence[Label]]], dict]
    targets: Callable[[Sequence[Label], Sequence[str], Sequence[Label]], list]
    text: Callable[[object, Sequence[str], Sequence[Label]], str]
    prune: Callable[[Sequence[Label], Sequence[str]], list[Label]] = lambda labels, groups: list(labels)
