"""The objectives of training, with their validation metrics: language modeling and classification."""

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial

import torch
from transformers import PreTrainedModel, TrainerCallback

from utils.compute.batching import collate_labeled, collate_texts
from utils.compute.chunked_loss import next_token_scoring
from utils.compute.last_block import compute_only, last_token_mask, skippable_modules
from utils.compute.likelihood import score_texts
from utils.inference.classifier import classifier_logits
from utils.inference.sampling import Sampling
from utils.models.checkpoint import Trained
from utils.models.tokenization import padding_id, start_and_end
from utils.training.callbacks import SamplesCallback

LONGEST_BEFORE_TRAINING = 16  # tokens of a sample


@dataclass(frozen=True)
class Objective:
    """A training objective.

    `collate(rows)` makes a batch. `loss(outputs, labels, num_items_in_batch)` is the loss of a batch whose outputs the
    model computes within the context `forward_context(model, inputs)`. `evaluate(model, rows)` returns the figures of
    a validation split: "loss", `metric`, which selects the best model, and others for the log. `keep_start`: the
    model before training is the best one if no evaluation reaches it; a head set by a linear probe can be that good.
    """

    collate: Callable[[Sequence[dict]], dict]
    loss: Callable
    forward_context: Callable[[PreTrainedModel, dict], AbstractContextManager]
    evaluate: Callable[[PreTrainedModel, Sequence[dict]], dict[str, float]]
    metric: str
    greater_is_better: bool
    keep_start: bool = False
    callbacks: list[TrainerCallback] = field(default_factory=list)
    decode: Callable[[Sequence[int]], str] = str  # the text of token ids, for messages

    @property
    def best(self) -> Callable:
        """The function that picks the best value of `metric`: `max` or `min`."""
        return max if self.greater_is_better else min

    def is_better(self, value: float, other: float) -> bool:
        """Return whether a value of `metric` is better than another one."""
        return value != other and self.best(value, other) == value


def language_modeling(
    base: Trained,
    samples: Sequence[list[int]],
    *,
    end: int | None = None,
    longest_sample: int = Sampling.max_new_tokens,
    short_at_start: bool = True,
) -> Objective:
    """Return the objective of predicting the next token. Rows are those of `rows.training_rows`.

    `samples` are prompts, as token ids with the start token, whose continuations are logged; `end` is the token that
    ends them, by default end-of-text, and `longest_sample` the most tokens that they may have; before the first step,
    that is `LONGEST_BEFORE_TRAINING` if `short_at_start`.
    """
    longest_at_start = min(longest_sample, LONGEST_BEFORE_TRAINING) if short_at_start else longest_sample
    end_of_text = start_and_end(base.tokenizer)[1]
    context, scores = next_token_scoring(base.model)
    skippable_modules(base.model)
    return Objective(
        collate=partial(collate_texts, pad_id=end_of_text),
        loss=partial(_mean_nll, scores),
        forward_context=lambda model, inputs: context(model, inputs["labels"]),
        evaluate=_evaluate_likelihood,
        metric="bits_per_byte",
        greater_is_better=False,
        callbacks=[
            SamplesCallback(base, samples, end_of_text if end is None else end, longest_sample, longest_at_start)
        ],
        decode=partial(base.tokenizer.decode, skip_special_tokens=True),
    )


def _mean_nll(scores: Callable, outputs, labels: torch.Tensor, num_items_in_batch=None) -> torch.Tensor:
    """Return the nll of the batch, divided by the supervised tokens of the optimizer step."""
    nll = scores(outputs["logits"], labels)[:, 0]
    return nll.sum() / (len(nll) if num_items_in_batch is None else num_items_in_batch)


def _evaluate_likelihood(model: PreTrainedModel, rows: Sequence[dict]) -> dict[str, float]:
    """Return totals divided by totals, never a mean of the means of batches."""
    scores = score_texts(model, rows, progress="validation")
    nll, tokens = math.fsum(scores.nll), sum(scores.tokens)
    return {
        "loss": nll / tokens,
        "bits_per_byte": nll / math.log(2) / sum(row["bytes"] for row in rows),
        "token_accuracy": sum(scores.correct) / tokens,
    }


def classification(base: Trained, class_weights: Sequence[float] | None) -> Objective:
    """Return the objective of predicting the label, weighted by class. Rows are those of `rows.labeled_rows`."""
    weights = None if class_weights is None else torch.tensor(class_weights)
    skippable_modules(base.model)
    return Objective(
        collate=partial(collate_labeled, pad_id=padding_id(base.tokenizer), side=base.tokenizer.padding_side),
        loss=partial(_weighted_loss, weights),
        forward_context=lambda model, inputs: compute_only(model, last_token_mask(model, inputs)),
        evaluate=partial(_evaluate_classification, base),
        metric="macro_f1",
        greater_is_better=True,
        keep_start=True,
        decode=partial(base.tokenizer.decode, skip_special_tokens=True),
    )


def _weighted_loss(weights: torch.Tensor | None, outputs, labels: torch.Tensor, num_items_in_batch=None):
    """Return the weighted sum over the rows, divided by all rows of the optimizer step."""
    logits = outputs["logits"].float()
    weights = None if weights is None else weights.to(logits.device)
    total = torch.nn.functional.cross_entropy(logits, labels, weights, reduction="sum")
    return total / (len(labels) if num_items_in_batch is None else num_items_in_batch)


def _evaluate_classification(base: Trained, model: PreTrainedModel, rows: Sequence[dict]) -> dict[str, float]:
    from sklearn.metrics import f1_score

    logits = torch.from_numpy(classifier_logits(model, base.tokenizer, rows, progress="validation"))
    labels = torch.tensor([row["label"] for row in rows])
    predicted = logits.argmax(-1)
    return {
        "loss": torch.nn.functional.cross_entropy(logits, labels).item(),
        "macro_f1": float(f1_score(labels, predicted, average="macro", labels=range(logits.shape[1]), zero_division=0)),
        "accuracy": (predicted == labels).double().mean().item(),
    }
