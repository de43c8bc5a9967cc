"""How likely a model finds texts: the negative log likelihood of every supervised token, in batches by length."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from utils import distributed
from utils.compute.batching import batches_by_length

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class TokenScores:
    """Per text, in the order given: nats, supervised tokens, and those that were the model's first choice."""

    nats: list[float]
    tokens: list[int]
    right: list[int]


def score_texts(
    model: "PreTrainedModel", rows: Sequence[dict], *, bfloat16: bool = False, progress: str | None = None
) -> TokenScores:
    """Score rows {"input_ids", "loss_start"}. `progress` names a bar on stderr (on a terminal only).

    Padding counts for nothing. Several processes share the batches, see `utils.distributed`.
    """
    import numpy
    import torch
    from tqdm import tqdm

    from utils.compute.batching import IGNORED, collate_texts
    from utils.compute.bf16_weights import weights_in_bf16
    from utils.compute.chunked_loss import has_plain_head, losses_instead_of_logits, only_supervised_logits
    from utils.compute.last_block import skippable_modules
    from utils.compute.onednn_linear import onednn_linear

    found = numpy.zeros((3, len(rows)))
    device = model.device
    batches = distributed.shard(batches_by_length([len(row["input_ids"]) for row in rows], device.type))
    plain = has_plain_head(model)
    skippable_modules(model)
    was_training = model.training
    model.eval()
    bar = tqdm(
        total=sum(map(len, batches)), desc=progress, unit=" texts", leave=False, disable=None if progress else True
    )
    with (
        torch.inference_mode(),
        torch.autocast(device.type, torch.bfloat16, enabled=bfloat16),
        weights_in_bf16(model, bfloat16),
        onednn_linear(model),
        bar,
    ):
        for batch in batches:
            inputs = collate_texts([rows[number] for number in batch], pad_id=0)
            labels = inputs.pop("labels").to(device)
            inputs = {name: tensor.to(device) for name, tensor in inputs.items()}
            with (losses_instead_of_logits if plain else only_supervised_logits)(model, labels):
                outputs = model(**inputs, use_cache=False).logits
            counted = labels[:, 1:] != IGNORED
            losses, hits = (outputs if plain else nll_and_correct(outputs, labels[:, 1:][counted])).unbind(1)
            owners = torch.arange(len(batch), device=device)[:, None].expand_as(counted)[counted]
            sums = torch.zeros(3, len(batch), dtype=torch.float64, device=device)
            sums.index_add_(1, owners, torch.stack([losses, torch.ones_like(losses), hits]).double())
            found[:, batch] = sums.cpu().numpy()
            bar.update(len(batch))
    model.train(was_training)
    nats, tokens, right = distributed.sum_over_processes(found)
    return TokenScores(nats.tolist(), tokens.astype(int).tolist(), right.astype(int).tolist())


def nll_and_correct(logits: "torch.Tensor", targets: "torch.Tensor") -> "torch.Tensor":
    """(tokens, 2) float32: the nats of each target, and 1 where it has the highest logit."""
    import torch

    losses = torch.nn.functional.cross_entropy(logits.float(), targets, reduction="none")
    return torch.stack([losses, (logits.argmax(-1) == targets).float()], dim=1)
