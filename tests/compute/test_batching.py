"""Batches: the choice of rows, their padding, and the tokens that are labels."""

import array
import random
import sys
from itertools import pairwise

import pytest

from utils.compute.batching import BATCH_TOKENS, Batching, batches_by_length, collate_texts

MOST = BATCH_TOKENS["cpu"]


def test_batches_hold_every_text_once_and_not_too_many_tokens():
    draw = random.Random(2)
    lengths = [draw.randrange(1, 300) for _ in range(500)] + [MOST + 1, MOST]
    batches = batches_by_length(lengths, "cpu")
    assert sorted(number for batch in batches for number in batch) == list(range(502))
    assert [lengths[batch[0]] for batch in batches[:2]] == [MOST + 1, MOST]
    for batch in batches[1:]:
        assert len(batch) * max(lengths[number] for number in batch) <= MOST
    # As few batches as go: with its longest text first, the next batch would not have fitted in.
    for batch, following in pairwise(batches):
        assert (len(batch) + 1) * lengths[batch[0]] > MOST
        assert lengths[following[0]] <= min(lengths[number] for number in batch)


def test_collate_pads_on_the_right_and_labels_the_completion():
    batch = collate_texts(
        [
            {"input_ids": array.array("I", [256, 64, 65, 256]), "loss_start": 1},
            {"input_ids": array.array("I", [256, 64, 65, 66, 67, 256]), "loss_start": 3},
            {"input_ids": [256, 256], "loss_start": 1},
        ],
        pad_id=256,
    )
    assert {name: tensor.tolist() for name, tensor in batch.items()} == {
        "input_ids": [
            [256, 64, 65, 256, 256, 256],
            [256, 64, 65, 66, 67, 256],
            [256, 256, 256, 256, 256, 256],
        ],
        "attention_mask": [[1, 1, 1, 1, 0, 0], [1, 1, 1, 1, 1, 1], [1, 1, 0, 0, 0, 0]],
        "labels": [
            [-100, 64, 65, 256, -100, -100],
            [-100, -100, -100, 66, 67, 256],
            [-100, 256, -100, -100, -100, -100],
        ],
    }
    assert {str(tensor.dtype) for tensor in batch.values()} == {"torch.int64"}


@pytest.mark.parametrize("pad_id", [0, 256])
def test_the_pad_id_changes_no_label(pad_id):
    rows = [{"input_ids": [256, 0, 256], "loss_start": 1}, {"input_ids": [256, 0, 0, 0, 256], "loss_start": 2}]
    batch = collate_texts(rows, pad_id)
    assert batch["labels"].tolist() == [[-100, 0, 256, -100, -100], [-100, -100, 0, 0, 256]]
    assert batch["input_ids"].tolist() == [[256, 0, 256, pad_id, pad_id], [256, 0, 0, 0, 256]]


@pytest.mark.parametrize("most", [1, 2, sys.maxsize], ids=["one", "two", "all"])
def test_without_padding_batches_hold_texts_of_one_length(most):
    lengths = [3, 5, 3, 3, 9, 5, 3, 600]
    batches = batches_by_length(lengths, "cpu", Batching(padding=False, most_rows=most))
    assert sorted(number for batch in batches for number in batch) == list(range(len(lengths)))
    assert all(len({lengths[number] for number in batch}) == 1 for batch in batches)
    assert max(map(len, batches)) == min(most, 4)
    assert len(batches) == {1: 8, 2: 5}.get(most, 4)
