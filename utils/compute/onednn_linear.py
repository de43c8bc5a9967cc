"""Float32 linear layers through oneDNN where PyTorch's own library is slower: on AMD processors with AVX-512.

PyTorch multiplies float32 matrices with Intel's MKL, which uses half the vector width on AMD. On an EPYC of family 26
(Zen 5) one core does 100 billion operations a second with it and 210 billion with oneDNN, which PyTorch brings too,
and which is no slower for a single row. It is the same arithmetic in another order.
"""

import contextlib
import functools
from collections.abc import Iterator

import torch
from transformers.pytorch_utils import Conv1D


@functools.cache
def is_faster_here() -> bool:
    """Whether this processor is one of those."""
    processor = torch.cpu.get_capabilities()
    return (
        torch.backends.mkldnn.is_available()
        and processor.get("avx512_f", False)
        and "AMD" in processor.get("cpu_name", "")
    )


def onednn_matmul(states: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """states (…, width) @ weight (outputs, width).T, where there is no gradient."""
    if states.dtype == torch.float32 and states.device.type == "cpu" and is_faster_here():
        return torch.ops.mkldnn._linear_pointwise(states, weight, None, "none", [], "")
    return states @ weight.T


@contextlib.contextmanager
def onednn_linear(model: torch.nn.Module) -> Iterator[None]:
    """While the block runs, the model computes its linear layers so; for inference, there is no gradient."""
    layers = []
    if is_faster_here():
        layers = [
            module
            for module in model.modules()
            if type(module) in (torch.nn.Linear, Conv1D)
            and "forward" not in vars(module)  # else somebody has put something in its place
            and module.weight.device.type == "cpu"
            and module.weight.dtype == torch.float32
        ]
    for layer in layers:
        layer.forward = functools.partial(_linear, layer)
    try:
        yield
    finally:
        for layer in layers:
            del layer.forward


def _linear(layer: torch.nn.Module, states: torch.Tensor) -> torch.Tensor:
    if torch.is_autocast_enabled("cpu"):
        return type(layer).forward(layer, states)
    weight = layer.weight.t() if type(layer) is Conv1D else layer.weight
    return torch.ops.mkldnn._linear_pointwise(states, weight, layer.bias, "none", [], "")
