"""Which fold each text of the training split is in: whole groups, with every label in every fold."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from utils.errors import DataError
from utils.processed import Split


def fold_of_groups(path: Path, train: Split, labels: list[str] | None, folds: int, seed: int) -> dict[str, int]:
    """Return the fold, from 0 on, of each group of the training split of the data at `path`.

    Each of the `labels`, if there are any, is in every fold. DataError where that cannot be, or where there are fewer
    texts or groups than folds.
    """
    from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

    groups = len(set(train.group))
    if groups < folds:
        found = f"{len(train):,} training texts" + (f" in {groups:,} groups" if groups < len(train) else "")
        raise DataError(f"{path} has {found}, too few for --folds {folds}", "lower --folds, or preprocess more rows")
    splitter = StratifiedGroupKFold if labels else GroupKFold
    classes = train.label if labels else None
    splits = splitter(folds, shuffle=True, random_state=seed).split(train.group, classes, train.group)
    fold_of = {train.group[row]: fold for fold, (_, held_out) in enumerate(splits) for row in held_out}
    counts = Counter((fold_of[group], label) for group, label in zip(train.group, train.label, strict=True))
    for label in labels or ():
        if missing := [fold for fold in range(folds) if not counts[fold, label]]:
            texts = train.label.count(label)
            inside = len({group for group, own in zip(train.group, train.label, strict=True) if own == label})
            number = f"{texts:,} training texts" + (f" in {inside:,} groups" if inside < texts else "")
            problem = f"--folds {folds}: fold {missing[0] + 1} would have no text labeled {label!r}: there are {number}"
            raise DataError(problem, "lower --folds, or preprocess more rows")
    return fold_of


def rows_outside(rows: Sequence[dict], fold_of_group: Mapping[str, int], fold: int) -> list[dict]:
    """Return the rows to train on without those of a fold, and without copies of them."""
    return [row for row in rows if fold_of_group[row["group"]] != fold]


def rows_inside(rows: Sequence[dict], fold_of_group: Mapping[str, int], fold: int) -> list[dict]:
    """Return the rows of a fold to judge on: no copies, and with the loss on the completion only, as for validation."""
    return [
        {**row, "loss_start": row["completion_start"]} if "completion_start" in row else row
        for row in rows
        if "number" in row and fold_of_group[row["group"]] == fold
    ]
