"""Assign each text of the training split to a fold: groups stay whole, and every fold has every label."""

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
    pairs = set(zip(train.group, train.label, strict=True))
    groups_of = {label: [group for group, own in pairs if own == label] for label in labels or ()}
    for label, inside in groups_of.items():  # before the splitter, which refuses in other words where all are too few
        if len(inside) < folds:
            raise _too_few(train, label, len(inside), folds)
    splits = splitter(folds, shuffle=True, random_state=seed).split(train.group, classes, train.group)
    fold_of = {train.group[row]: fold for fold, (_, held_out) in enumerate(splits) for row in held_out}
    counts = Counter((fold_of[group], label) for group, label in zip(train.group, train.label, strict=True))
    for label, inside in groups_of.items():
        if not all(counts[fold, label] for fold in range(folds)):
            raise _too_few(train, label, len(inside), folds)
    return fold_of


def _too_few(train: Split, label: str, groups: int, folds: int) -> DataError:
    texts = train.label.count(label)
    number = f"{texts:,}" + (f" in {groups:,} group{'s' * (groups != 1)}" if groups < texts else "")
    problem = f"--folds {folds}: a fold would have no text labeled {label!r}: the training split has {number}"
    return DataError(problem, "lower --folds, or preprocess more rows")


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
