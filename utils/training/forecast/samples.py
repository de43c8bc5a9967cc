"""The seconds of the samples that are shown at every evaluation."""

import time
from collections.abc import Sequence

from utils.inference.generation import generate_from_ids
from utils.inference.sampling import Sampling
from utils.training.callbacks import SAMPLE_TOKENS
from utils.training.prepare import TrainingSetup
from utils.training.samples import samples_callback, usual_tokens


def seconds_of_samples(setup: TrainingSetup, validation: Sequence[dict], seed: int) -> tuple[float, float]:
    """Return the seconds of the samples (before training, later); zeros where none are shown.

    Those before training are generated here.
    """
    callback = samples_callback(setup)
    if callback is None or not validation:
        return 0.0, 0.0
    sampling = Sampling(seed=seed, max_new_tokens=SAMPLE_TOKENS)
    started = time.perf_counter()
    base = setup.base
    generated = generate_from_ids(base.model, base.tokenizer, callback.prompts, sampling, end=callback.end)
    seconds = time.perf_counter() - started
    tokens = max(text.tokens for [text] in generated)
    return seconds, seconds * min(usual_tokens(validation), SAMPLE_TOKENS) / max(1, tokens)
