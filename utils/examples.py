"""From the rows that are left to the splits of the processed pickle."""

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from utils import encoding, filtering, splitting
from utils.errors import DataError
from utils.labels import check_are_enough
from utils.store import SPLITS, Split
from utils.tasks.base import Task

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def split_rows(filtered: filtering.Filtered, task: Task, seed: int) -> dict[str, Iterable[int]]:
    """Row numbers of each split; DataError where one would have no row, or none of a class."""
    dropped = filtering.describe(filtered.dropped) or "nothing"
    if task.kind == "classify":
        check_are_enough(filtered.labels, filtered.groups, dropped)
    sides = splitting.split_by_group(filtered.groups, task.split, seed, filtered.labels)
    groups = len(set(filtered.groups))
    for name, side in zip(SPLITS, sides, strict=True):
        if len(side) == 0:
            raise DataError(
                f"{len(filtered.texts)} rows in {groups} groups are left, too few for three splits",
                f"bring more rows, or filter less (dropped: {dropped})",
            )
        if absent := set(filtered.labels) - {filtered.labels[row] for row in side}:
            raise DataError(
                f"the rows in {groups} groups that stay together leave no row of class {min(absent)!r} for {name}",
                "bring more groups, try another --seed, or drop or merge the class with --label_map",
            )
    return dict(zip(SPLITS, sides, strict=True))


def encode_rows(filtered: filtering.Filtered, task: Task, tokenizer: "PreTrainedTokenizerBase") -> Split:
    """The rows column by column, with their token ids."""
    rows = zip(filtered.texts, filtered.groups, filtered.labels, strict=True)
    examples = [task.to_example(*row) for row in rows]
    if task.kind == "generate":
        return replace(encoding.encode_examples(tokenizer, examples), facts=filtered.facts)
    prompts = [example.prompt for example in examples]
    ids, _ = encoding.encode_for_classification(tokenizer, prompts, task.template)
    return Split(
        prompt=prompts,
        completion=[example.completion for example in examples],
        label=[example.label for example in examples],
        group=[example.group for example in examples],
        ids=ids,
        loss_start=[0] * len(examples),
        facts=filtered.facts,
    )
