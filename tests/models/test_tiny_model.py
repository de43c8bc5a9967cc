"""`tiny`: the same random model at every call, with a token per byte."""

import torch
from small_models import END, changed, weights_of

from utils.models.base_models import resolve
from utils.models.opening.load import load_causal_lm, load_tokenizer
from utils.models.tokenization import token_ids


def test_tiny_is_the_same_every_time():
    torch.manual_seed(1)
    first = load_causal_lm(resolve("tiny"))
    torch.manual_seed(2)
    before = torch.get_rng_state()
    second = load_causal_lm(resolve("tiny"))
    assert changed(weights_of(first), weights_of(second)) == set()
    assert torch.equal(torch.get_rng_state(), before)  # the caller's seed is the caller's
    assert first.config.n_layer == 2
    assert not first.training


def test_the_tokenizer_of_tiny_knows_every_text():
    tokenizer = load_tokenizer(resolve("tiny"))
    texts = ["Été 😀", "日本語", "\x00\n", " two  blanks "]
    ids = token_ids(tokenizer, texts)
    assert [len(row) for row in ids] == [len(text.encode()) for text in texts]
    assert [tokenizer.decode(row) for row in ids] == texts
    assert len(tokenizer) == 257
    assert tokenizer.eos_token_id == tokenizer.bos_token_id == END
