"""The most that this machine multiplies: operations a second of large square matrices, in two number formats."""

import json
import sys
import time

WIDTHS = {"cpu": (1024, 2048, 4096), "cuda": (4096, 8192)}


def main(seconds: float) -> None:
    """Print {"bfloat16": operations a second, "float32": …} of the device that training would choose.

    Each width is repeated for so many seconds, since processors need some to reach their speed.
    """
    import torch

    from utils.compute.device import choose_device

    device = choose_device("auto")
    formats = {"bfloat16": torch.bfloat16, "float32": torch.float32}
    fastest = {
        name: max(speed(width, dtype, device, seconds) for width in WIDTHS[device]) for name, dtype in formats.items()
    }
    print(json.dumps(fastest))


def speed(width: int, dtype, device: str, seconds: float) -> float:
    """Operations a second of the fastest product of two matrices of that width: 2 · width³ each."""
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
