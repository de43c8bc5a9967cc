"""Fixtures that the tests of inference share: a tokenizer with a token per byte, and random models."""

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from utils.models.base_models import resolve
from utils.models.opening.load import load_tokenizer


@pytest.fixture(scope="module")
def tokenizer():
    """A token a byte, and end-of-text, which is the start token too."""
    return load_tokenizer(resolve("tiny"))


@pytest.fixture(scope="module", params=["gpt2", "llama"])
def random_model(request):
    """Two random blocks whose weights are large enough for every position and every token of the prompt to count."""
    shape = {"vocab_size": 257, "initializer_range": 0.3, "eos_token_id": 256, "bos_token_id": 256}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        if request.param == "gpt2":
            return GPT2LMHeadModel(GPT2Config(n_positions=128, n_embd=32, n_layer=2, n_head=2, **shape)).eval()
        blocks = {"num_hidden_layers": 2, "num_attention_heads": 2, "hidden_size": 32, "intermediate_size": 64}
        return LlamaForCausalLM(LlamaConfig(max_position_embeddings=128, **blocks, **shape)).eval()
