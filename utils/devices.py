"""Where a model runs, and in which number format."""

import torch

from utils.allocator import keep_freed_memory
from utils.attention import use_for_short_texts
from utils.errors import UsageError


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
        automatic = "bf16" if processor_has_bfloat16() else "fp32"
    if wanted == "fp16" and device == "cpu":
        raise UsageError("--precision fp16 needs a CUDA GPU", "use --precision auto, bf16 or fp32 on a CPU")
    return automatic if wanted == "auto" else wanted


def processor_has_bfloat16() -> bool:
    """Whether the CPU multiplies bfloat16 in hardware; emulated, it is slower than float32."""
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16", "sve_bf16"))
