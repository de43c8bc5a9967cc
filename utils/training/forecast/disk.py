"""The peak disk space of a run: states while training, the finished runs of a soup, the cache, the model."""

from dataclasses import dataclass
from pathlib import Path

from utils.training.flags import TrainingSettings
from utils.training.forecast.memory import ADAMW, FLOAT32, Parameters

SMALL_FILES = 4 * 10**6  # bytes: the tokenizer, the card, the log


@dataclass(frozen=True)
class DiskNeed:
    """Bytes: each saved state, how many of them there are at once, the cache, the model, and all at their peak."""

    state: int
    states: int
    cache: int
    model: int
    soup: int
    peak: int


def disk_need(
    parameters: Parameters, settings: TrainingSettings, *, saves: int, validates: bool, cache: int
) -> DiskNeed:
    """Return the disk space of a run that saves its state `saves` times; `cache` are the bytes of the prefix cache.

    States of a run with adapters have only what trains. An old state is removed when the new one is written, and the
    best one stays. A .pt file is made of a folder.
    """
    model = FLOAT32 * (parameters.total - parameters.adapters)
    state = (FLOAT32 * parameters.trained if parameters.adapters else model) + ADAMW * parameters.trained
    kept = max(settings.save_total_limit, 2 if validates and saves > 2 else 1)
    written = min(saves, kept + 1)
    soup = FLOAT32 * parameters.trained * settings.model_soup * (settings.model_soup > 1)
    at_the_end = 0 if settings.model_soup > 1 else min(saves, kept) * state
    saved = (model + SMALL_FILES) * (2 if settings.output_path.suffix == ".pt" else 1)
    peak = cache + soup + max(written * state, at_the_end + saved)
    return DiskNeed(state, written, cache, model + SMALL_FILES, soup, peak)


def place_of_model(output_path: Path) -> Path:
    """Return the folder in which the model is written, which is another than that of the states if it is a link."""
    return output_path.resolve().parent
