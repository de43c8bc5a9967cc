"""How long the samples take that are shown at every evaluation: a tuned model writes shorter texts than its base."""

from collections.abc import Sequence

import numpy

from utils import distributed
from utils.training.callbacks import SamplesCallback
from utils.training.forecast.schedule import supervised_tokens
from utils.training.prepare import TrainingSetup

LONGEST = 4.0  # times the mean length: a model that has learned little yet does not end early


def samples_callback(setup: TrainingSetup) -> SamplesCallback | None:
    """Return what shows the samples; None where none are shown."""
    return next((each for each in setup.objective.callbacks if isinstance(each, SamplesCallback)), None)


def usual_tokens(rows: Sequence[dict]) -> float:
    """Return how many tokens the longest sample of a tuned model may have, by those of the texts that it has seen."""
    return LONGEST * sum(map(supervised_tokens, rows)) / len(rows)


def seconds_saved_later(callback: SamplesCallback, usual: float) -> float:
    """Return how much less the samples of a tuned model take than the last ones did, the same in all processes."""
    saved = callback.seconds * max(0.0, 1 - usual / max(1, callback.tokens)) if distributed.is_main_process() else 0.0
    return float(distributed.sum_over_processes(numpy.array([saved]))[0])
