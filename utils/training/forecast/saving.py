"""The time that this machine takes to write a model, load it again and compare."""

import os
import time
from pathlib import Path

from transformers import PreTrainedModel

from utils.models.base_models import resolve
from utils.models.opening.load import load_causal_lm

DISK_SPEED = 4e8  # bytes per second, to write, to check and to make durable, where none could be measured
CHECKSUM_SPEED = 1e9  # bytes per second
TRIED_BYTES = 64 * 10**6


def seconds_to_load(name: str, model: PreTrainedModel) -> float:
    """Return the seconds to load the base model once more and to compare it, as is done with the trained one."""
    started = time.perf_counter()
    loaded = load_causal_lm(resolve(name)) if model.can_generate() else None
    if loaded is not None:
        sum(float(parameter.detach().sum()) for parameter in loaded.parameters())
    return time.perf_counter() - started


def speed_of_disk(output_path: Path) -> float:
    """Return the bytes per second that are written durably: into a file without a name, which nobody ever sees."""
    folder = output_path.absolute().parent
    folder = next(each for each in (folder, *folder.parents) if each.exists())
    content = bytes(TRIED_BYTES)
    try:
        descriptor = os.open(folder, os.O_TMPFILE | os.O_WRONLY, 0o600)
    except (OSError, AttributeError):
        return DISK_SPEED
    try:
        started = time.perf_counter()
        os.write(descriptor, content)
        os.fsync(descriptor)
        seconds = time.perf_counter() - started
    except OSError:
        return DISK_SPEED
    finally:
        os.close(descriptor)
    return 1 / (seconds / len(content) + 1 / CHECKSUM_SPEED)
