"""The order of rows: batches of similar lengths, shuffled, and the same number of them for every process."""

import itertools
import random
from collections.abc import Iterator, Sequence

import torch
from transformers.trainer_pt_utils import LengthGroupedSampler

from utils.compute.batching import IGNORED


class ShuffledLengthGroupedSampler(LengthGroupedSampler):
    """Row numbers in batches of similar lengths, in random order after the first, which has the longest rows.

    If memory is too small, the run fails at its first step. The base class orders batches from long to short again and
    again, so that steps undo what earlier ones learned (docs/results.md). The order depends on the seed and the epoch
    alone, so a resumed epoch continues in its own order. At the end, the index just past the last row is repeated
    until the length is a multiple of `multiple`.
    """

    def __init__(self, rows: Sequence[dict], batch_size: int, seed: int, multiple: int = 1):
        super().__init__(batch_size, rows)
        self.seed = seed
        self.fillers = [len(rows)] * (-len(rows) % multiple)
        self.set_epoch(0)

    def set_epoch(self, epoch: int) -> None:
        """Called by the data loader before each epoch."""
        self.generator = torch.Generator().manual_seed(self.seed + epoch)

    def __len__(self) -> int:
        return super().__len__() + len(self.fillers)

    def __iter__(self) -> Iterator[int]:
        order = list(super().__iter__())
        end = len(order) // self.batch_size * self.batch_size
        longest, *batches = [order[start : start + self.batch_size] for start in range(0, end, self.batch_size)] or [[]]
        random.Random(self.generator.initial_seed()).shuffle(batches)
        return itertools.chain(longest, *batches, order[end:], self.fillers)


def unsupervised_row(rows: Sequence[dict]) -> dict:
    """Return the shortest row without its loss: it fills the last batches of an epoch for several processes.

    Every process needs the same number of batches, and accelerate would repeat rows, which would count twice.
    """
    row = min(rows, key=lambda row: len(row["input_ids"]))
    several = isinstance(row.get("label"), list)
    label = [float(IGNORED)] * len(row["label"]) if several else IGNORED
    return {**row, "loss_start": len(row["input_ids"]), "label": label}
