"""Finding the blocks of models, and the hidden states after one of them."""

import pytest
import torch
from small_models import BLOCKS, END, MAKERS, random_model
from transformers import BloomConfig, BloomForCausalLM

from utils.compute.blocks import find_blocks, frozen_blocks, hidden_states_after, starting_after
from utils.errors import UserError
from utils.training.freezing import freeze_parameters

IDS = torch.tensor([[END, 5, 6, 7]])


def bloom():
    torch.manual_seed(0)
    return BloomForCausalLM(BloomConfig(vocab_size=END + 1, hidden_size=16, n_layer=BLOCKS, n_head=2)).eval()


@pytest.mark.parametrize("kind", MAKERS)
def test_blocks_and_the_norm_after_them(kind):
    found = find_blocks(random_model(kind))
    assert len(found.blocks) == BLOCKS
    assert "norm" in type(found.final_norm).__name__.lower()


def test_a_model_without_such_blocks_is_an_error():
    model = random_model("gpt2")
    model.transformer.h = torch.nn.Identity()
    with pytest.raises(UserError, match="cannot find the 3 transformer blocks of a GPT2LMHeadModel"):
        find_blocks(model)


@pytest.mark.parametrize("kind", MAKERS)
def test_frozen_blocks_end_where_training_begins(kind):
    model = random_model(kind)
    assert frozen_blocks(model) == []
    freeze_parameters(model, 1, train_head=False)
    assert frozen_blocks(model) == [*find_blocks(model).blocks[:2]]
    model.get_input_embeddings().requires_grad_(True)
    assert frozen_blocks(model) == []


@pytest.mark.parametrize("make", [lambda: random_model("llama"), bloom], ids=["tensors", "tuples"])
def test_the_model_starts_from_the_states_after_a_block(make):
    """Llama's blocks return a tensor, Bloom's a tuple."""
    model = make()
    blocks = [*find_blocks(model).blocks[:2]]
    with torch.no_grad():
        outputs = model(IDS, output_hidden_states=True)
        hidden, tuple_length = hidden_states_after(model, blocks[-1], {"input_ids": IDS})
        assert torch.equal(hidden, outputs.hidden_states[2])
        for parameter in (each for block in blocks for each in block.parameters()):
            parameter.fill_(float("nan"))
        with starting_after(model, blocks, tuple_length):
            assert torch.equal(model(IDS, cached_states=hidden).logits, outputs.logits)
            assert model(IDS).logits.isnan().all()
