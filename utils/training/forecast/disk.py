"""The peak disk space of a run: states while training, the finished runs of a soup, the cache, the model."""

from dataclasses import dataclass
from pathlib import Path

from utils.training.flags import TrainingSettings
from utils.training.forecast.memory import ADAMW, FLOAT32, Parameters

SMALL_FILES = 4 * 10**6  # bytes: the tokenizer, the card, the log


@dataclass(frozen=True)
class DiskNeed:
    """Bytes: a state before the last step and one after it, all `number` states at once, the cache, the model.

    `peak` is the most that is taken at once.
    """

    state: int
    last_state: int
    number: int
    states: int
    cache: int
    model: int
    soup: int
    peak: int


def disk_need(
    parameters: Parameters, settings: TrainingSettings, *, saves: int, validates: bool, cache: int
) -> DiskNeed:
    """Return the disk space of a run that saves its state `saves` times; `cache` are the bytes of the prefix cache.

    States have what trains, and AdamW's moments until the last step. An old state is removed when the new one is
    written, and the best one stays. A .pt file is made of a folder.
    """
    model, weights = FLOAT32 * (parameters.total - parameters.adapters), FLOAT32 * parameters.trained
    state = weights + ADAMW * parameters.trained
    kept = max(settings.save_total_limit, 2 if validates and saves > 2 else 1)
    number = min(saves, kept + 1)
    states = number * state if saves > number else (number - 1) * state + weights
    soup = weights * settings.model_soup * (settings.model_soup > 1)
    at_the_end = 0 if settings.model_soup > 1 else (min(saves, kept) - 1) * state + weights
    saved = (model + SMALL_FILES) * (2 if settings.output_path.suffix == ".pt" else 1)
    peak = cache + soup + max(states, at_the_end + saved)
    return DiskNeed(state, weights, number, states, cache, model + SMALL_FILES, soup, peak)


def place_of_model(output_path: Path) -> Path:
    """Return the folder in which the model is written, which is another than that of the states if it is a link."""
    return output_path.resolve().parent
