"""--label_errors: labels of a split that are probably wrong, by a model that was not trained on these texts."""

import logging
import operator
from argparse import Namespace
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy

from utils.errors import UsageError, UserError
from utils.files import atomic_write
from utils.metrics.labels.label_errors import probable_label_errors
from utils.processed import Split
from utils.reading.csv_rows import encode_rows
from utils.reading.delimited.cells import CsvDialect
from utils.training.linear_probe import FOLDS, groups_suffice

log = logging.getLogger(__name__)
CHANCE = 0.05  # the probability from which on a probe as good as this one may know nothing of the labels
COLUMNS = ["text", "label", "suggested_label", "confidence", "row"]


def check_has_folds(flags: Namespace, train: Split, *, probed: bool) -> None:
    """Raise UserError where --label_errors lacks probabilities of texts by a probe that has not seen them."""
    if not flags.label_errors:
        return
    for name in ("oversample", "augment"):
        if getattr(flags, name):
            problem = f"--label_errors judges a text by folds without it, and --{name} copies it into others"
            raise UsageError(problem, f"remove --{name} for a run that finds the errors")
    if not probed or not groups_suffice(train.label, train.group):
        needed = f"a base model that has one, and {FOLDS} training texts a class, in as many groups"
        hint = "choose another --model such as smollm2, add rows, or remove --label_errors"
        raise UserError(f"--label_errors needs a linear probe: {needed}", hint)


def label_error_rows(
    split: Split, labels: list[str], probabilities: numpy.ndarray, numbers: Sequence[int] | None = None
) -> list[list[str]]:
    """Return COLUMNS and a row for each text whose label is probably wrong, the surest first.

    `probabilities` (texts, labels) are those of models that were not trained on the text. "row" is the place in the
    split, from 0 on, or that in `numbers`, and "confidence" the probability of the suggested label.
    """
    index_of = {label: index for index, label in enumerate(labels)}
    references = numpy.array([index_of[label] for label in split.label])
    found, _ = probable_label_errors(references, [probabilities])
    places = range(len(split)) if numbers is None else numbers
    rows = [
        [split.prompt[row], split.label[row], labels[other], f"{probabilities[row, other]:.6f}", str(places[row])]
        for row, other in found
    ]
    return [COLUMNS, *rows]


def write_label_errors(path: Path, train: Split, labels: list[str], probabilities: numpy.ndarray) -> dict:
    """Write `label_error_rows` of the training split; return their record for run.json. Nothing is dropped.

    A warning is logged if the probabilities are not clearly better than the most frequent label alone.
    """
    _warn_if_chance(train.label, [labels[number] for number in probabilities.argmax(1)])
    rows = label_error_rows(train, labels, probabilities)
    with atomic_write(path) as file:
        file.write(encode_rows(rows, CsvDialect()))
    return label_errors_record(path, rows, len(train))


def _warn_if_chance(given: Sequence[str], predicted: Sequence[str]) -> None:
    from scipy.stats import binomtest

    right = sum(map(operator.eq, given, predicted))
    most = Counter(given).most_common(1)[0][1]
    if binomtest(right, len(given), most / len(given), alternative="greater").pvalue > CHANCE:
        figures = f"{right:,} of {len(given):,} texts, and the most frequent label for {most:,}"
        log.warning("warning: the linear probe is right for %s: the labels that it calls wrong may be right", figures)


def label_errors_record(path: Path, rows: list[list[str]], texts: int) -> dict:
    """Return the record of a file's rows in run.json and evaluation.json."""
    return {"path": str(path), "found": len(rows) - 1, "texts": texts}


def describe_label_errors(record: dict, split: str) -> str:
    """Return the line that the scripts print about a training or test split."""
    return f"{record['found']:,} of {record['texts']:,} {split} labels are probably wrong: {record['path']}"
