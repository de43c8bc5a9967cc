"""The machine of the measurements, and the conditions of a row: date, versions and peak FLOP/s."""

import json
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.speed.crowd import cores

LIBRARIES = (
    *("torch", "transformers", "accelerate", "tokenizers", "datasets", "optuna"),
    *("trl", "clean-text", "emoji", "ctranslate2"),
)


def describe(size: str) -> dict:
    """Return plain values. `name` identifies machine and size: processors of one name differ in what they compute."""
    import torch

    processor = f"{cores()} cores of {_processor()} with {torch.backends.cpu.get_cpu_capability()}"
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else processor
    return {"name": f"{device}, size {size}", "device": device, "processor": processor, "size": size}


def measured_with(seconds: float) -> dict:
    """Return the conditions of the rows of one run; measuring `peak` takes six times `seconds`."""
    command = [sys.executable, "-m", "benchmarks.speed.peak", str(seconds)]
    peak = subprocess.run(command, check=True, capture_output=True, text=True)
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "revision": _revision(),
        "versions": {"Python": platform.python_version()}
        | {name: found for name in LIBRARIES if (found := _version(name))},
        "peak": json.loads(peak.stdout),
    }


def _revision() -> str | None:
    """Return the commit of this toolkit, with a + where files differ from it; None outside a repository."""
    try:
        commit, changes = (
            subprocess.run(["git", *words], check=True, capture_output=True, text=True).stdout.strip()
            for words in (("rev-parse", "--short", "HEAD"), ("status", "--porcelain", "--untracked-files=no", "*.py"))
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return f"{commit}+" if changes else commit


def _processor() -> str:
    """Return the processor's name, with its family and model where the system has them: clouds give many one name."""
    information = Path("/proc/cpuinfo")
    if information.exists():
        lines = (line.partition(":") for line in information.read_text(encoding="utf-8").splitlines())
        found = {name.strip(): value.strip() for name, _, value in lines}
        if name := found.get("model name"):
            numbers = [found[key] for key in ("cpu family", "model") if key in found]
            return name + " (family {}, model {})".format(*numbers) * (len(numbers) == 2)
    return platform.processor() or platform.machine()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
