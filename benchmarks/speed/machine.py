"""The machine that is measured on: processor or GPU, library versions and peak FLOP/s."""

import json
import os
import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

LIBRARIES = ("torch", "transformers", "accelerate", "tokenizers", "trl", "clean-text", "emoji", "ctranslate2")


def describe(size: str, seconds: float) -> dict:
    """Return plain values. `name` identifies machine and size; measuring `peak` takes six times `seconds`."""
    import torch

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    processor = f"{cores} cores of {_processor()}"
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else processor
    command = [sys.executable, "-m", "benchmarks.speed.peak", str(seconds)]
    peak = subprocess.run(command, check=True, capture_output=True, text=True)
    return {
        "name": f"{device}, size {size}",
        "device": device,
        "processor": processor,
        "size": size,
        "python": platform.python_version(),
        "libraries": {name: found for name in LIBRARIES if (found := _version(name))},
        "peak": json.loads(peak.stdout),
    }


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        lines = information.read_text(encoding="utf-8").splitlines()
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        if names:
            return names[0]
    return platform.processor() or platform.machine()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
