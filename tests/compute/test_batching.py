"""Which rows share a batch."""

import random
from itertools import pairwise

from utils.compute.batching import BATCH_TOKENS, batches_by_length

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
