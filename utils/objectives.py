"""What training minimises and what validation measures: writing texts, or telling labels apart."""

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial

import torch
from transformers import PreTrainedModel, TrainerCallback

from utils.callbacks import Samples
from utils.checkpoint import Trained
from utils.classification import logits_of
from utils.encoding import collate, collate_labelled, padding_of, start_and_end
from utils.head_loss import has_plain_head, losses_for_logits, mean_of_losses
from utils.last_block import last_tokens, parts_alone, read_alone
from utils.next_token import next_token_loss, supervised_rows_alone
from utils.packing import collate_packed
from utils.scoring import score


@dataclass(frozen=True)
class Objective:
    """How a model learns from rows.

    `collate` makes a batch of rows. `loss(outputs, labels, num_items_in_batch)` is the batch's loss, where the outputs
    are computed within `reading(model, inputs)`. `evaluate(model, rows)` gives the figures of a validation split: a
    "loss", `metric`, by which the best model is chosen, and what else is worth a log line. `keep_start`: a start that
    no evaluation reaches again is the best model; a head that starts from a probe can be that good. `padded`: batches
    have padding, and so a mask.
    """

    collate: Callable[[Sequence[dict]], dict]
    loss: Callable
    reading: Callable[[PreTrainedModel, dict], AbstractContextManager]
    evaluate: Callable[[PreTrainedModel, Sequence[dict]], dict[str, float]]
    metric: str
    greater_is_better: bool
    keep_start: bool = False
    padded: bool = True
    callbacks: list[TrainerCallback] = field(default_factory=list)


def writing(base: Trained, samples: Sequence[list[int]], *, pack: bool = False, end: int | None = None) -> Objective:
    """The likelihood of the next token. Rows are those of `rows.training_rows`; with `pack`, a batch is one row.

    `samples` are prompts, as ids from the start token on, whose continuations are shown; `end` is the token that ends
    them, by default end-of-text.
    """
    end_of_text = start_and_end(base.tokenizer)[1]
    plain = has_plain_head(base.model)
    parts_alone(base.model)
    head_rows = losses_for_logits if plain else supervised_rows_alone
    return Objective(
        collate=collate_packed if pack else partial(collate, pad_id=end_of_text),
        loss=mean_of_losses if plain else next_token_loss,
        reading=lambda model, inputs: head_rows(model, inputs["labels"]),
        evaluate=_likelihood,
        metric="bits_per_byte",
        greater_is_better=False,
        padded=not pack,
        callbacks=[Samples(base, samples, end_of_text if end is None else end)],
    )


def _likelihood(model: PreTrainedModel, rows: Sequence[dict]) -> dict[str, float]:
    """Totals divided by totals, never a mean of the batches' means."""
    scores = score(model, rows, progress="validation")
    nats, tokens = math.fsum(scores.nats), sum(scores.tokens)
    return {
        "loss": nats / tokens,
        "bits_per_byte": nats / math.log(2) / sum(row["bytes"] for row in rows),
        "token_accuracy": sum(scores.right) / tokens,
    }


def telling_apart(base: Trained, class_weights: Sequence[float] | None) -> Objective:
    """The likelihood of the right label, weighted by class. Rows are those of `rows.labelled_rows`."""
    weights = None if class_weights is None else torch.tensor(class_weights)
    parts_alone(base.model)
    return Objective(
        collate=partial(collate_labelled, pad_id=padding_of(base.tokenizer)),
        loss=partial(_weighted_loss, weights),
        reading=lambda model, inputs: read_alone(model, last_tokens(model, inputs)),
        evaluate=partial(_classification, base),
        metric="macro_f1",
        greater_is_better=True,
        keep_start=True,
    )


def _weighted_loss(weights: torch.Tensor | None, outputs, labels: torch.Tensor, num_items_in_batch=None):
    """The sum over the batch divided by its rows, also where the batch comes in several parts."""
    logits = outputs["logits"].float()
    weights = None if weights is None else weights.to(logits.device)
    total = torch.nn.functional.cross_entropy(logits, labels, weights, reduction="sum")
    return total / (len(labels) if num_items_in_batch is None else num_items_in_batch)


def _classification(base: Trained, model: PreTrainedModel, rows: Sequence[dict]) -> dict[str, float]:
    from sklearn.metrics import f1_score

    logits = torch.from_numpy(logits_of(model, base.tokenizer, rows))
    labels = torch.tensor([row["label"] for row in rows])
    predicted = logits.argmax(-1)
    return {
        "loss": torch.nn.functional.cross_entropy(logits, labels).item(),
        "macro_f1": float(f1_score(labels, predicted, average="macro", labels=range(logits.shape[1]), zero_division=0)),
        "accuracy": (predicted == labels).double().mean().item(),
    }
