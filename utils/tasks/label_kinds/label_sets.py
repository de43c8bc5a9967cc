"""Several labels per text (`--labels multi`): aspects, topics, emotions. The model learns a yes or no for each."""

import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from utils.errors import DataError
from utils.tasks.label_kinds.label_kind import LabelKind
from utils.tasks.labels import MISSING, LabelMap, conflicting_labels, label_order, list_labels, read_labels

log = logging.getLogger(__name__)
SEPARATOR = ";"
NO_LABEL = SEPARATOR  # a cell that says that a text has none of the labels: an empty one says nothing
LEAST = 3  # texts of a label, one for each split
MOST_LABELS = 200  # more are rarely labels, and often a column of texts
EXAMPLE = "write labels as food;service, as a list, or name several columns of 0 and 1 with --label_column food,service"

LabelSet = tuple[str, ...]  # in the order of the model's outputs


def read(
    cells: Iterable[str | None], column: str, label_map: LabelMap | None
) -> tuple[list[LabelSet | str], list[bool]]:
    """Return the labels in each cell, "" where it is empty. Labels that differ in case or blanks alone are one label.

    DataError for more different labels than a model could learn.
    """
    cells = [cell.strip() if isinstance(cell, str) else "" for cell in cells]
    cells = ["" if cell.casefold() in MISSING else cell for cell in cells]
    parts = [[part for part in cell.split(SEPARATOR) if part.strip()] for cell in cells]
    spelled = iter(read_labels([part for of_cell in parts for part in of_cell], None)[0])
    labels = [sorted({label for label in [next(spelled) for _ in of_cell] if label}) for of_cell in parts]
    distinct = {label for of_text in labels for label in of_text}
    if len(distinct) > MOST_LABELS:
        problem = f"column {column!r} holds {len(distinct):,} different labels: {list_labels(distinct, 4)}"
        raise DataError(f"{problem}; is this the label column?", EXAMPLE)
    found = [tuple(of_text) if cell else "" for cell, of_text in zip(cells, labels, strict=True)]
    return found, [False] * len(found)


def settle(keys: Sequence[str], labels: Sequence[LabelSet], keep_conflicts: bool) -> tuple[list[LabelSet], list[bool]]:
    """Drop a text whose rows have other labels or, with `keep_conflicts`, its rows without the most frequent ones."""
    return list(labels), conflicting_labels(keys, labels, keep_conflicts)


def strata(labels: Sequence[LabelSet]) -> list[str]:
    """Return the rarest label of each text, so that all splits get rare labels; "" for a text without any."""
    counts = Counter(label for of_text in labels for label in of_text)
    return [min(of_text, key=lambda label: (counts[label], label), default="") for of_text in labels]


def prune(labels: Sequence[LabelSet], groups: Sequence[str]) -> list[LabelSet]:
    """Leave out the labels of too few texts, or groups of texts that stay together, for three splits; warn of them."""
    groups_of = defaultdict(set)
    for of_text, group in zip(labels, groups, strict=True):
        for label in of_text:
            groups_of[label].add(group)
    rare = {label for label, of_label in groups_of.items() if len(of_label) < LEAST}
    if not rare:
        return list(labels)
    log.warning("warning: labels of fewer than %d texts are left out: %s", LEAST, list_labels(rare))
    return [tuple(label for label in of_text if label not in rare) for of_text in labels]


def check(labels: Sequence[LabelSet], groups: Sequence[str], dropped: str) -> None:
    """Raise DataError for fewer than two labels, or one that all texts have; warn where no text has several labels."""
    counts = Counter(label for of_text in labels for label in of_text)
    if len(counts) < 2:
        found = f"only the label {next(iter(counts))!r}" if counts else "no label"
        problem = f"{found} is left: --labels multi needs two, each of {LEAST} texts or more"
        raise DataError(problem, f"{EXAMPLE} (dropped: {dropped})")
    everywhere = [label for label in label_order(counts) if counts[label] == len(labels)]
    if everywhere:
        problem = f"all {len(labels):,} rows left have the label {everywhere[0]!r}: no row shows when a text lacks it"
        raise DataError(problem, f"remove that label, or add rows without it (dropped: {dropped})")
    if all(len(of_text) == 1 for of_text in labels):
        log.warning(
            "warning: every text has exactly one label, which a model without --labels multi learns better; if there "
            "are several in a cell, write ; between them"
        )


def names(labels: Sequence[LabelSet]) -> list[str]:
    """Return all labels in their order."""
    return label_order(label for of_text in labels for label in of_text)


def audit(labels: Mapping[str, Sequence[LabelSet]]) -> dict:
    """Return how many texts of each split have each label, and how many have none."""
    counts = {name: Counter(label for of_text in split for label in of_text) for name, split in labels.items()}
    every = names([of_text for split in labels.values() for of_text in split])
    none = {name: sum(not of_text for of_text in split) for name, split in labels.items()}
    by_label = {label: {name: of_split[label] for name, of_split in counts.items()} for label in every}
    return {"labels": by_label, **({"without_label": none} if any(none.values()) else {})}


def targets(labels: Sequence[LabelSet], names: Sequence[str], train_labels: Sequence[LabelSet]) -> list[list[float]]:
    """Return 1 for each label that a text has, and 0 for the others."""
    return [[float(name in of_text) for name in names] for of_text in map(set, labels)]


def text(target: Sequence[float], names: Sequence[str], train_labels: Sequence[LabelSet]) -> str:
    """Return the labels of a text."""
    return f"{SEPARATOR} ".join(name for name, has in zip(names, target, strict=True) if has) or "no label"


LABEL_SETS = LabelKind(read, settle, strata, check, names, audit, targets, text, prune)
