"""The test texts to judge: those that are not empty after the model's own cleaning."""

import logging
from collections.abc import Sequence

from utils.errors import DataError
from utils.inference.classifier import Classifier, Predictions, classify_texts
from utils.processed import Split

log = logging.getLogger(__name__)


def predict_test(
    classifier: Classifier, test: Split, *, bfloat16: bool, progress: str
) -> tuple[Predictions, list[int], Split]:
    """Return (the predictions for all test texts, the numbers of the texts to judge, the split of these).

    The others are left out with a warning. DataError where none is left.
    """
    result = classify_texts(classifier, test.prompt, bfloat16=bfloat16, progress=progress)
    rows = [row for row, label in enumerate(result.labels) if label is not None]
    if not rows:
        raise DataError("all test texts are empty after the model's cleaning", "evaluate it on data of its own task")
    if len(rows) < len(test):
        empty = len(test) - len(rows)
        log.warning("warning: %d test texts are left out: they are empty after the model's cleaning", empty)
    return result, rows, test.take(rows)


def notes_on_texts(evaluation: dict, before: Sequence[str] = ()) -> str:
    """Return the notes in parentheses in a report's first line: others, and the numbers of cut and of empty texts."""
    notes = [*before]
    if evaluation["truncated_texts"]:
        notes.append(f"{evaluation['truncated_texts']:,} cut to {evaluation['max_length']} tokens")
    if evaluation["texts_left_out"]:
        notes.append(f"{evaluation['texts_left_out']:,} more are empty after cleaning")
    return f" ({', '.join(notes)})" if notes else ""
