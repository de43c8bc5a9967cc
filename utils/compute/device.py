"""What becomes of memory that is freed: kept for the next tensor, instead of going back to the system.

MERGED: Where a model runs, and in which number format."""

import ctypes
import platform

import torch

from utils.compute.short_attention import use_for_short_texts
from utils.errors import UsageError

# malloc.h; the values are C ints.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
LARGER_THAN_ANY_TENSOR, NEVER = 2**30, 2**31 - 1


def keep_freed_memory() -> None:
    """Let glibc's malloc reuse the memory of large tensors.

    By default it asks the system for each of them and gives it back at once, and the system hands out fresh memory page
    by page, filled with zeros: on a CPU, a third of the time of a forward pass (docs/results.md).
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(M_MMAP_THRESHOLD, LARGER_THAN_ANY_TENSOR)
        libc.mallopt(M_TRIM_THRESHOLD, NEVER)


def choose_device(wanted: str) -> str:
    """cpu or cuda for `wanted` (which may be auto). For a CPU, the process is set up to compute there."""
    if wanted == "cuda" and not torch.cuda.is_available():
        raise UsageError("--device cuda, but PyTorch sees no CUDA GPU here", "use --device auto or cpu")
    device = ("cuda" if torch.cuda.is_available() else "cpu") if wanted == "auto" else wanted
    if device == "cpu":
        keep_freed_memory()
        use_for_short_texts()
    return device


def choose_precision(wanted: str, device: str) -> str:
    """fp32, bf16 or fp16 for `wanted` (which may be auto), or UsageError where the device cannot."""
    if device == "cuda":
        automatic = "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    else:
        automatic = "bf16" if cpu_has_bf16() else "fp32"
    if wanted == "fp16" and device == "cpu":
        raise UsageError("--precision fp16 needs a CUDA GPU", "use --precision auto, bf16 or fp32 on a CPU")
    return automatic if wanted == "auto" else wanted


def cpu_has_bf16() -> bool:
    """Whether the CPU multiplies bfloat16 in hardware; emulated, it is slower than float32."""
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16", "sve_bf16"))
