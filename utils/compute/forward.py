"""The forward passes of inference: rows in batches of similar length, in eval mode, shared among processes.

Without it: `model(**inputs)` under `torch.inference_mode()`, one row at a time. Results differ by the rounding of the
number format.
"""

from collections.abc import Callable, Sequence

import numpy
import torch
from tqdm import tqdm
from transformers import PreTrainedModel

from utils import distributed
from utils.compute.batching import PADDED, Batching, batches_by_length
from utils.compute.bf16_weights import scores_in_float32, weights_in_bf16
from utils.compute.device import autocast
from utils.compute.last_block import compute_only, last_token_mask, skippable_modules
from utils.compute.onednn_linear import onednn_linear
from utils.compute.patching import eval_mode

Inputs = dict[str, torch.Tensor]
TOLERANCE = 2e-5  # of the largest logit


def forward_in_batches(
    model: PreTrainedModel,
    rows: Sequence[dict],
    collate: Callable[[Sequence[dict]], Inputs],
    forward: Callable[[Inputs], torch.Tensor],
    width: int,
    *,
    batching: Batching = PADDED,
    bfloat16: bool = False,
    progress: str | None = None,
) -> numpy.ndarray:
    """Return the results of `forward` for rows {"input_ids", …}, in their order: (rows, width) float64.

    `collate` makes the inputs of a batch, which `forward` gets on the model's device; it returns (texts, width).
    `progress` names a bar on stderr (on a terminal only). Every process gets the results of all of them.
    """
    results = numpy.zeros((len(rows), width))

    def store(numbers: list[int], inputs: Inputs) -> None:
        results[numbers] = forward(inputs).double().cpu().numpy()

    precision = "bf16" if bfloat16 else "fp32"
    run_in_batches(model, rows, collate, store, precision=precision, progress=progress, batching=batching)
    return distributed.sum_over_processes(results)


def last_token_outputs(
    model: PreTrainedModel, rows: Sequence[dict], collate: Callable[[Sequence[dict]], Inputs], width: int, **options
) -> numpy.ndarray:
    """Return the outputs of a classifier's head at the last token of rows {"input_ids"}: (rows, width) float64.

    `collate` and the options are those of `forward_in_batches`.
    """
    skippable_modules(model)

    def forward(inputs: Inputs) -> torch.Tensor:
        with compute_only(model, last_token_mask(model, inputs)):
            return model(**inputs).logits

    with scores_in_float32(model):
        return forward_in_batches(model, rows, collate, forward, width, **options)


def find_batching(
    model: PreTrainedModel,
    rows: Sequence[dict],
    collate: Callable[[Sequence[dict]], Inputs],
    tolerance: float = TOLERANCE,
) -> Batching:
    """Return the batching that keeps each row's logits as they are alone, by trial on two rows of unlike lengths.

    Padding changes what convolutions (ConvBERT) and Fourier transforms (FNet) compute, and a model without a padding
    token may refuse a second row.
    """

    def logits(rows: Sequence[dict]) -> torch.Tensor:
        return model(**{name: tensor.to(model.device) for name, tensor in collate(rows).items()}).logits

    with eval_mode(model), torch.inference_mode():
        alone = torch.cat([logits([row]) for row in rows])
        for batching, numbers in ((PADDED, [0, 1]), (Batching(padding=False), [0, 0])):
            try:
                difference = (logits([rows[number] for number in numbers]) - alone[numbers]).abs().max()
            except ValueError:
                continue
            if difference <= tolerance * alone.abs().max():
                return batching
    return Batching(padding=False, most_rows=1)


def run_in_batches(
    model: PreTrainedModel,
    rows: Sequence[dict],
    collate: Callable[[Sequence[dict]], Inputs],
    step: Callable[[list[int], Inputs], None],
    *,
    precision: str,
    progress: str | None,
    batching: Batching = PADDED,
) -> None:
    """Call `step(row numbers, inputs)` for this process's share of the batches, the longest rows first.

    Meanwhile the model is in eval mode and computes in `precision` (fp32, bf16 or fp16) without gradients.
    """
    lengths = [len(row["input_ids"]) for row in rows]
    batches = distributed.shard(batches_by_length(lengths, model.device.type, batching))
    hidden = None if progress else True  # None: unless stderr is a terminal
    on_cpu = model.device.type == "cpu"  # moving the originals off a GPU and back takes longer than it saves
    with (
        eval_mode(model),
        torch.inference_mode(),
        autocast(model.device.type, precision),
        weights_in_bf16(model, precision == "bf16" and on_cpu, all_layers=True),
        onednn_linear(model),
        tqdm(total=sum(map(len, batches)), desc=progress, unit=" texts", leave=False, disable=hidden) as bar,
    ):
        for numbers in batches:
            inputs = collate([rows[number] for number in numbers])
            step(numbers, {name: tensor.to(model.device) for name, tensor in inputs.items()})
            bar.update(len(numbers))
