"""The results of classify.py: open the classifier that its flags name, and return one JSON object or line per text."""

import logging
from argparse import Namespace
from collections.abc import Callable, Sequence
from dataclasses import replace

from utils import distributed
from utils.compute.loaded_models import keep_loaded
from utils.errors import UsageError
from utils.inference.classifier import Classifier, Predictions, open_classifier
from utils.inference.counts.label_set_counts import LabelSetCounts
from utils.inference.counts.prediction_counts import PredictionCounts
from utils.inference.counts.score_totals import ScoreTotals
from utils.models.base_models import check_present
from utils.models.opening.adapter_folder import name_base
from utils.results.columns_to_classify import ColumnsToClassify
from utils.tasks.label_kinds.label_columns import label_cell
from utils.tasks.label_kinds.label_sets import SEPARATOR
from utils.tasks.label_kinds.scores import score_cell
from utils.tasks.labels import label_key, list_labels, parse_label_map
from utils.terminal.numbers import rounded
from utils.terminal.tables import one_line

log = logging.getLogger(__name__)


def load_on_device(model_path: str, device: str) -> Classifier:
    """Return the classifier on the device."""
    classifier = open_classifier(model_path)
    classifier.model.to(device)
    return classifier


keep_loaded_on_device = keep_loaded(load_on_device)


def load_classifier(
    args: Namespace, load: Callable[[str, str], Classifier] = load_on_device
) -> tuple[Classifier, bool]:
    """Return the classifier on its device, and whether it computes in bfloat16."""
    name_base(args.model_path, args.base_model)
    check_present(str(args.model_path))

    from utils.compute.device import choose_device, choose_precision

    device = choose_device(args.device)
    bfloat16 = choose_precision(args.precision, device) == "bf16"
    distributed.initialize(device)
    return load(args.model_path, device), bfloat16


def counts_for(classifier: Classifier) -> PredictionCounts | LabelSetCounts | ScoreTotals:
    """Return the counter of the classifier's predictions."""
    if classifier.thresholds is not None:
        return LabelSetCounts(classifier.labels)
    if classifier.gives_scores:
        return ScoreTotals()
    label_map = classifier.run.get("label_map")  # with which preprocess.py made the model's labels of others
    return PredictionCounts(classifier.labels, parse_label_map(label_map) if label_map else None)


def columns_to_compare(classifier: Classifier, found: ColumnsToClassify, names: Sequence[str]) -> ColumnsToClassify:
    """Return where the text and the true labels are; no label of a model whose predictions cannot be compared with it.

    `names` are the table's columns. UsageError where a model does not give several labels, or has one for which no
    column was named.
    """
    columns = found.labels
    if columns and classifier.thresholds is None:
        problem = f"--label_column names {len(columns)} columns, and this model does not give texts several labels"
        raise UsageError(problem, "name the one column with the true labels")
    named = set(map(label_key, columns))
    if columns and (missing := [label for label in classifier.labels if label_key(label) not in named]):
        problem = f"--label_column names no column for {list_labels(missing)}, which the model gives, too"
        raise UsageError(problem, "name the columns of all labels, as in preprocess.py")
    if found.label is not None and classifier.function != "softmax" and classifier.pipeline is not None:
        log.warning("warning: no scores for column %r: the model doesn't choose one label", names[found.label])
        return replace(found, label=None)
    return found


def true_labels(found: ColumnsToClassify, rows: Sequence[Sequence[str]], first_row: int) -> list[str] | None:
    """Return the cell with the true label of each row, or labels as `a;b`; None where there are none.

    The rows are counted from `first_row` on. DataError for a cell of a column of 0 and 1 that is neither.
    """
    if found.label is None:
        return None
    if not found.labels:
        return [cells[found.label] for cells in rows]
    labels, places = list(found.labels), found.labels.values()
    return [label_cell(labels, [cells[at] for at in places], row) for row, cells in enumerate(rows, first_row)]


def new_columns(classifier: Classifier) -> list[str]:
    """Return the names of the columns that a file of predictions gets."""
    if classifier.gives_scores:
        return ["score"]
    measure = "score" if classifier.function == "none" else "probability"
    return ["prediction", *(f"{measure}_{label}" for label in classifier.labels)]


def new_cells(classifier: Classifier, predictions: Predictions, escaped: Callable[[str], str]) -> list[list[str]]:
    """Return the cells of `new_columns` for each text, empty where there is none; labels are `escaped`."""
    if classifier.gives_scores:
        return [["" if score is None else score_cell(score)] for score in predictions.labels]
    return [
        [escaped(_label_cell(name)), *("" if name is None else f"{probability:.6f}" for probability in row)]
        for name, row in zip(predictions.labels, predictions.probabilities.tolist(), strict=True)
    ]


def _label_cell(predicted: str | Sequence[str] | None) -> str:
    return predicted if isinstance(predicted, str) else SEPARATOR.join(predicted or ())


def prediction_records(classifier: Classifier, texts: Sequence[str | None], predictions: Predictions) -> list[dict]:
    """Return one JSON object per text."""
    if classifier.gives_scores:
        return [{"text": text, "score": score} for text, score in zip(texts, predictions.labels, strict=True)]
    rows = predictions.probabilities.tolist()
    if classifier.thresholds is not None:
        return [_labels_record(classifier, *each) for each in zip(texts, predictions.labels, rows, strict=True)]
    name = "scores" if classifier.function == "none" else "probabilities"
    records = []
    for text, label, row in zip(texts, predictions.labels, rows, strict=True):
        shares = None if label is None else dict(zip(classifier.labels, row, strict=True))
        several = [one for one, share in (shares or {}).items() if share >= 0.5]
        records.append(
            {"text": text, "label": label, name: shares} | ({"labels": several} if classifier.several_at_once else {})
        )
    return records


def _labels_record(classifier: Classifier, text: str | None, labels: Sequence[str] | None, row: list[float]) -> dict:
    shares = None if labels is None else dict(zip(classifier.labels, row, strict=True))
    return {"text": text, "labels": None if labels is None else list(labels), "probabilities": shares}


def prediction_line(record: dict, width: int) -> str:
    """Return the output for people: the label, as wide as the widest, the probabilities, and the beginning of the text.

    Of a model that gives scores, it is the score instead.
    """
    if "labels" in record and "label" not in record:
        record = {
            **record,
            "label": None if record["labels"] is None else f"{SEPARATOR} ".join(record["labels"]) or "none",
        }
    if "score" in record:
        shown = "–" if record["score"] is None else rounded(record["score"], 3)
        return f"{shown:>7}  {one_line(record['text'] or '', 80) or 'no text'}"
    name = "score" if "scores" in record else "probability"
    probabilities = record.get("probabilities") or record.get("scores") or {}
    if any(_is_number(label) for label in probabilities):  # "1 0.980" would say nothing
        shown = f"{name} of " + ", of ".join(f"{name}: {value:.3f}" for name, value in probabilities.items())
    else:
        shown = "  ".join(f"{name} {value:.3f}" for name, value in probabilities.items())
    return f"{record['label'] or '–':<{width}}  {shown or 'no text'}  {one_line(record['text'], 80)}".rstrip()


def _is_number(label: str) -> bool:
    """Return whether a label reads as a number: 1, -1, 0.5, 1e3."""
    try:
        float(label)
    except ValueError:
        return False
    return True
