"""Using a model that classifies: texts in, calibrated probabilities and labels out, in batches by length.

MERGED: Counts of what a classifier answers, kept while rows go by: the class balance and, where there are labels, scores."""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from utils.errors import UserError
from utils.models import checkpoint
from utils.models.tokenization import context_length, encode_for_classification, padding_id, truncate
from utils.tasks.labels import MISSING, LabelMap, as_number
from utils.text.cleaning import Cleaning, clean

if TYPE_CHECKING:
    import numpy
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

log = logging.getLogger(__name__)
# A classifier of another maker brings no recipe: its texts are taken as they are.
NO_CLEANING = Cleaning(
    mojibake="keep",
    html="keep",
    urls="keep",
    mentions="keep",
    emoji="keep",
    retweet_prefix="keep",
    special_characters="keep",
)


@dataclass(frozen=True)
class Classifier:
    """A model and all that its answers depend on, as they were in training.

    `threshold` is for the probability of the second of two labels; None takes the likeliest label. Texts are cut to
    `max_length` tokens.
    """

    model: "PreTrainedModel"
    tokenizer: "PreTrainedTokenizerBase"
    labels: list[str]
    template: str
    cleaning: Cleaning
    temperature: float
    threshold: float | None
    max_length: int
    run: dict


@dataclass(frozen=True)
class Predictions:
    """Per text, in the order given. A text of which cleaning leaves nothing has a row of nan and the label None."""

    probabilities: "numpy.ndarray"  # (texts, labels), float64, calibrated
    labels: list[str | None]
    truncated: int  # texts that were cut


def open_classifier(model_path: str) -> Classifier:
    """The classifier that --model_path names: ours, or another maker's. UserError for a model that writes."""
    return classifier_of(model_path, checkpoint.load(model_path))


def classifier_of(model_path: str, trained: checkpoint.Trained) -> Classifier:
    """As `open_classifier`, of a model that was loaded already."""
    model, run = trained.model, trained.run
    if not checkpoint.is_trained_classifier(model):
        raise UserError(
            f"{model_path} writes texts and does not classify them",
            f"use it with: python generate.py --model_path {model_path}",
        )
    calibration = run.get("calibration", {})
    return Classifier(
        model=model,
        tokenizer=trained.tokenizer,
        labels=run.get("labels") or [str(model.config.id2label[number]) for number in range(model.config.num_labels)],
        template=run.get("template", "{prompt}"),
        cleaning=Cleaning(**run["cleaning"]) if run else NO_CLEANING,
        temperature=calibration.get("temperature", 1.0),
        threshold=calibration.get("threshold"),
        max_length=min(run.get("max_length", context_length(model)), context_length(model)),
        run=run,
    )


def classify_texts(
    classifier: Classifier,
    texts: Sequence[str | None],
    *,
    bfloat16: bool = False,
    progress: str | None = None,
) -> Predictions:
    """Clean, encode, cut and classify. `progress` names a bar on stderr (on a terminal only)."""
    import numpy

    cleaned = [clean(text or "", classifier.cleaning) for text in texts]
    present = [number for number, text in enumerate(cleaned) if text]
    encoded, tail = encode_for_classification(
        classifier.tokenizer, [cleaned[number] for number in present], classifier.template
    )
    rows = [{"input_ids": truncate(text, classifier.max_length, tail)} for text in encoded]
    logits = numpy.full((len(texts), len(classifier.labels)), numpy.nan)
    if present:
        logits[present] = classifier_logits(
            classifier.model, classifier.tokenizer, rows, bfloat16=bfloat16, progress=progress
        )
    probabilities = softmax(logits / classifier.temperature)
    return Predictions(
        probabilities=probabilities,
        labels=decide_labels(probabilities, classifier.labels, classifier.threshold),
        truncated=sum(len(text) > classifier.max_length for text in encoded),
    )


def classifier_logits(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    rows: Sequence[dict],
    *,
    bfloat16: bool = False,
    progress: str | None = None,
) -> "numpy.ndarray":
    """Return the model's logits for rows {"input_ids"}, in the given order: (texts, labels) float64."""
    from utils.compute.forward import last_token_outputs

    pad_id, labels = padding_id(tokenizer), model.config.num_labels
    return last_token_outputs(model, rows, pad_id, labels, bfloat16=bfloat16, progress=progress)


def softmax(logits: "numpy.ndarray") -> "numpy.ndarray":
    """Probabilities of rows of logits; a row of nan stays one."""
    import numpy

    powers = numpy.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def decide_labels(probabilities: "numpy.ndarray", labels: Sequence[str], threshold: float | None) -> list[str | None]:
    """The label of each row: the likeliest one or, with a threshold, the second of two where it reaches that."""
    if threshold is not None:
        return [None if second != second else labels[int(second >= threshold)] for second in probabilities[:, 1]]
    return [None if row[0] != row[0] else labels[row.argmax()] for row in probabilities]


LISTED = 5


class PredictionCounts:
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


def class_balance_table(tally: PredictionCounts, scores: dict | None) -> str:
    """The class balance as a table, with the scores of each label where there are any."""
    from utils.text_tables import format_table

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


def log_counts(tally: PredictionCounts, max_length: int) -> None:
    """Say what was not classified, or not whole."""
    if tally.without_text:
        texts = f"{tally.without_text:,} of {tally.rows:,} texts"
        log.warning("%s are empty, or nothing of them is left after cleaning", texts)
    if tally.truncated:
        log.warning("%s of %s texts were cut to %d tokens", f"{tally.truncated:,}", f"{tally.rows:,}", max_length)


def log_labels(tally: PredictionCounts, scores: dict | None, column: str) -> None:
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
