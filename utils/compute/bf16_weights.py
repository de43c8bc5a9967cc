"""Weights kept in bfloat16 where autocast would cast them to the same values again for every batch.

It saves 3 to 9% of a training step on a CPU, and 12% of the time to classify (docs/results.md).

Without it: `torch.autocast` alone, with float32 weights. Results are the same, bit for bit. `scores_in_float32` is the
exception to autocast: without it, scores differ by the rounding of bfloat16, which is 8 for years.
"""

import contextlib
from collections.abc import Callable, Iterator
from functools import partial

import torch
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from utils.compute.patching import replaced_forward


@contextlib.contextmanager
def weights_in_bf16(
    model: torch.nn.Module, enabled: bool, *, all_layers: bool = False, device: str | None = None
) -> Iterator[None]:
    """Within the context, the matrices of frozen layers, or of all, are in bfloat16; then the originals are back.

    Where a `device` is given, each is put there at once, so that memory never holds all of them twice.
    """
    originals = cast_weights(model, all_layers=all_layers, device=device) if enabled else {}
    try:
        yield
    finally:
        for parameter, original in originals.items():
            parameter.data = original.to(parameter.device)


def cast_weights(
    model: torch.nn.Module, *, all_layers: bool = False, device: str | None = None
) -> dict[torch.nn.Parameter, torch.Tensor]:
    """Cast the matrices of frozen linear layers, or of all, to bfloat16, and return the originals.

    `model` may be a part of a model. The head stays in float32, since it often is the embedding too, or gives scores.
    """
    kept = {model.get_output_embeddings() if isinstance(model, PreTrainedModel) else None, *_score_heads(model)}
    originals = {}
    for module in model.modules():
        if isinstance(module, torch.nn.Linear | Conv1D) and module not in kept:
            for parameter in module.parameters(recurse=False):
                if parameter.dtype == torch.float32 and (all_layers or not parameter.requires_grad):
                    originals[parameter] = parameter.data.cpu()  # takes no memory of a GPU meanwhile
                    parameter.data = parameter.data.to(device or parameter.device, torch.bfloat16)
    return originals


@contextlib.contextmanager
def scores_in_float32(model: torch.nn.Module) -> Iterator[None]:
    """Within the context, a layer that gives a text one number computes in float32, also under autocast.

    A score may lie far from 0 and close to others (1994, 1999), where bfloat16 has one number for all of them.
    """
    with replaced_forward({head: partial(_in_float32, head.forward) for head in _score_heads(model)}):
        yield


def _score_heads(model: torch.nn.Module) -> list[torch.nn.Linear]:
    return [layer for layer in model.modules() if isinstance(layer, torch.nn.Linear) and layer.out_features == 1]


def _in_float32(forward: Callable, hidden: torch.Tensor) -> torch.Tensor:
    with torch.autocast(hidden.device.type, enabled=False):
        return forward(hidden.float())
