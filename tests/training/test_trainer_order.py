"""The order of training rows: similar lengths in a batch, batches in random order, each row once."""

import itertools
import random

from transformers.trainer_pt_utils import LengthGroupedSampler

from utils.training.row_order import ShuffledLengthGroupedSampler

LENGTHS = [random.Random(number).randint(2, 200) for number in range(1003)]
ROWS = [{"input_ids": [0] * length} for length in LENGTHS]
SIZE = 8


def batches(order) -> list[list[int]]:
    numbers = list(order)
    return [numbers[first : first + SIZE] for first in range(0, len(numbers), SIZE)]


def padded(found: list[list[int]]) -> int:
    return sum(len(batch) * max(LENGTHS[row] for row in batch) for batch in found)


def ordered(epoch: int, seed: int = 42) -> list[list[int]]:
    order = ShuffledLengthGroupedSampler(ROWS, SIZE, seed)
    order.set_epoch(epoch)
    return batches(order)


def test_each_row_comes_once_with_no_more_padding_than_transformers_has():
    found = ordered(1)
    assert sorted(row for batch in found for row in batch) == list(range(len(ROWS)))
    assert [len(batch) for batch in found[:-1]] == [SIZE] * 125
    assert padded(found) < 1.02 * padded(batches(LengthGroupedSampler(SIZE, ROWS)))
    assert padded(found) < 1.1 * sum(LENGTHS)


def test_the_longest_batch_comes_first_and_the_others_in_random_order():
    longest = [max(LENGTHS[row] for row in batch) for batch in ordered(1)]
    assert longest[0] == max(LENGTHS)
    falls = sum(after < before for before, after in itertools.pairwise(longest))
    assert 45 < falls < 80  # of 125; from long to short again and again, nearly all would be
    assert sum(longest[1:21]) / 20 < 130


def test_the_order_depends_on_seed_and_epoch():
    assert ordered(1) == ordered(1)
    assert len({str(ordered(*which)) for which in ((0,), (1,), (2,), (1, 99))}) == 4
