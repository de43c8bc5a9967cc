"""Split rows at random, keeping the rows of a group together and each label's proportions."""

from collections import Counter
from collections.abc import Callable, Hashable, Sequence

import numpy as np


def split_by_group(
    groups: Sequence[str], fractions: Sequence[float], seed: int, labels: Sequence[str | None] | None = None
) -> list[np.ndarray]:
    """Return the sorted row numbers of each split; the rows of a group stay together, every label meets the fractions.

    Groups come in an order drawn with `seed`, and each goes to the split that lacks the most rows of its label, so that
    a split misses its fraction of a label by less than the largest group. A group of several labels counts each by its
    part of that label's rows. Groups too large for the smallest split come first, while there is room. Every split with
    a fraction above 0 gets at least one group of each label, however small the fraction, and if there are fewer groups
    than splits, the larger fractions come first (of two rows under .8/.1/.1 one trains, one validates and none tests);
    a split can only miss a label if groups hold several labels.
    """
    labels = [None] * len(groups) if labels is None else list(labels)
    if len(set(groups)) == len(groups):
        return _split_rows(labels, fractions, seed)
    members: dict[str, list[int]] = {}
    for row, group in enumerate(groups):
        members.setdefault(group, []).append(row)
    rows_of = list(members.values())
    parts = [Counter([labels[row] for row in rows]) if len(rows) > 1 else {labels[rows[0]]: 1} for rows in rows_of]
    totals = Counter(labels)
    lacking = {label: [fraction / sum(fractions) * total for fraction in fractions] for label, total in totals.items()}
    smallest = {label: min((rows for rows in sizes if rows > 0), default=0) for label, sizes in lacking.items()}
    empty = {label: [split for split, fraction in enumerate(fractions) if fraction > 0] for label in totals}
    groups_left = Counter(label for part in parts for label in part)
    order = np.random.default_rng(seed).permutation(len(rows_of)).tolist()
    if max(map(len, rows_of), default=0) > min(smallest.values(), default=0):
        is_large = [any(rows > smallest[label] for label, rows in part.items()) for part in parts]
        order.sort(key=lambda group: -len(rows_of[group]) * is_large[group])

    splits: list[list[int]] = [[] for _ in fractions]
    for group in order:
        part = parts[group]
        last_chances = [split for label in part if groups_left[label] <= len(empty[label]) for split in empty[label]]
        split = max(last_chances or range(len(splits)), key=_lack(part, totals, lacking))
        splits[split] += rows_of[group]
        for label, rows in part.items():
            lacking[label][split] -= rows
            groups_left[label] -= 1
            if split in empty[label]:
                empty[label].remove(split)
    return [np.array(sorted(rows), dtype=np.intp) for rows in splits]


def _split_rows(labels: Sequence[str | None], fractions: Sequence[float], seed: int) -> list[np.ndarray]:
    """Return the same as `split_by_group` for rows that are each a group of their own: no label depends on another."""
    order = np.random.default_rng(seed).permutation(len(labels))
    rows_of: dict[str | None, list[int]] = {}
    for row in order.tolist():
        rows_of.setdefault(labels[row], []).append(row)
    split_of = np.zeros(len(labels), dtype=np.uint8)
    for rows in rows_of.values():
        lacking = [fraction / sum(fractions) * len(rows) for fraction in fractions]
        empty = [split for split, fraction in enumerate(fractions) if fraction > 0]
        chosen = bytearray()
        for left in range(len(rows), 0, -1):
            split = max(empty, key=lacking.__getitem__) if left <= len(empty) else lacking.index(max(lacking))
            lacking[split] -= 1
            if split in empty:
                empty.remove(split)
            chosen.append(split)
        split_of[rows] = chosen
    return [np.flatnonzero(split_of == split) for split in range(len(fractions))]


def divide_large_groups(groups: Sequence[str], parts: Sequence[Hashable], most: float) -> list[str]:
    """Return the groups, those of more than `most` rows divided: their rows with the same part are the new groups."""
    large = {group for group, rows in Counter(groups).items() if rows > most}
    if not large:
        return list(groups)
    names: dict[Hashable, str] = {}
    return [
        names.setdefault(part, f"{group}, part {len(names)}") if group in large else group
        for group, part in zip(groups, parts, strict=True)
    ]


def _lack(part: dict, totals: Counter, lacking: dict[str | None, list[float]]) -> Callable[[int], float]:
    """Return how much a split lacks rows of a group's labels, each weighted by the group's part of the label's rows."""
    if len(part) == 1:
        (label,) = part
        return lacking[label].__getitem__
    parts = {label: rows / totals[label] for label, rows in part.items()}
    total = sum(parts.values())
    return lambda split: sum(share / total * lacking[label][split] for label, share in parts.items())
