"""How likely a model finds texts: the negative log likelihood of every supervised token, in batches by length."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from utils import processes

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

# A processor is fastest where a batch stays in its cache (docs/results.md). Elsewhere, a head may need its logits at
# once: 2,048 × 50,000 float32 take 400 MB.
TOKENS_IN_A_BATCH = {"cpu": 512}
TOKENS_ELSEWHERE = 2048


@dataclass(frozen=True)
class Scores:
    """Per text, in the order given: nats, supervised tokens, and those that were the model's first choice."""

    nats: list[float]
    tokens: list[int]
    right: list[int]


def score(
    model: "PreTrainedModel", rows: Sequence[dict], *, bfloat16: bool = False, progress: str | None = None
) -> Scores:
    """Score rows {"input_ids", "loss_start"}. `progress` names a bar on stderr (on a terminal only).

    Padding counts for nothing. Several processes share the batches, see `utils.processes`.
    """
    import numpy
    import torch
    from tqdm import tqdm

    from utils.encoding import IGNORED, collate
    from utils.fast_linear import fast_linear
    from utils.half_weights import weights_in_bfloat16
    from utils.head_loss import has_plain_head, losses_for_logits
    from utils.last_block import parts_alone
    from utils.next_token import supervised_rows_alone

    found = numpy.zeros((3, len(rows)))
    device = model.device
    batches = processes.share(batches_by_length([len(row["input_ids"]) for row in rows], device.type))
    plain = has_plain_head(model)
    parts_alone(model)
    was_training = model.training
    model.eval()
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
            inputs = collate([rows[number] for number in batch], pad_id=0)
            labels = inputs.pop("labels").to(device)
            inputs = {name: tensor.to(device) for name, tensor in inputs.items()}
            with (losses_for_logits if plain else supervised_rows_alone)(model, labels):
                outputs = model(**inputs, use_cache=False).logits
            counted = labels[:, 1:] != IGNORED
            losses, hits = (outputs if plain else nats_and_hits(outputs, labels[:, 1:][counted])).unbind(1)
            owners = torch.arange(len(batch), device=device)[:, None].expand_as(counted)[counted]
            sums = torch.zeros(3, len(batch), dtype=torch.float64, device=device)
            sums.index_add_(1, owners, torch.stack([losses, torch.ones_like(losses), hits]).double())
            found[:, batch] = sums.cpu().numpy()
            bar.update(len(batch))
    model.train(was_training)
    nats, tokens, right = processes.summed(found)
    return Scores(nats.tolist(), tokens.astype(int).tolist(), right.astype(int).tolist())


def nats_and_hits(logits: "torch.Tensor", targets: "torch.Tensor") -> "torch.Tensor":
    """(tokens, 2) float32: the nats of each target, and 1 where it has the highest logit."""
    import torch

    losses = torch.nn.functional.cross_entropy(logits.float(), targets, reduction="none")
    return torch.stack([losses, (logits.argmax(-1) == targets).float()], dim=1)


def batches_by_length(lengths: Sequence[int], device: str) -> list[list[int]]:
    """Row numbers in batches of similar length, none with more tokens and padding than are fast on such a device."""
    most = TOKENS_IN_A_BATCH.get(device, TOKENS_ELSEWHERE)
    batches, batch = [], []
    for number in longest_first(lengths):
        if batch and (len(batch) + 1) * lengths[batch[0]] > most:
            batches.append(batch)
            batch = []
        batch.append(number)
    return [*batches, batch] if batch else batches


def longest_first(lengths: Sequence[int]) -> list[int]:
    """Row numbers, those of the longest rows first, in their order where rows are equally long."""
    return sorted(range(len(lengths)), key=lambda number: (-lengths[number], number))
