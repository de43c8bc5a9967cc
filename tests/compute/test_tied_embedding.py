"""Gradients of an embedding that is the head, too, against those that PyTorch computes by itself."""

import pytest
import torch
from small_models import random_model

from utils.compute.tied_embedding import sparse_embedding_gradient

IDS = torch.tensor([[5, 5, 9, 200], [5, 31, 31, 31]])


def gradients(model):
    for _ in range(2):  # accumulated
        model(input_ids=IDS, labels=IDS).loss.backward()
    return {name: parameter.grad for name, parameter in model.named_parameters() if parameter.requires_grad}


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
@pytest.mark.parametrize("tied", [False, True])
def test_gradients_are_dense_and_the_same(kind, tied):
    expected = gradients(random_model(kind, tie_word_embeddings=tied))
    model = random_model(kind, tie_word_embeddings=tied)
    with sparse_embedding_gradient(model):
        assert model.get_input_embeddings().sparse == tied
        actual = gradients(model)
    assert not model.get_input_embeddings().sparse
    assert actual.keys() == expected.keys()
    for name, gradient in actual.items():
        assert gradient.layout == torch.strided
        torch.testing.assert_close(gradient, expected[name])


def test_a_frozen_embedding_is_left_alone():
    model = random_model("gpt2")
    model.get_input_embeddings().weight.requires_grad = False
    with sparse_embedding_gradient(model):
        assert not model.get_input_embeddings().sparse
