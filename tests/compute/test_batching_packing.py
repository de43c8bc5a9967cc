"""Texts that share a row: what the batch is, that none sees another, and that training is the same."""

import pytest
import torch
from small_models import random_model
from transformers import BloomConfig, BloomForCausalLM, MambaConfig, MambaForCausalLM

from utils.compute.batching import check_packing, collate_packed
from utils.errors import UserError

ROWS = [
    {"input_ids": [256, 5, 6, 256], "loss_start": 1},
    {"input_ids": [256, 7, 256], "loss_start": 2},
    {"input_ids": [8, 9], "loss_start": 0},
]


def test_a_packed_batch_is_one_row_without_padding():
    batch = collate_packed(ROWS)
    assert {name: tensor.tolist() for name, tensor in batch.items()} == {
        "input_ids": [[256, 5, 6, 256, 256, 7, 256, 8, 9]],
        "position_ids": [[0, 1, 2, 3, 0, 1, 2, 0, 1]],
        "labels": [[-100, 5, 6, 256, -100, -100, 256, -100, 9]],
    }


@pytest.mark.parametrize("kind", ["gpt2", "llama", "gpt_neox"])
@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_no_text_sees_another(kind, attention):
    model = random_model(kind)
    model.set_attn_implementation(attention)
    check_packing(model)
    batch = collate_packed(ROWS)
    del batch["labels"]
    with torch.inference_mode():
        together = model(**batch, use_cache=False).logits[0]
        alone = torch.cat([model(torch.tensor([row["input_ids"]])).logits[0] for row in ROWS])
    torch.testing.assert_close(together, alone, atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    "model",
    [
        lambda: BloomForCausalLM(BloomConfig(vocab_size=257, hidden_size=16, n_layer=2, n_head=2)),
        lambda: MambaForCausalLM(MambaConfig(vocab_size=257, hidden_size=16, num_hidden_layers=2, state_size=4)),
    ],
)
def test_models_whose_texts_would_see_each_other_are_refused(model):
    with pytest.raises(UserError, match="--packing: texts that share a row see each other"):
        check_packing(model().eval())
