"""Requests: one for each text, the longest prompts first, with the rest of the context; their batches."""

import pytest

from utils.errors import DataError
from utils.inference.requests import make_requests, static_batches
from utils.inference.sampling import Sampling

PROMPTS = [[9, 1], [9, 1, 2, 3], [9], [9, 4]]


def test_a_request_for_each_text_the_longest_prompts_first():
    requests = make_requests(PROMPTS, Sampling(num_return_sequences=2, max_new_tokens=5), context=8)
    assert [request.index for request in requests] == [(1, 0), (1, 1), (0, 0), (0, 1), (3, 0), (3, 1), (2, 0), (2, 1)]
    assert all(request.prompt_ids == PROMPTS[request.index[0]] for request in requests)
    assert [request.max_new_tokens for request in requests] == [4, 4, 5, 5, 5, 5, 5, 5]
    assert len({request.key for request in requests}) == 8


def test_a_key_depends_on_the_seed_and_the_index_alone():
    few = make_requests(PROMPTS[:2], Sampling(seed=3), context=8)
    many = make_requests(PROMPTS[1::-1] + PROMPTS[2:], Sampling(seed=3, num_return_sequences=4), context=99)
    keys = {request.index: request.key for request in many}
    assert [request.key for request in few] == [keys[request.index] for request in few]
    assert not {request.key for request in make_requests(PROMPTS, Sampling(seed=4), context=8)} & {*keys.values()}


def test_beam_search_has_one_request_for_each_prompt():
    requests = make_requests(PROMPTS, Sampling(num_beams=3, num_return_sequences=3), context=8)
    assert [request.index for request in requests] == [(1, 0), (0, 0), (3, 0), (2, 0)]


def test_a_prompt_that_fills_the_context_is_named():
    with pytest.raises(
        DataError, match="prompt 2 has 4 tokens including the start token, but the model's context of 4"
    ):
        make_requests(PROMPTS, Sampling(), context=4)


def test_batches_share_a_key_and_are_no_larger_than_allowed():
    requests = make_requests(PROMPTS, Sampling(max_new_tokens=6), context=8)  # 4, 6, 6 and 6 tokens left
    batches = static_batches(requests, 2, lambda request: request.max_new_tokens)
    assert [[request.index[0] for request in batch] for batch in batches] == [[1], [0, 3], [2]]
