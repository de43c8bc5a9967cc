"""The order in which rows are trained on: similar lengths together, and for several processes batches for each."""

import itertools
import random
from collections.abc import Iterator, Sequence

import torch
from transformers.trainer_pt_utils import LengthGroupedSampler

from utils.encoding import IGNORED


class ByLength(LengthGroupedSampler):
    """Batches of similar lengths in any order but for the first, which is the longest: if memory ends, it does so soon.

    The base class goes from long to short, again and again, so that steps undo what those before them taught
    (docs/results.md). The order belongs to the seed and the epoch: a resumed epoch goes on in the order in which it
    began. It ends in numbers that are one beyond the last row, as many as make its length a multiple of `multiple`.
    """

    def __init__(self, rows: Sequence[dict], batch_size: int, seed: int, multiple: int = 1):
        super().__init__(batch_size, rows)
        self.seed = seed
        self.beyond = [len(rows)] * (-len(rows) % multiple)
        self.set_epoch(0)

    def set_epoch(self, epoch: int) -> None:
        """What the data loader calls before each epoch."""
        self.generator = torch.Generator().manual_seed(self.seed + epoch)

    def __len__(self) -> int:
        return super().__len__() + len(self.beyond)

    def __iter__(self) -> Iterator[int]:
        order = list(super().__iter__())
        whole = len(order) // self.batch_size * self.batch_size
        batches = [order[first : first + self.batch_size] for first in range(0, whole, self.batch_size)]
        first, others = batches[:1], batches[1:]
        random.Random(self.generator.initial_seed()).shuffle(others)
        return itertools.chain(*first, *others, order[whole:], self.beyond)


def without_loss(rows: Sequence[dict]) -> dict:
    """A row in which nothing counts, the shortest with its loss taken away: what fills up an epoch's last batches.

    Every process needs as many batches as the others, and accelerate would take rows twice, which then count twice.
    """
    row = min(rows, key=lambda row: len(row["input_ids"]))
    return {**row, "loss_start": len(row["input_ids"]), "label": IGNORED}
