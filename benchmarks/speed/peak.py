"""The peak FLOP/s of this machine in products of large square matrices, in two number formats."""

import json
import sys
import time

WIDTHS = {"cpu": (1024, 2048, 4096), "cuda": (4096, 8192)}


def main(seconds: float) -> None:
    """Print {"bfloat16": FLOP/s, "float32": FLOP/s} of the device that training would choose.

    Each width is repeated for `seconds`, since processors need some time to reach their full speed.
    """
    import torch

    from utils.compute.device import choose_device, cpu_has_bf16
    from utils.process import keep_freed_memory

    keep_freed_memory()
    device = choose_device("auto")
    widths = {"bfloat16": WIDTHS[device], "float32": WIDTHS[device]}
    if device == "cpu" and not cpu_has_bf16():  # emulated: minutes for a large product
        widths["bfloat16"] = WIDTHS[device][:1]
    peak = {name: max(speed(width, getattr(torch, name), device, seconds) for width in widths[name]) for name in widths}
    print(json.dumps(peak))


def speed(width: int, dtype, device: str, seconds: float) -> float:
    """Return the FLOP/s of the fastest product of two matrices of that width, which takes 2 · width³ FLOPs."""
    import torch

    left, right = (torch.randn(width, width, device=device).to(dtype) for _ in range(2))
    fastest, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        started = time.perf_counter()
        left @ right
        if device == "cuda":
            torch.cuda.synchronize()
        fastest = min(fastest, time.perf_counter() - started)
    return 2 * width**3 / fastest


if __name__ == "__main__":
    main(float(sys.argv[1]))
