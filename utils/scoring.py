"""How likely a model finds texts: the negative log likelihood of every supervised token, in batches by length."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from utils import processes

if TYPE_CHECKING:
    from transformers import PreTrainedModel

TOKENS_IN_A_BATCH = 2048  # logits of 2,048 × 50,000 float32 take 400 MB


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

    found = numpy.zeros((3, len(rows)))
    batches = processes.share(batches_by_length([len(row["input_ids"]) for row in rows]))
    device = model.device
    was_training = model.training
    model.eval()
    bar = tqdm(
        total=sum(map(len, batches)), desc=progress, unit=" texts", leave=False, disable=None if progress else True
    )
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=bfloat16), bar:
        for batch in batches:
            inputs = collate([rows[number] for number in batch], pad_id=0)
            targets = inputs.pop("labels")[:, 1:].to(device)
            logits = model(**{name: tensor.to(device) for name, tensor in inputs.items()}, use_cache=False).logits
            counted = targets != IGNORED
            logits = logits[:, :-1][counted].float()
            losses = torch.nn.functional.cross_entropy(logits, targets[counted], reduction="none")
            hits = logits.argmax(-1) == targets[counted]
            owners = torch.arange(len(batch), device=device)[:, None].expand_as(targets)[counted]
            sums = torch.zeros(3, len(batch), dtype=torch.float64, device=device)
            sums.index_add_(1, owners, torch.stack([losses.double(), torch.ones_like(losses).double(), hits.double()]))
            found[:, batch] = sums.cpu().numpy()
            bar.update(len(batch))
    model.train(was_training)
    nats, tokens, right = processes.summed(found)
    return Scores(nats.tolist(), tokens.astype(int).tolist(), right.astype(int).tolist())


def batches_by_length(lengths: Sequence[int]) -> list[list[int]]:
    """Row numbers in batches of similar length, the longest first, none above TOKENS_IN_A_BATCH with its padding."""
    batches, batch = [], []
    for number in sorted(range(len(lengths)), key=lambda number: (-lengths[number], number)):
        if batch and (len(batch) + 1) * lengths[batch[0]] > TOKENS_IN_A_BATCH:
            batches.append(batch)
            batch = []
        batch.append(number)
    return [*batches, batch] if batch else batches
