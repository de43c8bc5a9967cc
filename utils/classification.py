"""Using a model that classifies: texts in, calibrated probabilities and labels out, in batches by length."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from utils import checkpoint, processes
from utils.cleaning import Cleaning, clean
from utils.encoding import context_length, cut, encode_for_classification, pad, padding_of
from utils.errors import UserError
from utils.scoring import batches_by_length

if TYPE_CHECKING:
    import numpy
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

log = logging.getLogger(__name__)

# A classifier of another maker brings no recipe: its texts are taken as they are.
AS_IT_IS = Cleaning(
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
    if not checkpoint.classifies(model):
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
        cleaning=Cleaning(**run["cleaning"]) if run else AS_IT_IS,
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
    rows = [{"input_ids": cut(text, classifier.max_length, tail)} for text in encoded]
    logits = numpy.full((len(texts), len(classifier.labels)), numpy.nan)
    if present:
        logits[present] = logits_of(classifier.model, classifier.tokenizer, rows, bfloat16=bfloat16, progress=progress)
    probabilities = softmax(logits / classifier.temperature)
    return Predictions(
        probabilities=probabilities,
        labels=decide(probabilities, classifier.labels, classifier.threshold),
        truncated=sum(len(text) > classifier.max_length for text in encoded),
    )


def logits_of(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    rows: Sequence[dict],
    *,
    bfloat16: bool = False,
    progress: str | None = None,
) -> "numpy.ndarray":
    """The model's logits for rows {"input_ids"}, in the order given: (texts, labels), float64.

    Several processes share the batches, see `utils.processes`.
    """
    import numpy
    import torch
    from tqdm import tqdm

    from utils.fast_linear import fast_linear
    from utils.half_weights import weights_in_bfloat16
    from utils.last_block import last_tokens, parts_alone, read_alone

    pad_id, device = padding_of(tokenizer), model.device
    found = numpy.zeros((len(rows), model.config.num_labels))
    batches = processes.share(batches_by_length([len(row["input_ids"]) for row in rows], device.type))
    was_training = model.training
    model.eval()
    parts_alone(model)
    bar = tqdm(
        total=sum(map(len, batches)), desc=progress, unit=" texts", leave=False, disable=None if progress else True
    )
    with (
        torch.inference_mode(),
        torch.autocast(device.type, torch.bfloat16, enabled=bfloat16),
        weights_in_bfloat16(model, bfloat16),
        fast_linear(model),
        bar,
    ):
        for batch in batches:
            inputs = pad([rows[number] for number in batch], pad_id)
            inputs = {name: tensor.to(device) for name, tensor in inputs.items()}
            with read_alone(model, last_tokens(model, inputs)):
                logits = model(**inputs).logits
            found[batch] = logits.double().cpu().numpy()
            bar.update(len(batch))
    model.train(was_training)
    return processes.summed(found)


def softmax(logits: "numpy.ndarray") -> "numpy.ndarray":
    """Probabilities of rows of logits; a row of nan stays one."""
    import numpy

    powers = numpy.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def decide(probabilities: "numpy.ndarray", labels: Sequence[str], threshold: float | None) -> list[str | None]:
    """The label of each row: the likeliest one or, with a threshold, the second of two where it reaches that."""
    if threshold is not None:
        return [None if second != second else labels[int(second >= threshold)] for second in probabilities[:, 1]]
    return [None if row[0] != row[0] else labels[row.argmax()] for row in probabilities]
