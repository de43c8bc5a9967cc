"""Counts of what a classifier answers, kept while rows go by: the class balance and, where there are labels, scores."""

import logging
from collections import Counter
from collections.abc import Sequence

from utils.labels import MISSING, LabelMap, as_number

log = logging.getLogger(__name__)

LISTED = 5


class Tally:
    """What was predicted, and how often that is the label of the row. As large for ten rows as for ten million.

    `label_map` is the one that the model was trained with: what it leaves out has no label.
    """

    def __init__(self, labels: Sequence[str], label_map: LabelMap | None = None):
        self.labels = list(labels)
        self.label_map = label_map
        self.rows = self.without_text = self.truncated = 0
        self.predicted = dict.fromkeys(self.labels, 0)
        self.unknown = 0  # rows with a label that the model does not know
        self.unknown_labels: list[str] = []  # the first of them
        self._pairs = Counter()  # (label, prediction)
        self._by_number = {number: label for label in self.labels if (number := as_number(label)) is not None}

    def add(self, predictions: Sequence[str | None], cells: Sequence[str] | None = None, truncated: int = 0) -> None:
        """Count some rows: what was predicted (None without text) and, where there is one, their label column."""
        self.rows += len(predictions)
        self.truncated += truncated
        for prediction in predictions:
            if prediction is None:
                self.without_text += 1
            else:
                self.predicted[prediction] += 1
        for prediction, cell in zip(predictions, cells or (), strict=bool(cells)):
            label = self._label_of(cell)
            if label is not None and prediction is not None:
                self._pairs[label, prediction] += 1

    def scores(self, of_few: bool = True) -> dict | None:
        """Accuracy, macro F1 and the figures of each label that occurs; None where no row has a label of the model.

        Without `of_few` also where more rows have another label: stars from 1 to 5 say nothing about 0 and 1.
        """
        if not self._pairs or (self.unknown > self._pairs.total() and not of_few):
            return None
        from sklearn.metrics import precision_recall_fscore_support

        pairs, counts = list(self._pairs), list(self._pairs.values())
        true, predicted = zip(*pairs, strict=True)
        present = [label for label in self.labels if label in {*true, *predicted}]
        figures = precision_recall_fscore_support(
            true, predicted, labels=present, sample_weight=counts, zero_division=0
        )
        per_label = {
            label: {"precision": precision, "recall": recall, "f1": f1, "rows": round(rows)}
            for label, precision, recall, f1, rows in zip(present, *(part.tolist() for part in figures), strict=True)
        }
        total = sum(counts)
        return {
            "rows": total,
            "accuracy": sum(count for (label, prediction), count in self._pairs.items() if label == prediction) / total,
            "macro_f1": sum(each["f1"] for each in per_label.values()) / len(per_label),
            "unknown_labels": self.unknown,
            "per_label": per_label,
        }

    def _label_of(self, cell: str) -> str | None:
        label = " ".join(cell.split())
        if self.label_map is not None:
            return self.label_map.class_of(label)
        if label in self.predicted:
            return label
        if label.casefold() in MISSING:
            return None
        known = self._by_number.get(as_number(label))  # "1.0" is "1"
        if known is None:
            self.unknown += 1
            if label not in self.unknown_labels and len(self.unknown_labels) <= LISTED:
                self.unknown_labels.append(label)
        return known


def balance(tally: Tally, scores: dict | None) -> str:
    """The class balance as a table, with the scores of each label where there are any."""
    from utils.formatting import format_table

    answered = tally.rows - tally.without_text
    lines = []
    for label, rows in tally.predicted.items():
        lines.append([label, f"{rows:,}", f"{rows / max(1, answered):.1%}"])
        if scores:
            figures = scores["per_label"].get(label)
            lines[-1] += [f"{figures[name]:.3f}" if figures else "–" for name in ("precision", "recall", "f1")]
    header = ["predicted", "rows", "share", *(["precision", "recall", "F1"] if scores else [])]
    table = format_table(header, lines)
    if scores:
        both = f"accuracy {scores['accuracy']:.3f}, macro F1 {scores['macro_f1']:.3f}"
        table += f"\n{both} on {scores['rows']:,} labelled rows"
    return table


def log_counts(tally: Tally, max_length: int) -> None:
    """Say what was not classified, or not whole."""
    if tally.without_text:
        texts = f"{tally.without_text:,} of {tally.rows:,} texts"
        log.warning("%s are empty, or nothing of them is left after cleaning", texts)
    if tally.truncated:
        log.warning("%s of %s texts were cut to %d tokens", f"{tally.truncated:,}", f"{tally.rows:,}", max_length)


def log_labels(tally: Tally, scores: dict | None, column: str) -> None:
    """Say which labels the model does not know, and why there are no scores where there are none."""
    more = ", …" if len(tally.unknown_labels) > LISTED else ""
    names = ", ".join(map(repr, tally.unknown_labels[:LISTED])) + more
    knows = ", ".join(map(repr, tally.labels))
    found = f"{tally.unknown:,} rows have labels that the model does not know ({names}; it knows {knows})"
    if scores is None:
        why = found if tally.unknown else "no row with text has a label"
        log.warning("warning: no scores of column %r: %s", column, why)
    elif tally.unknown:
        log.warning("warning: column %r: %s, and are left out of the scores", column, found)
