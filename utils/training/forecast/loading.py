"""Refuse a base model that does not fit into memory before it is loaded, by the sizes of its files."""

import json
import math
from collections.abc import Callable
from pathlib import Path

from utils.errors import UserError
from utils.models.opening.adapter_folder import base_of_adapter, is_adapter_folder
from utils.training.forecast.limits import available_memory

GB = 10**9
FLOAT32 = 4  # bytes
LARGEST_HEADER = 10**8  # bytes, of a safetensors file


def check_loading(name: str, available: Callable[[], int | None] = available_memory) -> None:
    """Raise UserError where the weights of the base model `name`, a folder or in the Hub's cache, cannot fit.

    They train in float32. Sizes without safetensors files, and of files still to download, are not known.
    """
    folder = _folder(name)
    needed = FLOAT32 * sum(map(_numbers, folder.glob("*.safetensors"))) if folder else 0
    free = available()
    if free is not None and needed > free:
        raise UserError(
            f"{name} takes {needed / GB:.1f} GB in float32, and {free / GB:.1f} GB of memory are free",
            "choose a smaller base model with --model, or free some memory",
        )


def _folder(name: str) -> Path | None:
    if is_adapter_folder(folder := Path(name).expanduser()):
        return _folder(base_of_adapter(folder))
    if folder.is_dir():
        return folder
    if name.count("/") != 1:
        return None
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(name, "config.json")
    return Path(found).parent if isinstance(found, str) else None


def _numbers(file: Path) -> int:
    """Return how many numbers a safetensors file has, by its header; 0 where that is damaged, which loading tells."""
    try:
        with file.open("rb") as opened:
            header = json.loads(opened.read(min(int.from_bytes(opened.read(8), "little"), LARGEST_HEADER)))
        shapes = [entry["shape"] for key, entry in header.items() if key != "__metadata__"]
        return sum(map(math.prod, shapes))
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return 0
