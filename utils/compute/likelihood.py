"""The negative log-likelihood (nll) that a model gives to texts: every supervised token's, summed per text.

Without it: `torch.nn.functional.cross_entropy` of the logits of one text at a time. Results differ by the rounding of
the number format.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from transformers import PreTrainedModel

from utils.compute.batching import IGNORED, collate_texts
from utils.compute.chunked_loss import next_token_scoring
from utils.compute.forward import forward_in_batches
from utils.compute.last_block import skippable_modules


@dataclass(frozen=True)
class TokenScores:
    """Per text, in the given order: nll in nats, supervised tokens, and tokens that were the model's first choice.

    `first` and `last` are the parts of nll that belong to the first and to the last supervised token.
    """

    nll: list[float]
    tokens: list[int]
    correct: list[int]
    first: list[float]
    last: list[float]


def score_texts(model: PreTrainedModel, rows: Sequence[dict], **options) -> TokenScores:
    """Score rows {"input_ids", "loss_start"}. The options are those of `forward_in_batches`."""
    context, scores_of = next_token_scoring(model)
    skippable_modules(model)

    def sums_per_text(inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        labels = inputs.pop("labels")
        with context(model, labels):
            logits = model(**inputs, use_cache=False).logits
        scores = scores_of(logits, labels)
        supervised = labels[:, 1:] != IGNORED
        text = torch.arange(len(labels), device=labels.device)[:, None].expand_as(supervised)[supervised]
        sums = torch.zeros(len(labels), 5, dtype=torch.float64, device=labels.device)
        nll, correct = scores[:, 0], scores[:, 1]
        edge = torch.ones(1, dtype=torch.bool, device=labels.device)
        changes = text[1:] != text[:-1]
        first, last = torch.cat([edge, changes]), torch.cat([changes, edge])
        counted = torch.stack([nll, torch.ones_like(nll), correct, nll * first, nll * last], dim=1)
        return sums.index_add_(0, text, counted.double())

    collate = partial(collate_texts, pad_id=0)
    sums = forward_in_batches(model, rows, collate, sums_per_text, 5, **options)
    nll, tokens, correct, first, last = sums.T
    counts = (column.astype(int).tolist() for column in (tokens, correct))
    return TokenScores(nll.tolist(), *counts, first.tolist(), last.tolist())
