"""Weights kept in bfloat16 where autocast would cast them again for every batch, to the same values.

Plain call: `torch.autocast` alone, with float32 weights. Results are the same, bit for bit.
"""

import contextlib
from collections.abc import Iterable, Iterator

import torch
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

Originals = dict[torch.nn.Parameter, torch.Tensor]


@contextlib.contextmanager
def frozen_weights_in_bf16(model: PreTrainedModel, enabled: bool) -> Iterator[None]:
    """Within the context, the matrices of frozen layers are in bfloat16: 3 to 9 % of a step on a CPU."""
    with _restored(cast_frozen_weights(model) if enabled else {}):
        yield


@contextlib.contextmanager
def weights_in_bf16(model: PreTrainedModel, enabled: bool) -> Iterator[None]:
    """Within the context, in which nothing trains, the matrices of all layers are in bfloat16, on a CPU.

    That saves 12 % of the time to classify (docs/results.md). A GPU would have to move the originals away and back.
    """
    with _restored(_cast(_matrices(model)) if enabled and model.device.type == "cpu" else {}):
        yield


def cast_frozen_weights(model: PreTrainedModel) -> Originals:
    """Cast the matrices of frozen layers to bfloat16, and return the originals."""
    return _cast(parameter for parameter in _matrices(model) if not parameter.requires_grad)


def _matrices(model: PreTrainedModel) -> Iterator[torch.nn.Parameter]:
    """Yield the float32 parameters of linear layers except the head, which often is the embedding too."""
    for module in model.modules():
        if isinstance(module, torch.nn.Linear | Conv1D) and module is not model.get_output_embeddings():
            for parameter in module.parameters(recurse=False):
                if parameter.dtype == torch.float32:
                    yield parameter


def _cast(parameters: Iterable[torch.nn.Parameter]) -> Originals:
    originals = {}
    for parameter in parameters:
        originals[parameter] = parameter.data.cpu()  # takes no memory of a GPU meanwhile
        parameter.data = parameter.data.to(torch.bfloat16)
    return originals


@contextlib.contextmanager
def _restored(originals: Originals) -> Iterator[None]:
    try:
        yield
    finally:
        for parameter, original in originals.items():
            parameter.data = original.to(parameter.device)
