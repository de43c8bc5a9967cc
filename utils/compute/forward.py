"""The forward passes of inference: rows in batches of similar length, in eval mode, shared among processes.

Without it: `model(**inputs)` under `torch.inference_mode()`, one row at a time. Results differ by the rounding of the
number format.
"""

from collections.abc import Callable, Sequence
from functools import partial

import numpy
import torch
from tqdm import tqdm
from transformers import PreTrainedModel

from utils import distributed
from utils.compute.batching import batches_by_length, pad_rows
from utils.compute.bf16_weights import weights_in_bf16
from utils.compute.device import autocast
from utils.compute.last_block import compute_only, last_token_mask, skippable_modules
from utils.compute.onednn_linear import onednn_linear
from utils.compute.patching import eval_mode

Inputs = dict[str, torch.Tensor]


def forward_in_batches(
    model: PreTrainedModel,
    rows: Sequence[dict],
    collate: Callable[[Sequence[dict]], Inputs],
    forward: Callable[[Inputs], torch.Tensor],
    width: int,
    *,
    bfloat16: bool = False,
    progress: str | None = None,
) -> numpy.ndarray:
    """Return what `forward` computes for rows {"input_ids", …}, in their order: (rows, width) float64.

    `collate` makes the inputs of a batch, which `forward` gets on the model's device; it returns (texts, width).
    `progress` names a bar on stderr (on a terminal only). Every process gets the results of all of them.
    """
    results = numpy.zeros((len(rows), width))

    def store(numbers: list[int], inputs: Inputs) -> None:
        results[numbers] = forward(inputs).double().cpu().numpy()

    run_in_batches(model, rows, collate, store, precision="bf16" if bfloat16 else "fp32", progress=progress)
    return distributed.sum_over_processes(results)


def last_token_outputs(model: PreTrainedModel, rows: Sequence[dict], pad_id: int, width: int, **options):
    """Return what a classifier's head computes from the last token of rows {"input_ids"}: (rows, width) float64.

    The options are those of `forward_in_batches`.
    """
    skippable_modules(model)

    def forward(inputs: Inputs) -> torch.Tensor:
        with compute_only(model, last_token_mask(model, inputs)):
            return model(**inputs).logits

    collate = partial(pad_rows, pad_id=pad_id)
    return forward_in_batches(model, rows, collate, forward, width, **options)


def run_in_batches(
    model: PreTrainedModel,
    rows: Sequence[dict],
    collate: Callable[[Sequence[dict]], Inputs],
    step: Callable[[list[int], Inputs], None],
    *,
    precision: str,
    progress: str | None,
) -> None:
    """Call `step(row numbers, inputs)` for this process's share of the batches, the longest rows first.

    Meanwhile the model is in eval mode and computes in `precision` (fp32, bf16 or fp16) without gradients.
    """
    batches = distributed.shard(batches_by_length([len(row["input_ids"]) for row in rows], model.device.type))
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
