"""A trained classifier in use: texts in, calibrated probabilities and labels out, in batches by length."""

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from utils.errors import UserError
from utils.models import checkpoint
from utils.models.classifier_tokenizer import encode_for_classification, truncate
from utils.models.tokenization import context_length, longest_text, padding_id
from utils.tasks.kinds import CLASSIFY, KINDS
from utils.text.cleaning import CHOICES, Cleaning, clean, from_saved

if TYPE_CHECKING:
    import numpy
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from utils.compute.batching import Batching
    from utils.inference.baseline.stack import Stack
    from utils.models.other_classifiers import MakersPipeline

ENOUGH_TOKENS = 8  # to try the effect of padding
NO_CLEANING = Cleaning(**dict.fromkeys(CHOICES, "keep"))  # for a classifier that fine_tune.py did not train
FUNCTIONS = {  # by what fine_tune.py trained
    "single_label_classification": "softmax",
    "multi_label_classification": "sigmoid",
    "regression": "none",
}
_batchings: "WeakKeyDictionary[PreTrainedModel, Batching]" = WeakKeyDictionary()


@dataclass(frozen=True)
class Classifier:
    """A model and everything that its predictions depend on, as in training.

    `tokenizer` adds the template. `threshold` is for the probability of the second of two labels; with None,
    the most likely label is predicted. `thresholds` are those of each label by itself, of a model that gives several.
    Texts are truncated to `max_length` tokens. `pipeline` is that of a model that fine_tune.py did not train.
    """

    model: "PreTrainedModel"
    tokenizer: "PreTrainedTokenizerBase"
    labels: list[str]
    cleaning: Cleaning
    temperature: float  # by which the logits are still to be divided; most heads carry it themselves
    threshold: float | None
    max_length: int
    run: dict
    pipeline: "MakersPipeline | None" = None
    thresholds: list[float] | None = None
    stack: "Stack | None" = None  # its baseline, mixed with its probabilities

    @property
    def function(self) -> str:
        """The function from logits to scores: "softmax", "sigmoid" (each label by itself) or "none" (regression)."""
        if self.pipeline is not None:
            return self.pipeline.function
        return FUNCTIONS[KINDS[self.run.get("kind", CLASSIFY.name)].problem_type]

    @property
    def gives_scores(self) -> bool:
        """Whether fine_tune.py trained it to give a text one number."""
        return self.function == "none" and self.pipeline is None

    @property
    def several_at_once(self) -> bool:
        """Whether a text may have several labels, each with a probability of its own."""
        return self.function == "sigmoid" and len(self.labels) > 1


@dataclass(frozen=True)
class Predictions:
    """Predictions for each text, in order. A text that is empty after cleaning has a row of nan and no label."""

    probabilities: "numpy.ndarray"  # (texts, labels), float64, calibrated; scores where `function` is "none"
    labels: list[str | tuple[str, ...] | float | None]  # or the labels, or the score, of a model that gives these
    truncated: int  # the number of texts that were too long
    lengths: list[int]  # the tokens that the model read of each text with its template; 0 for an empty text


def open_classifier(model_path: str, trained: checkpoint.Trained | None = None) -> Classifier:
    """Return the classifier that --model_path names, ours or another one; `trained` where it is loaded already.

    UserError for a model that writes texts.
    """
    trained = trained or checkpoint.load(model_path)
    model, run = trained.model, trained.run
    if not checkpoint.is_trained_classifier(model):
        raise UserError(
            f"{model_path} writes texts and does not classify them",
            f"run python generate.py --model_path {shlex.quote(str(model_path))}",
        )
    if not run:
        return _open_other_classifier(model_path, model, trained.tokenizer)
    calibration = run.get("calibration") or {}
    labels = run.get("labels") or _own_labels(model_path, model)
    if len(labels) != model.config.num_labels:
        problem = f"the run.json of {model_path} has {len(labels)} labels, and the model {model.config.num_labels}"
        raise UserError(problem, "copy run.json or the model again: they are not of one training")
    stack = _open_stack(model_path, run, len(labels))
    return Classifier(
        model=model,
        tokenizer=trained.tokenizer,
        labels=labels,
        cleaning=from_saved(run["cleaning"]),
        temperature=1.0 if run.get("self_contained") else calibration.get("temperature", 1.0),
        threshold=stack.threshold if stack else calibration.get("threshold"),
        thresholds=calibration.get("thresholds"),
        max_length=min(run.get("max_length", longest_text(model, trained.tokenizer)), context_length(model)),
        run=run,
        stack=stack,
    )


def _open_stack(model_path: str, run: dict, labels: int) -> "Stack | None":
    if "baseline" not in run:
        return None
    from utils.inference.baseline.stack import open_stack

    return open_stack(model_path, run, labels)


def _open_other_classifier(
    model_path: str, model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase"
) -> Classifier:
    from utils.models.other_classifiers import makers_pipeline

    max_length = longest_text(model, tokenizer)
    return Classifier(
        model=model,
        tokenizer=tokenizer,
        labels=_own_labels(model_path, model),
        cleaning=NO_CLEANING,
        temperature=1.0,
        threshold=None,
        max_length=max_length,
        run={},
        pipeline=makers_pipeline(model, tokenizer, max_length),
    )


def _own_labels(model_path: str, model: "PreTrainedModel") -> list[str]:
    """Return the labels in the configuration. UserError where they are not one for each of the model's numbers."""
    names, count = model.config.id2label, model.config.num_labels
    if missing := sorted(set(range(count)) - names.keys()):
        raise UserError(
            f"{model_path} has {count} labels, and id2label in its config.json has none for {missing[0]}",
            f"name them there, by the numbers from 0 to {count - 1}",
        )
    labels = [str(names[number]) for number in range(count)]
    if len(set(labels)) < count:
        problem = f"{model_path} has several labels with the same name, in id2label in its config.json"
        raise UserError(problem, "give each a name of its own there")
    return labels


def classify_texts(
    classifier: Classifier, texts: Sequence[str | None], *, bfloat16: bool = False, progress: str | None = None
) -> Predictions:
    """Clean, encode, truncate and classify texts; texts that are the same once cleaned are computed once.

    `progress` names a bar on stderr (on a terminal only).
    """
    import numpy
    import torch

    model, tokenizer, pipeline = classifier.model, classifier.tokenizer, classifier.pipeline
    if pipeline is None:
        cleaned = [clean(text or "", classifier.cleaning) for text in texts]
    else:
        cleaned = [text if text and not text.isspace() else "" for text in texts]
    present = [number for number, text in enumerate(cleaned) if text]
    cleaned = [text for text in cleaned if text]
    rows, truncated = encode_texts(classifier, cleaned)
    compute = partial(classifier_logits, model, tokenizer) if pipeline is None else pipeline.logits
    logits = numpy.full((len(texts), len(classifier.labels)), numpy.nan)
    if present:
        distinct = dict(zip(cleaned, rows, strict=True))
        place = {text: number for number, text in enumerate(distinct)}
        computed = compute(list(distinct.values()), bfloat16=bfloat16, progress=progress)
        logits[present] = computed[[place[text] for text in cleaned]]
    functions = {"softmax": partial(torch.softmax, dim=1), "sigmoid": torch.sigmoid, "none": torch.clone}
    probabilities = functions[classifier.function](torch.from_numpy(logits / classifier.temperature)).numpy()
    if classifier.stack and present:
        own = torch.from_numpy(logits[present] / classifier.temperature).log_softmax(dim=1).numpy()
        probabilities[present] = classifier.stack.probabilities(own, cleaned)
    if classifier.gives_scores:
        decided = [None if score != score else score for score in probabilities[:, 0].tolist()]
    elif classifier.thresholds is not None:
        decided = decide_label_sets(probabilities, classifier.labels, classifier.thresholds)
    else:
        decided = decide_labels(probabilities, classifier.labels, classifier.threshold)
    lengths = [0] * len(texts)
    for number, row in zip(present, rows, strict=True):
        lengths[number] = len(row["input_ids"])
    return Predictions(probabilities, decided, truncated, lengths)


def encode_texts(classifier: Classifier, texts: Sequence[str]) -> tuple[list[dict], int]:
    """Return (the model's inputs of each cleaned text, in its template and cut; how many were too long)."""
    if classifier.pipeline is not None:
        return classifier.pipeline.encode(texts, classifier.max_length)
    encoded, tail = encode_for_classification(classifier.tokenizer, texts)
    rows = [{"input_ids": truncate(text, classifier.max_length, tail)} for text in encoded]
    return rows, sum(len(text) > classifier.max_length for text in encoded)


def classifier_logits(
    model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase", rows: Sequence[dict], **options
) -> "numpy.ndarray":
    """Return the model's logits for rows {"input_ids"}, in the given order: (texts, labels) float64.

    The options are those of `forward.forward_in_batches`.
    """
    from utils.compute.batching import pad_rows
    from utils.compute.forward import last_token_outputs

    collate = partial(pad_rows, pad_id=padding_id(tokenizer), side=tokenizer.padding_side)
    if tokenizer.cls_token_id is not None:  # an encoder; padding after the text cannot change a causal model's answer
        options["batching"] = _batching(model, rows, collate)
    return last_token_outputs(model, rows, collate, model.config.num_labels, **options)


def _batching(model: "PreTrainedModel", rows: Sequence[dict], collate: Callable) -> "Batching":
    """Return with which other rows an encoder gives each row the logits that it has alone."""
    from utils.compute.batching import PADDED
    from utils.compute.forward import find_batching

    if model not in _batchings:
        ids = next((row["input_ids"] for row in rows if len(row["input_ids"]) >= ENOUGH_TOKENS), None)
        if ids is None:
            return PADDED
        quarter = len(ids) // 4
        shorter = ids[:quarter] + ids[-quarter:]  # both with the tokens at the start and at the end
        _batchings[model] = find_batching(model, [{"input_ids": shorter}, {"input_ids": ids}], collate)
    return _batchings[model]


def decide_labels(probabilities: "numpy.ndarray", labels: Sequence[str], threshold: float | None) -> list[str | None]:
    """Return the label of each row: the most likely one or, with a threshold, the second of two where it reaches it."""
    if threshold is not None:
        return [None if second != second else labels[int(second >= threshold)] for second in probabilities[:, 1]]
    return [None if row[0] != row[0] else labels[row.argmax()] for row in probabilities]


def decide_label_sets(
    probabilities: "numpy.ndarray", labels: Sequence[str], thresholds: Sequence[float]
) -> list[tuple[str, ...] | None]:
    """Return the labels of each row that reach their thresholds, perhaps none; None for a row of nan."""
    return [
        None
        if row[0] != row[0]
        else tuple(label for label, share, least in zip(labels, row, thresholds, strict=True) if share >= least)
        for row in probabilities.tolist()
    ]
