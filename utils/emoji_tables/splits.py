"""Which rows of a table of emoji are learnt, and which are kept to ask for: unseen concepts, or unseen wordings."""

import random
import re
from collections import Counter, defaultdict
from collections.abc import Sequence

from utils.errors import DataError
from utils.filtering import Filtered, describe
from utils.splitting import split_by_group
from utils.store import SPLITS
from utils.tasks.base import Task


def split_rows(filtered: Filtered, task: Task, split_by: str, seed: int) -> dict[str, Sequence[int]]:
    """Row numbers of each split; DataError where one would have no row.

    By "concept", no concept stands on two sides. By "description", no description does, whatever the case and the order
    of its words, and every emoji of validation and test has another description in train.
    """
    if split_by == "concept":
        sides = _split_concepts(filtered.groups, task.split, seed)
        if not all(sides):
            raise DataError(
                f"{len(filtered.texts):,} rows of {len(set(filtered.groups)):,} concepts are left, too few for three "
                "splits",
                f"bring more rows, or filter less (dropped: {describe(filtered.dropped) or 'nothing'})",
            )
    else:
        sides = split_wordings([_wording(text) for text in filtered.texts], filtered.facts["emoji"], task.split, seed)
        if not all(sides):
            raise DataError(
                f"of {len(set(filtered.facts['emoji'])):,} emoji, too few have two descriptions of their own to learn "
                "one and be asked for the other",
                "add further names: --aliases en (or more: en,fr), or split by concept",
            )
    return dict(zip(SPLITS, sides, strict=True))


def _split_concepts(concepts: Sequence[str], shares: Sequence[float], seed: int) -> list[list[int]]:
    """Row numbers of each split, which gets its share of the concepts, not of the rows.

    Else the few concepts with a hundred rows, all tones of two people kissing, would be a whole split.
    """
    names = list(dict.fromkeys(concepts))
    side_of = {}
    for side, places in enumerate(split_by_group(names, shares, seed)):
        side_of.update((names[place], side) for place in places)
    return [[row for row, name in enumerate(concepts) if side_of[name] == side] for side in range(len(shares))]


def split_wordings(keys: Sequence[str], emoji: Sequence[str], shares: Sequence[float], seed: int) -> list[list[int]]:
    """Row numbers of train and the other splits, sorted; rows of one key stay together.

    Keys go in an order drawn with `seed` to the split that lacks the most rows, as long as each emoji of theirs keeps a
    row in train; what cannot go stays there.
    """
    members: dict[str, list[int]] = defaultdict(list)
    for row, key in enumerate(keys):
        members[key].append(row)
    order = list(members.values())
    random.Random(seed).shuffle(order)
    in_train = Counter(emoji)
    sides: list[list[int]] = [[] for _ in shares]
    lacking = [share / sum(shares) * len(keys) for share in shares]
    for rows in order:
        taken = Counter(emoji[row] for row in rows)
        side = max(range(1, len(shares)), key=lambda side: lacking[side])
        if lacking[side] > 0 and all(in_train[each] > number for each, number in taken.items()):
            in_train -= taken
            lacking[side] -= len(rows)
        else:
            side = 0
        sides[side] += rows
    return [sorted(rows) for rows in sides]


def _wording(description: str) -> str:
    """The same for "man running" and "Running, man"."""
    words = re.findall(r"\w+", description.casefold())
    return " ".join(sorted(words)) or description
