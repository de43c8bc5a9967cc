"""The seconds of the samples that are shown at every evaluation."""

from collections.abc import Sequence

from utils.inference.sampling import Sampling
from utils.training.flags import TrainingSettings
from utils.training.prepare import TrainingSetup
from utils.training.samples import samples_callback, usual_tokens


def seconds_of_samples(
    setup: TrainingSetup, validation: Sequence[dict], settings: TrainingSettings
) -> tuple[float, float]:
    """Return the seconds of the samples (before training, later); zeros where none are shown.

    Those before training are generated here.
    """
    callback = samples_callback(setup)
    if callback is None or not validation:
        return 0.0, 0.0
    callback.generate(settings.seed, settings.precision)
    later = min(usual_tokens(validation), Sampling.max_new_tokens)
    return callback.seconds, callback.seconds * later / max(1, callback.tokens)
