"""The seconds of the samples that are shown at every evaluation."""

import time
from collections.abc import Sequence

from utils.training.callbacks import SamplesCallback
from utils.training.prepare import TrainingSetup


def seconds_of_samples(setup: TrainingSetup, validation: Sequence[dict], seed: int) -> float:
    """Return what the samples take, which are generated here; 0 where none are shown."""
    samples = next((each for each in setup.objective.callbacks if isinstance(each, SamplesCallback)), None)
    if samples is None or not validation:
        return 0.0
    began = time.perf_counter()
    samples.generate(seed, samples.longest)
    return time.perf_counter() - began
