"""A trained classifier in use: texts in, calibrated probabilities and labels out, in batches by length."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from utils.errors import UserError
from utils.models import checkpoint
from utils.models.tokenization import context_length, encode_for_classification, longest_text, padding_id, truncate
from utils.text.cleaning import CHOICES, Cleaning, clean, from_saved

if TYPE_CHECKING:
    import numpy
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

NO_CLEANING = Cleaning(**dict.fromkeys(CHOICES, "keep"))  # for a classifier that fine_tune.py did not train


@dataclass(frozen=True)
class Classifier:
    """A model and everything that its predictions depend on, as in training.

    `threshold` is for the probability of the second of two labels; with None, the most likely label is predicted.
    Texts are truncated to `max_length` tokens.
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
    """Predictions for each text, in order. A text of which cleaning leaves nothing has a row of nan and no label."""

    probabilities: "numpy.ndarray"  # (texts, labels), float64, calibrated
    labels: list[str | None]
    truncated: int  # the number of texts that were too long


def open_classifier(model_path: str, trained: checkpoint.Trained | None = None) -> Classifier:
    """Return the classifier that --model_path names, ours or another one; `trained` where it is loaded already.

    UserError for a model that writes texts.
    """
    trained = trained or checkpoint.load(model_path)
    model, run = trained.model, trained.run
    if not checkpoint.is_trained_classifier(model):
        raise UserError(
            f"{model_path} writes texts and does not classify them", f"run python generate.py --model_path {model_path}"
        )
    calibration = run.get("calibration", {})
    return Classifier(
        model=model,
        tokenizer=trained.tokenizer,
        labels=run.get("labels") or [str(model.config.id2label[number]) for number in range(model.config.num_labels)],
        template=run.get("template", "{prompt}"),
        cleaning=from_saved(run["cleaning"]) if run else NO_CLEANING,
        temperature=calibration.get("temperature", 1.0),
        threshold=calibration.get("threshold"),
        max_length=min(run.get("max_length", longest_text(model, trained.tokenizer)), context_length(model)),
        run=run,
    )


def classify_texts(
    classifier: Classifier, texts: Sequence[str | None], *, bfloat16: bool = False, progress: str | None = None
) -> Predictions:
    """Clean, encode, truncate and classify texts. `progress` names a bar on stderr (on a terminal only)."""
    import numpy
    from scipy.special import softmax

    cleaned = [clean(text or "", classifier.cleaning) for text in texts]
    present = [number for number, text in enumerate(cleaned) if text]
    model, tokenizer = classifier.model, classifier.tokenizer
    encoded, tail = encode_for_classification(tokenizer, [text for text in cleaned if text], classifier.template)
    rows = [{"input_ids": truncate(text, classifier.max_length, tail)} for text in encoded]
    logits = numpy.full((len(texts), len(classifier.labels)), numpy.nan)
    if present:
        logits[present] = classifier_logits(model, tokenizer, rows, bfloat16=bfloat16, progress=progress)
    probabilities = softmax(logits / classifier.temperature, axis=1)
    return Predictions(
        probabilities=probabilities,
        labels=decide_labels(probabilities, classifier.labels, classifier.threshold),
        truncated=sum(len(text) > classifier.max_length for text in encoded),
    )


def classifier_logits(
    model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase", rows: Sequence[dict], **options
) -> "numpy.ndarray":
    """Return the model's logits for rows {"input_ids"}, in the given order: (texts, labels) float64.

    The options are those of `forward.forward_in_batches`.
    """
    from utils.compute.forward import last_token_outputs

    return last_token_outputs(model, rows, padding_id(tokenizer), model.config.num_labels, **options)


def decide_labels(probabilities: "numpy.ndarray", labels: Sequence[str], threshold: float | None) -> list[str | None]:
    """Return the label of each row: the most likely one or, with a threshold, the second of two where it reaches it."""
    if threshold is not None:
        return [None if second != second else labels[int(second >= threshold)] for second in probabilities[:, 1]]
    return [None if row[0] != row[0] else labels[row.argmax()] for row in probabilities]
