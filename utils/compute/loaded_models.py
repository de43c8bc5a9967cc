"""Models that stay loaded between calls from Python."""

import functools
import threading
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import TypeVar

Opened = TypeVar("Opened")
MODELS_KEPT = 2
# The files of a model that decide what it says; .pt files are whole models.
MODEL_FILES = ("run.json", "*config.json", "tokenizer*", "*.safetensors", "*.bin", "chat_template.jinja")

# Held while a model is in use: its modules are replaced by faster ones meanwhile.
one_at_a_time = threading.RLock()


def keep_loaded(load: Callable[..., Opened]) -> Callable[..., Opened]:
    """Return `load`, a function of a model's path and other arguments, such that it runs once for each model.

    The last two results are kept. A model is loaded again where other files replaced it.
    """

    @functools.lru_cache(maxsize=MODELS_KEPT)
    def load_for(model_path: str, _identity: tuple, options: tuple) -> Opened:
        return load(model_path, *options)

    @functools.wraps(load)
    def load_once(model_path: str, *options: Hashable) -> Opened:
        with one_at_a_time:
            return load_for(model_path, _identity(Path(model_path)), options)

    return load_once


def _identity(path: Path) -> tuple:
    """Return a key that distinguishes models at the same path: the path, and the time of saving."""
    files = [file for pattern in MODEL_FILES for file in path.glob(pattern)] if path.is_dir() else [path]
    stamps = sorted((file.name, file.stat().st_mtime_ns) for file in files if file.is_file())
    return str(path.resolve()), tuple(stamps)
