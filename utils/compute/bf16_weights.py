"""Matrices held in bfloat16 while autocast would cast them anew for every batch, to the same values."""

import contextlib
from collections.abc import Iterator

import torch
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D


@contextlib.contextmanager
def frozen_weights_in_bf16(model: PreTrainedModel, enabled: bool) -> Iterator[None]:
    """While training, those of frozen layers; afterwards the originals are back.

    3 to 9 % of a step's time on a CPU (docs/results.md).
    """
    with _given_back(cast_frozen_weights(model) if enabled else {}):
        yield


@contextlib.contextmanager
def weights_in_bf16(model: PreTrainedModel, enabled: bool) -> Iterator[None]:
    """While nothing trains, those of all layers, on a CPU; afterwards the originals are back.

    12 % of the time to classify there (docs/results.md). A GPU would have to send the originals away and fetch them.
    """
    with _given_back(_halve(_matrices(model)) if enabled and model.device.type == "cpu" else {}):
        yield


def cast_frozen_weights(model: PreTrainedModel) -> dict[torch.nn.Parameter, torch.Tensor]:
    """Turn the matrices of frozen layers into bfloat16; the originals, for whoever wants them back."""
    return _halve(parameter for parameter in _matrices(model) if not parameter.requires_grad)


def _matrices(model: PreTrainedModel) -> Iterator[torch.nn.Parameter]:
    """The float32 parameters of linear layers, but for the head, which is often the embedding, too."""
    for module in model.modules():
        if isinstance(module, torch.nn.Linear | Conv1D) and module is not model.get_output_embeddings():
            for parameter in module.parameters(recurse=False):
                if parameter.dtype == torch.float32:
                    yield parameter


def _halve(parameters: Iterator[torch.nn.Parameter]) -> dict[torch.nn.Parameter, torch.Tensor]:
    originals = {}
    for parameter in parameters:
        originals[parameter] = parameter.data.cpu()  # they need no room on a GPU meanwhile
        parameter.data = parameter.data.to(torch.bfloat16)
    return originals


@contextlib.contextmanager
def _given_back(originals: dict[torch.nn.Parameter, torch.Tensor]) -> Iterator[None]:
    try:
        yield
    finally:
        for parameter, original in originals.items():
            parameter.data = original.to(parameter.device)
