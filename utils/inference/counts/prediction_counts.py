"""Running counts of a classifier's predictions: the class balance, and scores for rows with true labels."""

import logging
from collections import Counter
from collections.abc import Sequence

from utils.inference.counts.label_set_counts import LabelSetCounts
from utils.inference.counts.score_totals import ScoreTotals
from utils.inference.counts.unknown_labels import UnknownLabels
from utils.tasks.labels import MISSING, LabelMap, as_number, label_key
from utils.terminal.tables import format_table

log = logging.getLogger(__name__)


class PredictionCounts:
    """The predicted labels, and how often they are the rows' labels. Its size does not depend on the number of rows.

    `label_map` is the one of training: a label that it leaves out does not count, unless it is the name of a class.
    """

    def __init__(self, labels: Sequence[str], label_map: LabelMap | None = None):
        self.labels = list(labels)
        self.label_map = label_map
        self.rows = self.without_text = self.truncated = 0
        self.predicted = dict.fromkeys(self.labels, 0)
        self.unknown = UnknownLabels()  # of rows
        self._pairs = Counter()  # (label, prediction)
        self._by_number = {number: label for label in self.labels if (number := as_number(label)) is not None}
        spellings = Counter(map(label_key, self.labels))  # a model may tell labels apart that differ in case alone
        self._by_key = {key: label for label in self.labels if spellings[key := label_key(label)] == 1}

    def add(self, predictions: Sequence[str | None], cells: Sequence[str] | None = None, truncated: int = 0) -> None:
        """Count some rows: their predictions (None without text) and, where there is one, their label column."""
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

    def summary(self) -> dict:
        """Return the numbers of rows: all, without text, with a truncated text, and by prediction."""
        numbers = {"rows": self.rows, "without_text": self.without_text, "truncated": self.truncated}
        return {**numbers, "predicted": self.predicted}

    def scores(self, mostly_unknown: bool = True) -> dict | None:
        """Return accuracy, macro F1 and the scores of each label that occurs; None where no row has a known label.

        Without `mostly_unknown`, None also where more rows have unknown labels: stars from 1 to 5 say nothing about the
        labels 0 and 1.
        """
        if not self._pairs or (self.unknown.count > self._pairs.total() and not mostly_unknown):
            return None
        from sklearn.metrics import precision_recall_fscore_support

        pairs, counts = list(self._pairs), list(self._pairs.values())
        true, predicted = zip(*pairs, strict=True)
        present = [label for label in self.labels if label in {*true, *predicted}]
        options = {"labels": present, "sample_weight": counts, "zero_division": 0}
        columns = [column.tolist() for column in precision_recall_fscore_support(true, predicted, **options)]
        per_label = {
            label: {"precision": precision, "recall": recall, "f1": f1, "rows": round(rows)}
            for label, precision, recall, f1, rows in zip(present, *columns, strict=True)
        }
        total = sum(counts)
        correct = sum(count for (label, prediction), count in self._pairs.items() if label == prediction)
        return {
            "rows": total,
            "accuracy": correct / total,
            "macro_f1": sum(each["f1"] for each in per_label.values()) / len(per_label),
            "unknown_labels": self.unknown.count,
            "per_label": per_label,
        }

    def table(self, scores: dict | None) -> str | None:
        """Return the class balance as a table, with the scores of each label where there are any; None of one label."""
        if len(self.labels) == 1:
            return None
        classified = self.rows - self.without_text
        lines = []
        for label, rows in self.predicted.items():
            lines.append([label, f"{rows:,}", f"{rows / max(1, classified):.1%}"])
            if scores:
                of_label = scores["per_label"].get(label)
                lines[-1] += [f"{of_label[name]:.3f}" if of_label else "–" for name in ("precision", "recall", "f1")]
        header = ["predicted", "rows", "share", *(["precision", "recall", "F1"] if scores else [])]
        text = format_table(header, lines)
        if scores:
            text += f"\naccuracy {scores['accuracy']:.3f}, macro F1 {scores['macro_f1']:.3f} "
            text += f"on {scores['rows']:,} labeled rows"
        return text

    def log_labels(self, scores: dict | None, column: str) -> None:
        """Log which labels the model does not have, and why there are no scores where there are none."""
        what = ("row has a label that the model does not have", "rows have labels that the model does not have")
        self.unknown.log(scores, column, self.labels, what=what, otherwise="no row with text has a label")

    def _label_of(self, cell: str) -> str | None:
        label = " ".join(cell.split())
        if self.label_map is not None:
            of_map = self.label_map.class_of(label)
            is_word = of_map is None and as_number(label) is None  # the star 0 may be left out, and a class be named 0
            return self._by_key.get(label_key(label)) if is_word else of_map
        if label in self.predicted:
            return label
        if label.casefold() in MISSING:
            return None
        known = self._by_key.get(label_key(label)) or self._by_number.get(as_number(label))  # "1.0" is "1"
        if known is None:
            self.unknown.add(label)
        return known


def log_counts(counts: PredictionCounts | LabelSetCounts | ScoreTotals, max_length: int) -> None:
    """Log how many texts were empty, and how many were truncated."""
    if counts.without_text:
        texts = f"{counts.without_text:,} of {counts.rows:,} texts"
        log.warning("%s are empty, or become empty in cleaning", texts)
    if counts.truncated:
        log.warning("%s of %s texts were cut to %d tokens", f"{counts.truncated:,}", f"{counts.rows:,}", max_length)
