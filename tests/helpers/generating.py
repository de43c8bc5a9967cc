"""Helpers of the tests of generation: models that write given tokens, and the output of transformers' own generate."""

from itertools import pairwise

import torch
from bigram_model import bigram_model

from utils.models.tokenization import token_ids


def chain(tokenizer, *tokens):
    """A model that writes these tokens, no two of them the same, one after the other."""
    return bigram_model(tokenizer, {token: {following: 0.0} for token, following in pairwise(tokens)})


def plain_generate(model, tokenizer, prompt, **settings):
    """The texts that transformers' own generate writes from one prompt, without padding."""
    ids = torch.tensor([[tokenizer.eos_token_id, *token_ids(tokenizer, [prompt])[0]]])
    rows = model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, pad_token_id=256, **settings)
    return [tokenizer.decode(row[ids.shape[1] :], skip_special_tokens=True).rstrip("\ufffd") for row in rows]


def texts_of(results):
    return [[generated.text for generated in texts] for texts in results]
