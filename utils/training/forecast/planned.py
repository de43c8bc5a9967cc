"""A run that is about to start, and the same run with other settings."""

import contextlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from utils import distributed
from utils.compute.blocks import find_blocks
from utils.compute.prefix_cache import OFF, PrefixCache
from utils.errors import UserError
from utils.training.flags import TrainingSettings
from utils.training.prepare import TrainingSetup

GB = 10**9


@dataclass(frozen=True)
class Run:
    """A run that is about to start: its setup, its settings, and its rows of both splits."""

    setup: TrainingSetup
    settings: TrainingSettings
    rows: Sequence[dict]
    unfreeze_last: int | None
    validation: Sequence[dict]
    cache: PrefixCache = OFF

    @property
    def largest(self) -> tuple[int, int]:
        """The rows and the tokens of each in the largest batch, by tokens with their padding: the first one."""
        lengths = sorted((len(row["input_ids"]) for row in self.rows), reverse=True)
        return min(len(lengths), self.settings.batch_size), lengths[0]


def epochs_of(run: Run) -> float:
    """Return the epochs of all runs of the soup, or of the folds and the model, together; a probe counts, too.

    They decide about the prefix cache.
    """
    settings, probe = run.settings, run.setup.probe
    if probe and len(probe.rows) == len(run.rows):
        return math.inf
    batch = settings.batch_size * settings.gradient_accumulation_steps * distributed.world_size()
    epochs = settings.max_steps * batch / len(run.rows) if settings.max_steps else settings.epochs or math.inf
    return epochs * (settings.model_soup + (settings.folds or 0))


def fewer_blocks(run: Run) -> list[int]:
    try:
        blocks = len(find_blocks(run.setup.base.model).blocks)
    except UserError:
        return []
    most = blocks if run.unfreeze_last is None else min(blocks, run.unfreeze_last)
    return [number for number in (16, 12, 8, 4, 2, 1) if number < most]


@contextlib.contextmanager
def frozen_as(run: Run, unfreeze_last: int | None) -> Iterator[None]:
    """Within the context, the run's model trains so many of its last blocks."""
    if unfreeze_last == run.unfreeze_last:
        yield
        return
    try:
        run.setup.freeze(run.setup.base.model, unfreeze_last)
        yield
    finally:
        run.setup.freeze(run.setup.base.model, run.unfreeze_last)


def gigabytes(size: float) -> str:
    return f"{size / GB:.2f} GB" if size < 10 * GB else f"{size / GB:,.0f} GB"
