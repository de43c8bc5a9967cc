"""The device and the number format that a model runs with.

Without it: `torch.device` and `torch.autocast`; results are the same.
"""

from contextlib import AbstractContextManager, nullcontext

import torch

from utils.errors import UsageError


def choose_device(name: str) -> str:
    """Return cpu or cuda for `name`, which may be auto. UsageError for cuda without a GPU."""
    if name == "cuda" and not torch.cuda.is_available():
        raise UsageError("--device cuda, but PyTorch sees no CUDA GPU here", "use --device auto or cpu")
    return ("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name


def choose_precision(name: str, device: str) -> str:
    """Return fp32, bf16 or fp16 for `name`, which may be auto. UsageError for fp16 on a CPU."""
    if name == "fp16" and device == "cpu":
        raise UsageError("--precision fp16 needs a CUDA GPU", "use --precision auto, bf16 or fp32 on a CPU")
    if name != "auto":
        return name
    if device == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    return "bf16" if cpu_has_bf16() else "fp32"


def cpu_has_bf16() -> bool:
    """Return whether the CPU multiplies bfloat16 in hardware; emulated, it is slower than float32."""
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16", "sve_bf16"))


def autocast(device: str, precision: str) -> AbstractContextManager:
    """Return the context in which a model computes in bf16 or fp16; fp32 changes nothing, also within another."""
    if precision == "fp32":
        return nullcontext()  # autocast that is not enabled would end the one around it
    return torch.autocast(device, torch.float16 if precision == "fp16" else torch.bfloat16)


def kept_random_numbers() -> AbstractContextManager:
    """Return a context that restores PyTorch's random state at its end, on the CPU and on this process's GPU.

    Of several GPUs, the others are left alone: asking for their states takes some hundred megabytes on each.
    """
    return torch.random.fork_rng([torch.cuda.current_device()] if torch.cuda.is_available() else [])
