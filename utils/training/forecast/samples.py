"""The seconds of the samples that are shown at every evaluation."""

import time
from collections.abc import Sequence

from utils.training.callbacks import SamplesCallback
from utils.training.prepare import TrainingSetup


def seconds_of_samples(setup: TrainingSetup, validation: Sequence[dict], seed: int) -> tuple[float, float]:
    """Return the seconds of the samples before the first step, and of later ones, generated here; 0 without any."""
    samples = next((each for each in setup.objective.callbacks if isinstance(each, SamplesCallback)), None)
    if samples is None or not validation:
        return 0.0, 0.0
    seconds = []
    for longest in (samples.longest_at_start, samples.longest):
        began = time.perf_counter()
        samples.generate(seed, longest)
        seconds.append(time.perf_counter() - began)
    return seconds[0], seconds[1]
