"""The weights that adapters leave alone, made small while these train: in bfloat16 or, with --load_in_4bit, in 4 bits.

4 bits are those of QLoRA (T. Dettmers et al. 2023, arXiv:2305.14314), through bitsandbytes. A number is one of the 16
values of NormalFloat4, times the largest of the 64 around it, which has 8 bits ("double quantization"). Products are
computed in the number format of the training.

The float32 originals stay in the machine's memory, and come back when the training is over: into these the adapters are
merged, not into the rounded ones.
"""

import contextlib
from argparse import Namespace
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

import torch
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from utils.compute.bf16_weights import weights_in_bf16
from utils.compute.patching import replaced_forward
from utils.errors import UsageError
from utils.training.flags import TrainingSettings

if TYPE_CHECKING:
    from bitsandbytes.functional import QuantState

TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}


def check_device_for_4_bits(flags: Namespace, device: str) -> None:
    """Raise UsageError for --load_in_4bit on a CPU, where it would save nothing."""
    if flags.load_in_4bit and device != "cuda":
        problem = "--load_in_4bit saves the memory of a CUDA GPU, and this run is on the CPU"
        raise UsageError(problem, "remove --load_in_4bit: --lora alone trains here in as much memory")


@contextlib.contextmanager
def frozen_weights(model: PreTrainedModel, settings: TrainingSettings) -> Iterator[None]:
    """Within the context, frozen matrices are in 4 bits or in bfloat16, as the settings say; they never train.

    What is then moved to a GPU is small. Afterwards the model is on the CPU, with its originals, which may not fit one.
    """
    with (
        _in_4_bits(model, settings.device, settings.precision, enabled=settings.load_in_4bit),
        weights_in_bf16(model, settings.precision == "bf16", device=settings.device),
        _on_cpu_afterwards(model),
    ):
        yield


@contextlib.contextmanager
def on_device(model: PreTrainedModel, device: str, precision: str, *, load_in_4bit: bool) -> Iterator[None]:
    """Within the context, the model is on the device, its frozen matrices in 4 bits if asked; then on the CPU again."""
    with _in_4_bits(model, device, precision, enabled=load_in_4bit), _on_cpu_afterwards(model):
        model.to(device)
        yield


@contextlib.contextmanager
def _on_cpu_afterwards(model: PreTrainedModel) -> Iterator[None]:
    try:
        yield
    finally:
        model.to("cpu")


@contextlib.contextmanager
def _in_4_bits(model: PreTrainedModel, device: str, precision: str, *, enabled: bool) -> Iterator[None]:
    """Within the context, if `enabled`, the frozen matrices of all layers but the head are in 4 bits on the device."""
    if not enabled:
        yield
        return
    from bitsandbytes.functional import quantize_4bit

    head, originals, forwards = model.get_output_embeddings(), {}, {}
    for layer in model.modules():
        if not isinstance(layer, torch.nn.Linear | Conv1D) or layer is head or layer.weight.requires_grad:
            continue
        matrix = layer.weight.data.t() if isinstance(layer, Conv1D) else layer.weight.data  # (outputs, inputs)
        matrix = matrix.to(device, TYPES[precision]).contiguous()
        packed, state = quantize_4bit(matrix, quant_type="nf4", compress_statistics=True)
        originals[layer.weight] = layer.weight.data.cpu()
        forwards[layer] = partial(_forward, layer, state)
        layer.weight.data = packed
    try:
        with replaced_forward(forwards):
            yield
    finally:
        for weight, original in originals.items():
            weight.data = original


def _forward(layer: torch.nn.Module, state: "QuantState", hidden: torch.Tensor) -> torch.Tensor:
    """Return hidden (…, inputs) times the layer's matrix, plus its bias: (…, outputs)."""
    from bitsandbytes import matmul_4bit

    if torch.is_autocast_enabled(hidden.device.type):
        hidden = hidden.to(torch.get_autocast_dtype(hidden.device.type))
    bias = None if layer.bias is None else layer.bias.to(hidden.dtype)
    return matmul_4bit(hidden, layer.weight, state, bias=bias)
