"""What the samples of a tuned model take less than those of its base, by their lengths."""

import pytest

from utils.training.callbacks import SamplesCallback
from utils.training.samples import seconds_saved_later, usual_tokens


@pytest.mark.parametrize(("tokens", "saved"), [(100, 9.0), (20, 5.0), (10, 0.0), (5, 0.0)])
def test_later_samples_are_as_long_as_the_texts(tokens, saved):
    callback = SamplesCallback(None, [[1]], 0)
    callback.seconds, callback.tokens = 10.0, tokens
    assert seconds_saved_later(callback, 10.0) == pytest.approx(saved)


def test_texts_count_without_what_has_no_loss():
    rows = [{"input_ids": [1] * 12, "loss_start": 2}, {"input_ids": [1] * 31, "loss_start": 1}]
    assert usual_tokens(rows) == pytest.approx(4 * 20)
