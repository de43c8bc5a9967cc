"""How likely a model finds texts: the negative log-likelihood (nll) of every supervised token, summed per text.

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
    """Per text, in the given order: nll in nats, supervised tokens, and tokens that were the model's first choice."""

    nll: list[float]
    tokens: list[int]
    correct: list[int]


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
        sums = torch.zeros(len(labels), 3, dtype=torch.float64, device=labels.device)
        counted = torch.stack([scores[:, 0], torch.ones_like(scores[:, 0]), scores[:, 1]], dim=1)
        return sums.index_add_(0, text, counted.double())

    collate = partial(collate_texts, pad_id=0)
    sums = forward_in_batches(model, rows, collate, sums_per_text, 3, **options)
    nll, tokens, correct = sums.T
    return TokenScores(nll.tolist(), tokens.astype(int).tolist(), correct.astype(int).tolist())
