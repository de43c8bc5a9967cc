"""The choice of weights in bfloat16, and originals that come back to the last bit, also after Ctrl-C."""

import pytest
import torch
from small_models import changed, random_model, weights_of

from utils.compute.bf16_weights import scores_in_float32, weights_in_bf16
from utils.training.freezing import freeze_parameters


@pytest.mark.parametrize("train_head", [False, True])
def test_frozen_matrices_are_in_bfloat16_within_the_context(train_head):
    model = random_model("gpt2")
    freeze_parameters(model, 1, train_head)
    before = weights_of(model)
    with pytest.raises(KeyboardInterrupt), weights_in_bf16(model, enabled=True):
        halves = {name for name, parameter in model.named_parameters() if parameter.dtype == torch.bfloat16}
        assert halves == {
            f"transformer.h.{block}.{layer}.{kind}"
            for block in (0, 1)
            for layer in ("attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj")
            for kind in ("weight", "bias")
        }
        raise KeyboardInterrupt
    assert changed(before, weights_of(model)) == set()
    with weights_in_bf16(model, enabled=False):
        assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


def test_all_matrices_but_the_head_are_in_bfloat16():
    model = random_model("llama")
    before = weights_of(model)
    with weights_in_bf16(model, enabled=True, all_layers=True):
        halves = {name for name, parameter in model.named_parameters() if parameter.dtype == torch.bfloat16}
        assert halves == {name for name in before if name.endswith("proj.weight")}
    assert changed(before, weights_of(model)) == set()


def test_a_score_is_computed_in_float32():
    head = torch.nn.Linear(8, 1)
    head.bias.data.fill_(1994.3)
    model, states = torch.nn.Sequential(torch.nn.Linear(8, 8), head), torch.rand(4, 8)
    expected = model(states)
    with weights_in_bf16(model, enabled=True, all_layers=True), torch.autocast("cpu", torch.bfloat16):
        with scores_in_float32(model):
            torch.testing.assert_close(model(states), expected, rtol=0, atol=0.05)
        assert "forward" not in vars(head)
