"""How likely a model finds texts: the negative log-likelihood (nll) of every supervised token, summed per text.

Plain call: `torch.nn.functional.cross_entropy` of the logits of one text at a time. Results differ by the rounding of
the number format.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class TokenScores:
    """Per text, in the given order: nll in nats, supervised tokens, and tokens that were the model's first choice."""

    nll: list[float]
    tokens: list[int]
    correct: list[int]


def score_texts(
    model: "PreTrainedModel", rows: Sequence[dict], *, bfloat16: bool = False, progress: str | None = None
) -> TokenScores:
    """Score rows {"input_ids", "loss_start"}. `progress` names a bar on stderr (on a terminal only)."""
    import torch

    from utils.compute.batching import IGNORED, collate_texts
    from utils.compute.chunked_loss import has_plain_head, losses_instead_of_logits, only_supervised_logits
    from utils.compute.forward import forward_in_batches
    from utils.compute.last_block import skippable_modules

    plain = has_plain_head(model)
    skippable_modules(model)

    def sums_per_text(inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        labels = inputs.pop("labels")
        with (losses_instead_of_logits if plain else only_supervised_logits)(model, labels):
            outputs = model(**inputs, use_cache=False).logits
        supervised = labels[:, 1:] != IGNORED
        scores = outputs if plain else nll_and_correct(outputs, labels[:, 1:][supervised])
        text = torch.arange(len(labels), device=labels.device)[:, None].expand_as(supervised)[supervised]
        sums = torch.zeros(len(labels), 3, dtype=torch.float64, device=labels.device)
        counted = torch.stack([scores[:, 0], torch.ones_like(scores[:, 0]), scores[:, 1]], dim=1)
        return sums.index_add_(0, text, counted.double())

    collate = partial(collate_texts, pad_id=0)
    sums = forward_in_batches(model, rows, collate, sums_per_text, 3, bfloat16=bfloat16, progress=progress)
    nll, tokens, correct = sums.T
    return TokenScores(nll.tolist(), tokens.astype(int).tolist(), correct.astype(int).tolist())


def nll_and_correct(logits: "torch.Tensor", targets: "torch.Tensor") -> "torch.Tensor":
    """Return (tokens, 2) float32: the nll of each target, and 1 where the target has the highest logit."""
    import torch

    nll = torch.nn.functional.cross_entropy(logits.float(), targets, reduction="none")
    return torch.stack([nll, (logits.argmax(-1) == targets).float()], dim=1)
