"""Linear layers through oneDNN compute the same, and the model is left as it was."""

import pytest
import torch
from small_models import random_model
from torch.nn.functional import linear
from transformers.pytorch_utils import Conv1D

from utils.compute.onednn_linear import _linear, onednn_linear


@pytest.mark.parametrize("bias", [True, False])
def test_linear_layers_compute_the_same(bias):
    dense, conv = torch.nn.Linear(24, 40, bias=bias), Conv1D(40, 24)
    states = torch.randn(3, 5, 24)
    with torch.no_grad():
        assert torch.allclose(_linear(dense, states), linear(states, dense.weight, dense.bias), atol=1e-5)
        assert torch.allclose(_linear(conv, states), states @ conv.weight + conv.bias, atol=1e-5)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert _linear(dense, states).dtype == torch.bfloat16


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_a_model_is_left_as_it_was(kind):
    model, ids = random_model(kind), torch.tensor([[1, 2, 3]])
    with torch.no_grad():
        expected = model(ids).logits
        with onednn_linear(model):
            assert torch.allclose(model(ids).logits, expected, atol=1e-5)
    assert not any("forward" in vars(module) for module in model.modules())
    assert model(ids).logits.requires_grad
