"""Running counts of predicted sets of labels: how often each label occurs, and scores for rows with true labels."""

from collections.abc import Sequence

from utils.inference.counts.unknown_labels import UnknownLabels
from utils.reading.nested import parse_nested
from utils.tasks.label_kinds.label_sets import SEPARATOR
from utils.tasks.labels import MISSING, as_number, label_key
from utils.terminal.tables import format_table


class LabelSetCounts:
    """The number of rows that got each label, and of those that have it, in memory that does not grow with the rows."""

    def __init__(self, labels: Sequence[str]):
        self.labels = list(labels)
        self.rows = self.without_text = self.truncated = 0
        self.predicted = dict.fromkeys(self.labels, 0)
        self.unknown = UnknownLabels()
        self._compared = self._equal = 0
        self._true, self._both = dict.fromkeys(self.labels, 0), dict.fromkeys(self.labels, 0)
        self._found = dict.fromkeys(self.labels, 0)  # predicted where the true labels are known
        self._by_key = {label_key(label): label for label in self.labels}
        numbers = {label: as_number(label) for label in self.labels}
        self._by_number = {number: label for label, number in numbers.items() if number is not None}

    def add(
        self, predictions: Sequence[Sequence[str] | None], cells: Sequence[str] | None = None, truncated: int = 0
    ) -> None:
        """Count some rows: their predictions (None without text) and, where there is one, their label column."""
        self.rows += len(predictions)
        self.truncated += truncated
        for prediction in predictions:
            self.without_text += prediction is None
            for label in prediction or ():
                self.predicted[label] += 1
        for prediction, cell in zip(predictions, cells or (), strict=bool(cells)):
            if prediction is not None and cell.strip().casefold() not in MISSING:
                self._compare(set(prediction), self._labels_in(cell))

    def _labels_in(self, cell: str) -> set[str]:
        listed, known = parse_nested(cell), set()
        parts = map(str, listed) if isinstance(listed, list) else cell.split(SEPARATOR)
        for name in (" ".join(part.split()) for part in parts):
            if label := self._by_key.get(label_key(name)) or self._by_number.get(as_number(name)):  # "1.0" is "1"
                known.add(label)
            elif name.casefold() not in MISSING:
                self.unknown.add(name)
        return known

    def _compare(self, predicted: set[str], true: set[str]) -> None:
        self._compared += 1
        self._equal += predicted == true
        for counts, labels in ((self._true, true), (self._found, predicted), (self._both, true & predicted)):
            for label in labels:
                counts[label] += 1

    def summary(self) -> dict:
        """Return the numbers of rows: all, without text, with a truncated text, and by predicted label."""
        numbers = {"rows": self.rows, "without_text": self.without_text, "truncated": self.truncated}
        return {**numbers, "predicted": self.predicted}

    def scores(self, mostly_unknown: bool = True) -> dict | None:
        """Return macro and micro F1, subset accuracy and the scores of each label; None without rows to compare.

        Without `mostly_unknown`, None also where more labels are unknown than known.
        """
        if not self._compared or (self.unknown.count > sum(self._true.values()) and not mostly_unknown):
            return None
        per_label = {}
        for label in self.labels:
            true, found, both = self._true[label], self._found[label], self._both[label]
            per_label[label] = {
                "precision": both / found if found else 0.0,
                "recall": both / true if true else 0.0,
                "f1": 2 * both / (true + found) if true + found else 0.0,
                "rows": true,
            }
        totals = [sum(counts.values()) for counts in (self._true, self._found, self._both)]
        return {
            "rows": self._compared,
            "macro_f1": sum(each["f1"] for each in per_label.values()) / len(per_label),
            "micro_f1": 2 * totals[2] / (totals[0] + totals[1]) if totals[0] + totals[1] else 0.0,
            "subset_accuracy": self._equal / self._compared,
            "unknown_labels": self.unknown.count,
            "per_label": per_label,
        }

    def table(self, scores: dict | None) -> str:
        """Return how many rows got each label as a table, with the scores of each label where there are any."""
        labeled = max(1, self.rows - self.without_text)
        lines = []
        for label, rows in self.predicted.items():
            lines.append([label, f"{rows:,}", f"{rows / labeled:.1%}"])
            if scores:
                of_label = scores["per_label"][label]
                lines[-1] += [f"{of_label[name]:.3f}" for name in ("precision", "recall", "f1")]
        text = format_table(["predicted", "rows", "share", *(["precision", "recall", "F1"] if scores else [])], lines)
        if scores:
            text += f"\nmacro F1 {scores['macro_f1']:.3f}, micro F1 {scores['micro_f1']:.3f}, all labels right "
            text += f"{scores['subset_accuracy']:.3f} on {scores['rows']:,} labeled rows"
        return text

    def log_labels(self, scores: dict | None, column: str) -> None:
        """Log which labels the model does not have, and why there are no scores where there are none."""
        what = ("label is not one of the model's", "labels are not the model's")
        self.unknown.log(scores, column, self.labels, what=what, otherwise="no row with text has labels")
