"""What one kind of label says about reading, splitting and counting labels, and about what a model learns of them."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass

Label = str | float | tuple[str, ...]  # as a processed pickle holds it


@dataclass(frozen=True)
class LabelKind:
    """The steps in which kinds of labels differ; every step takes or returns one label for each row.

    `read(cells, column, label_map)`: the labels in the cells of a column, "" where there is none, and whether the map
    leaves each out. DataError for cells that are no such labels.
    `settle(keys, labels, keep_conflicts)`: the labels of texts, of which those with one key are the same text, and
    whether to drop each because its labels contradict each other.
    `strata(labels)`: what all splits have in the same shares.
    `check(labels, groups, dropped)`: DataError where nothing can be learned from the rows that are left.
    `names(labels)`: one name for each of the model's outputs.
    `audit(labels by split)`: what the audit has.
    `targets(labels, names, train_labels)`: the numbers that the model learns.
    `prune(labels, groups)`: the labels without those that are too rare to learn.
    `text(target, names, train_labels)`: the label that such a number stands for, as people read it.
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
