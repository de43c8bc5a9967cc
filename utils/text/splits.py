"""What keeps a test split honest: duplicates and near duplicates found, and groups of rows kept on one side."""

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np


def split_by_group(
    groups: Sequence[str], shares: Sequence[float], seed: int, labels: Sequence[str | None] | None = None
) -> list[np.ndarray]:
    """Row numbers of each split, sorted; rows of one group stay together, and every label gets its shares.

    Groups come in an order drawn with `seed`, and each goes to the split that lacks the most rows of its label, so that
    a split misses its share of a label by less than the largest group. A group of several labels counts each by its
    part of that label's rows. Groups too large for the smallest split come first, to land where there is room. Every
    split with a share gets at least one group of each label, whatever its share, the larger shares first where there
    are fewer groups than splits (of two rows under .8/.1/.1 one trains, one validates and none tests); only where
    groups hold several labels can it miss one.
    """
    labels = [None] * len(groups) if labels is None else list(labels)
    members: dict[str, list[int]] = {}
    for row, group in enumerate(groups):
        members.setdefault(group, []).append(row)
    lists = list(members.values())
    parts = [Counter([labels[row] for row in rows]) if len(rows) > 1 else {labels[rows[0]]: 1} for rows in lists]
    totals = Counter(labels)
    lacking = {label: [share / sum(shares) * total for share in shares] for label, total in totals.items()}
    smallest = {label: min((rows for rows in wanted if rows > 0), default=0) for label, wanted in lacking.items()}
    empty = {label: [split for split, share in enumerate(shares) if share > 0] for label in totals}
    left = Counter(label for part in parts for label in part)  # groups
    order = np.random.default_rng(seed).permutation(len(lists)).tolist()
    if max(map(len, lists), default=0) > min(smallest.values(), default=0):
        order.sort(
            key=lambda group: (
                -len(lists[group]) if any(rows > smallest[label] for label, rows in parts[group].items()) else 0
            )
        )

    splits: list[list[int]] = [[] for _ in shares]
    everywhere = range(len(splits))
    for group in order:
        part = parts[group]
        last_chances = [split for label in part if left[label] <= len(empty[label]) for split in empty[label]]
        split = max(last_chances or everywhere, key=_lack(part, totals, lacking))
        splits[split] += lists[group]
        for label, rows in part.items():
            lacking[label][split] -= rows
            left[label] -= 1
            if split in empty[label]:
                empty[label].remove(split)
    return [np.array(sorted(rows), dtype=np.intp) for rows in splits]


def _lack(
    part: dict[str | None, int], totals: Counter, lacking: dict[str | None, list[float]]
) -> Callable[[int], float]:
    """How much a split lacks rows of the labels of a group, each weighted by the group's part of its rows."""
    if len(part) == 1:
        (label,) = part
        return lacking[label].__getitem__
    parts = {label: rows / totals[label] for label, rows in part.items()}
    whole = sum(parts.values())
    weights = {label: rows / whole for label, rows in parts.items()}
    return lambda split: sum(weight * lacking[label][split] for label, weight in weights.items())
