"""Float32 linear layers through oneDNN, on AMD processors with AVX-512, where it is faster than PyTorch's default.

PyTorch multiplies float32 matrices with Intel's MKL, which uses half the vector width on AMD. On an EPYC of family 26
(Zen 5), one core reaches 100 GFLOP/s with MKL and 210 GFLOP/s with oneDNN, which PyTorch includes, and which is no
slower for a single row.

Without it: `torch.nn.functional.linear`. The arithmetic is the same in another order: results differ by the rounding
of float32.
"""

import contextlib
import functools
from collections.abc import Iterator

import torch
from transformers.pytorch_utils import Conv1D

from utils.compute.patching import replaced_forward


@contextlib.contextmanager
def onednn_linear(model: torch.nn.Module) -> Iterator[None]:
    """Within the context, the model's float32 linear layers run through oneDNN; inference only (no gradient)."""
    layers = filter(_is_plain_float32, model.modules()) if is_faster_here() else ()
    with replaced_forward({layer: functools.partial(_linear, layer) for layer in layers}):
        yield


def onednn_matmul(hidden: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Return hidden (…, width) @ weight (outputs, width).T; inference only (no gradient)."""
    if hidden.dtype == torch.float32 and hidden.device.type == "cpu" and is_faster_here():
        return torch.ops.mkldnn._linear_pointwise(hidden, weight, None, "none", [], "")
    return hidden @ weight.T


@functools.cache
def is_faster_here() -> bool:
    """Return whether this is a processor on which oneDNN is faster."""
    capabilities = torch.cpu.get_capabilities()
    is_amd_with_avx512 = capabilities.get("avx512_f", False) and "AMD" in capabilities.get("cpu_name", "")
    return torch.backends.mkldnn.is_available() and is_amd_with_avx512


def _is_plain_float32(module: torch.nn.Module) -> bool:
    return (
        type(module) in (torch.nn.Linear, Conv1D)
        and "forward" not in vars(module)  # keep what another context has put there
        and module.weight.device.type == "cpu"
        and module.weight.dtype == torch.float32
    )


def _linear(layer: torch.nn.Module, hidden: torch.Tensor) -> torch.Tensor:
    if torch.is_autocast_enabled("cpu"):
        return type(layer).forward(layer, hidden)
    weight = layer.weight.t() if type(layer) is Conv1D else layer.weight
    return torch.ops.mkldnn._linear_pointwise(hidden, weight, layer.bias, "none", [], "")
