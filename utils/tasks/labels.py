"""Labels of a classification task: read from cells, mapped to classes, checked, and put in order."""

import logging
import re
import shlex
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from utils.errors import DataError, UsageError

log = logging.getLogger(__name__)

MISSING = frozenset({"", "nan", "null", "n/a", "na", "#n/a", "<na>"})
MOST_LABELS = 20  # more than these are rarely classes, and often a column of something else
NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
NUMBERS = re.compile(rf"({NUMBER})\s*[-–]\s*({NUMBER})")
WHOLE = re.compile(r"(-?\d+)(?:\.0+)?")
EXAMPLE = '--label_map "1-2=negative,4-5=positive"'


@dataclass(frozen=True)
class LabelMap:
    """The mapping from labels to classes. A label that is not in it has no class."""

    names: dict[str, str]  # label in lower case → class
    ranges: tuple[tuple[float, float, str], ...]  # (first, last, class); both ends belong to the range

    @property
    def classes(self) -> set[str]:
        """The names on the right-hand sides."""
        return {*self.names.values(), *(name for _, _, name in self.ranges)}

    def class_of(self, label: str) -> str | None:
        """Return the class of a label, regardless of case; "4.0" is in the range 4-5."""
        number = as_number(label)
        if number is not None:
            return next((name for first, last, name in self.ranges if first <= number <= last), None)
        return self.names.get(label.casefold())


def parse_label_map(text: str) -> LabelMap:
    """Parse "1-2=bad,4-5=good" or "neg=bad,pos=good": numbers, ranges of numbers and names, each with its class.

    Raises UsageError for an entry of another form, for entries that overlap, and if there is only one class.
    """
    names: dict[str, str] = {}
    ranges: list[tuple[float, float, str]] = []
    for entry in text.split(","):
        label, _, name = (part.strip() for part in entry.partition("="))
        if not label or not name or "=" in name:
            raise UsageError(f"--label_map: {entry.strip()!r} is not LABEL=CLASS", f"write, for example, {EXAMPLE}")
        numbers = NUMBERS.fullmatch(label)
        if numbers is None and as_number(label) is None:
            if label.casefold() in names:
                raise UsageError(f"--label_map names {label!r} twice", "give every label one class")
            names[label.casefold()] = name
            continue
        first, last = map(float, numbers.groups() if numbers else (label, label))
        if first > last:
            raise UsageError(f"--label_map: the range {label!r} runs backwards", f"write {numbers[2]}-{numbers[1]}")
        for low, high, _ in ranges:
            if first <= high and low <= last:
                overlap = f"{label!r} overlaps with the range {low:g}-{high:g} (both ends belong to a range)"
                hint = "give every number one class, for example 0-0.49=low,0.5-1=high"
                raise UsageError(f"--label_map: {overlap}", hint)
        ranges.append((first, last, name))
    label_map = LabelMap(names, tuple(ranges))
    if len(label_map.classes) == 1:
        raise UsageError(f"--label_map leaves one class, {name!r}: two are needed", f"write, for example, {EXAMPLE}")
    return label_map


def as_number(label: str) -> float | None:
    """Return the number that a label is, or None."""
    return float(label) if re.fullmatch(NUMBER, label) else None


def label_key(label: str) -> str:
    """Return a key that is equal for labels of one class: case and blanks don't count."""
    return " ".join(label.casefold().split())


def read_labels(cells: Iterable[str | None], label_map: LabelMap | None) -> tuple[list[str], list[bool]]:
    """Return the class of every cell ("" if it holds no label), and whether it is a label that the map leaves out.

    Without a map, the class is the cell's text, in its most frequent spelling where several differ in case alone,
    which is logged. Whole numbers are written as such ("1.0" is "1") if all labels are whole numbers. A label that the
    map leaves out is returned unchanged.
    """
    cells = [cell if isinstance(cell, str) else "" for cell in cells]
    spelled = {cell: " ".join(cell.split()) for cell in set(cells)}
    cleaned = [spelled[cell] for cell in cells]
    distinct = set(cleaned)
    if label_map is not None:
        classes = {label: label_map.class_of(label) for label in distinct}
        left_out = {label for label in distinct if classes[label] is None and label.casefold() not in MISSING}
        names = {label: classes[label] or (label if label in left_out else "") for label in distinct}
        return [names[label] for label in cleaned], [label in left_out for label in cleaned]
    labels = {label for label in distinct if label.casefold() not in MISSING}
    if all(WHOLE.fullmatch(label) for label in labels):
        names = {label: WHOLE.fullmatch(label)[1] for label in labels}
    else:
        names = _usual_spellings(Counter(label for label in cleaned if label in labels), spelled)
    return [names.get(label, "") for label in cleaned], [False] * len(cleaned)


def label_order(labels: Iterable[str]) -> list[str]:
    """Return the distinct names in the order of their class numbers: numbers by size, then other names as text."""
    numbers = {label: as_number(label) for label in labels}
    return sorted(numbers, key=lambda label: (numbers[label] is None, numbers[label] or 0.0, label))


def look_like_labels(cells: Sequence[str]) -> bool:
    """Return whether a column has few values in many rows; case and blanks don't count."""
    values = set(map(label_key, set(cells))) - MISSING
    return 2 <= len(values) <= min(MOST_LABELS, len(cells) / 2)


def list_labels(labels: Iterable[str], most: int = 8) -> str:
    """Return the distinct labels as part of a line: only the first few if there are many, and long ones truncated."""
    ordered = label_order(labels)
    more = f" and {len(ordered) - most:,} more" if len(ordered) > most else ""
    return ", ".join(repr(label if len(label) <= 40 else label[:39] + "…") for label in ordered[:most]) + more


def check_are_classes(labels: Sequence[str], column: str) -> None:
    """Raise DataError if the labels of a column ("" for a missing one) don't look like classes."""
    labeled = [label for label in labels if label]
    distinct = set(labeled)
    numbers = {label for label in distinct if as_number(label) is not None}
    names = distinct - numbers
    if len(distinct) > MOST_LABELS or 2 < len(distinct) == len(labeled):
        values = f"{len(distinct):,} different values in {len(labeled):,} rows: {list_labels(distinct, 4)}"
        what = f"column {column!r} holds {values}"
        if not names and not all(WHOLE.fullmatch(label) for label in numbers):
            hint = 'make classes of ranges, for example --label_map "0-0.49=negative,0.5-1=positive"'
            raise DataError(f"{what}; these are scores, not classes", hint)
        hint = "name the right one with --label_column; if it is, name its labels: --label_map LABEL=CLASS,…"
        raise DataError(f"{what}; is this the label column?", hint)
    if numbers and names:
        stray, usual = sorted((names, numbers), key=lambda side: sum(label in side for label in labeled))
        row = next(row for row, label in enumerate(labels, 1) if label in stray)
        mixed = f"{list_labels(usual)}, but also {list_labels(stray)} (first in row {row:,})"
        example = _suggested_map(usual if len(usual) > 1 else distinct)
        hint = f"name the class of each label; labels not named are dropped: {example}"
        raise DataError(f"column {column!r} mixes numbers and other labels: {mixed}", hint)


def check_map_fits(labels: Sequence[str], left_out: Sequence[bool], column: str, label_map: LabelMap) -> None:
    """Raise DataError if no label of a column is in the map; warn if a class of the map has no row."""
    mapped = {label for label, out in zip(labels, left_out, strict=True) if label and not out}
    unmapped = {label for label, out in zip(labels, left_out, strict=True) if out}
    absent = label_map.classes - mapped
    if not absent or not unmapped:
        return
    problem = f"no label in column {column!r} is one of --label_map's"
    if not mapped:
        raise DataError(f"{problem}; the labels there are: {list_labels(unmapped)}", "write the map for these labels")
    absent, unmapped = list_labels(absent), list_labels(unmapped)
    log.warning("warning: %s for the class %s; the labels left out are: %s", problem, absent, unmapped)


def check_are_enough(labels: Sequence[str], groups: Sequence[str], dropped: str) -> None:
    """Raise DataError if the remaining rows have only one class, or a class that cannot be in all three splits.

    `dropped` describes the rows that were dropped.
    """
    rows = Counter(labels)
    if len(rows) == 1:
        problem = f"all {len(labels):,} rows left have the label {labels[0]!r}: a classifier needs at least two classes"
        hint = f"add rows of another class, or see --label_column and --label_map (dropped: {dropped})"
        raise DataError(problem, hint)
    groups_of = defaultdict(set)
    for label, group in zip(labels, groups, strict=True):
        groups_of[label].add(group)
    small = [label for label in label_order(labels) if len(groups_of[label]) < 3]
    if small:
        amounts = "; ".join(_amount(label, rows[label], len(groups_of[label])) for label in small)
        large = rows.keys() - small
        drop_them = "drop or merge it with --label_map" + (f", e.g. {_suggested_map(large)}" if len(large) > 1 else "")
        hint = f"add more rows of it, or {drop_them} (dropped: {dropped})"
        raise DataError(f"{amounts}: too few for train, validation and test", hint)


def conflicting_labels(keys: Sequence[str], labels: Sequence[str], keep_majority: bool) -> list[bool]:
    """Return True for the rows of every text (rows of one key) that has several labels.

    With `keep_majority`, only for those without the label that most of its rows have; all of them in a tie.
    """
    counts: dict[str, Counter] = defaultdict(Counter)
    for key, label in zip(keys, labels, strict=True):
        counts[key][label] += 1
    kept = {}
    for key, votes in counts.items():
        (label, most), *second = votes.most_common(2)
        kept[key] = label if not second or (keep_majority and second[0][1] < most) else None
    return [kept[key] != label for key, label in zip(keys, labels, strict=True)]


def _usual_spellings(counts: Counter[str], spelled: dict[str, str]) -> dict[str, str]:
    """Return for each label the most frequent spelling of its class; log other `spelled` forms in the cells."""
    usual: dict[str, str] = {}
    for label, _ in counts.most_common():
        usual.setdefault(label_key(label), label)
    spellings = defaultdict(list)
    for cell in sorted(cell for cell, label in spelled.items() if label in counts):
        spellings[usual[label_key(cell)]].append(cell)
    for label, of_label in spellings.items():
        if len(of_label) > 1:
            log.info("%s differ in case or blanks alone: they are one class, %r", list_labels(of_label), label)
    return {label: usual[label_key(label)] for label in counts}


def _amount(label: str, rows: int, groups: int) -> str:
    kept_together = f" in {groups} groups that stay together" if groups < rows else ""
    return f"class {label!r} has {rows} {'row' if rows == 1 else 'rows'} left{kept_together}"


def _suggested_map(labels: Iterable[str]) -> str:
    """Return a --label_map that keeps some labels, for the shell: none of them is run, whatever is in it."""
    return "--label_map " + shlex.quote(",".join(f"{label}={label}" for label in label_order(labels)[:8]))
