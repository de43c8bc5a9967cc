"""--label_errors: labels of the training split that are probably wrong, by the folds of the linear probe."""

from argparse import Namespace
from pathlib import Path

import numpy

from utils.errors import UsageError, UserError
from utils.files import atomic_write
from utils.metrics.labels.label_errors import probable_label_errors
from utils.processed import Split
from utils.reading.csv_rows import encode_rows
from utils.reading.delimited.cells import CsvDialect
from utils.training.linear_probe import FOLDS

COLUMNS = ["text", "label", "suggested_label", "confidence", "row"]


def check_has_folds(flags: Namespace, *, probed: bool) -> None:
    """Raise UserError where --label_errors lacks probabilities of texts by a probe that has not seen them."""
    if not flags.label_errors:
        return
    for name in ("oversample", "augment"):
        if getattr(flags, name):
            problem = f"--label_errors judges a text by folds without it, and --{name} copies it into others"
            raise UsageError(problem, f"remove --{name} for a run that finds the errors")
    if not probed:
        problem = f"--label_errors needs a linear probe: a base model that has one, and {FOLDS} training texts a class"
        raise UserError(problem, "choose another --model such as smollm2, add rows, or remove --label_errors")


def write_label_errors(path: Path, train: Split, labels: list[str], probabilities: numpy.ndarray) -> dict:
    """Write the texts whose label is probably wrong, the surest first; return what run.json says about them.

    `probabilities` (texts, labels) are those of folds without the text. "row" is the place in the training split, from
    0 on, and "confidence" the probability of the suggested label. Nothing is dropped.
    """
    numbers = {label: number for number, label in enumerate(labels)}
    references = numpy.array([numbers[label] for label in train.label])
    found, _ = probable_label_errors(references, [probabilities])
    rows = [
        [train.prompt[row], train.label[row], labels[other], f"{probabilities[row, other]:.6f}", str(row)]
        for row, other in found
    ]
    with atomic_write(path) as file:
        file.write(encode_rows([COLUMNS, *rows], CsvDialect()))
    return {"path": str(path), "found": len(found), "texts": len(train)}


def describe_label_errors(record: dict) -> str:
    """Return the line that fine_tune.py prints."""
    return f"{record['found']:,} of {record['texts']:,} training labels are probably wrong: {record['path']}"
