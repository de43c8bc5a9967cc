"""The exact steps of a run: the rows of each batch, and the steps at which the model is validated and saved.

The order of rows depends on the seed and the epoch alone, so these batches are the ones that training sees.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from utils.training.flags import TrainingSettings
from utils.training.row_order import ShuffledLengthGroupedSampler

ORDERED_EPOCHS = 8  # of later ones, the padding is taken to be that of these


@dataclass(frozen=True)
class Batch:
    """A batch of training: its row numbers, the tokens of its longest row, and how many tokens have a loss."""

    numbers: tuple[int, ...]
    length: int
    supervised: int

    @property
    def padded(self) -> int:
        """Tokens with the padding."""
        return len(self.numbers) * self.length


@dataclass(frozen=True)
class Schedule:
    """The optimizer steps of one run of training, each a list of batches; when it validates, and when it saves."""

    steps: int
    steps_per_epoch: int
    validated: tuple[int, ...]  # after these steps
    saved: tuple[int, ...]
    epochs: tuple[tuple[tuple[Batch, ...], ...], ...]  # the steps of the first epochs

    def __iter__(self) -> Iterator[tuple[Batch, ...]]:
        for step in range(self.steps):
            epoch, place = divmod(step, self.steps_per_epoch)
            yield self.epochs[epoch % len(self.epochs)][place]


def plan_steps(rows: Sequence[dict], settings: TrainingSettings, *, validates: bool) -> Schedule:
    """Return the schedule of one process, as Trainer counts; without `validates`, there are no validation rows."""
    size = settings.batch_size * settings.gradient_accumulation_steps
    per_epoch = math.ceil(math.ceil(len(rows) / settings.batch_size) / settings.gradient_accumulation_steps)
    epochs = settings.epochs or 1  # with a time limit, as many as there is time for
    steps = settings.max_steps or math.ceil(epochs * per_epoch)
    sampler = ShuffledLengthGroupedSampler(rows, size, settings.seed)
    epochs = []
    for epoch in range(min(ORDERED_EPOCHS, math.ceil(steps / per_epoch))):
        sampler.set_epoch(epoch)
        epochs.append(tuple(_steps(list(sampler), rows, settings)))
    every = settings.save_steps or per_epoch
    at = tuple(sorted({*range(every, steps + 1, every), steps}))
    return Schedule(steps, per_epoch, at if validates else (), at, tuple(epochs))


def supervised_tokens(row: dict) -> int:
    """Return the tokens of a row that have a loss: a classifier's label counts as one."""
    return 1 if "label" in row else len(row["input_ids"]) - max(1, row["loss_start"])


def _steps(order: list[int], rows: Sequence[dict], settings: TrainingSettings) -> Iterator[tuple[Batch, ...]]:
    size = settings.batch_size
    batches = [_batch(order[start : start + size], rows) for start in range(0, len(order), size)]
    for start in range(0, len(batches), settings.gradient_accumulation_steps):
        yield tuple(batches[start : start + settings.gradient_accumulation_steps])


def _batch(numbers: list[int], rows: Sequence[dict]) -> Batch:
    chosen = [rows[number] for number in numbers]
    return Batch(tuple(numbers), max(len(row["input_ids"]) for row in chosen), sum(map(supervised_tokens, chosen)))
