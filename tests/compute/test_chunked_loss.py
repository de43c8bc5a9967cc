"""The loss in chunks of the vocabulary: values and gradients are those of the model's own loss."""

import copy

import pytest
import torch
from small_models import MAKERS, random_model
from transformers import Gemma2Config, Gemma2ForCausalLM

from utils.compute import chunked_loss
from utils.compute.batching import collate_texts
from utils.compute.chunked_loss import (
    has_plain_head,
    next_token_scoring,
    nll_and_correct,
    supervised_head,
    token_scores,
)
from utils.training.freezing import untie_head

ROWS = [
    {"input_ids": [256, 5, 6, 7, 256], "loss_start": 3},
    {"input_ids": [256, 9, 256], "loss_start": 1},
    {"input_ids": [256, 256], "loss_start": 1},
]


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    """Several chunks, the last of them a shorter one."""
    monkeypatch.setattr(chunked_loss, "_chunk_size", lambda matrix, tokens: 100)


def gradients(model, loss):
    return torch.autograd.grad(loss, [each for each in model.parameters() if each.requires_grad])


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("head", ["tied", "untied", "frozen"])
def test_loss_and_gradients_are_the_models_own(kind, head):
    model = random_model(kind)
    if head != "tied":
        untie_head(model)
    model.get_output_embeddings().requires_grad_(head != "frozen")
    batch = collate_texts(ROWS, pad_id=256)
    own = gradients(model, model(**batch, use_cache=False).loss)
    inputs = {name: tensor for name, tensor in batch.items() if name != "labels"}
    assert has_plain_head(model)
    with supervised_head(model, batch["labels"], scores=True):
        outputs = model(**inputs, use_cache=False)
    assert outputs.logits.shape == (5, 2)
    found = gradients(model, outputs.logits[:, 0].mean())
    for wanted, gradient in zip(own, found, strict=True):
        torch.testing.assert_close(gradient, wanted, atol=1e-5, rtol=1e-4)
    assert model(**inputs).logits.shape == (*batch["labels"].shape, 257)


def test_in_bfloat16_it_rounds_as_the_plain_loss_does():
    hidden, targets = torch.randn(40, 32, requires_grad=True), torch.randint(0, 257, (40,))
    weight = torch.nn.Parameter(torch.randn(257, 32))
    with torch.autocast("cpu", torch.bfloat16):
        plain = torch.nn.functional.cross_entropy((hidden @ weight.T).float(), targets, reduction="none")
        nll = token_scores(hidden, weight, targets)[:, 0]
    torch.testing.assert_close(nll, plain, atol=1e-4, rtol=1e-4)
    share = torch.rand(40)
    wanted = torch.autograd.grad((plain * share).sum(), [hidden, weight])
    found = torch.autograd.grad((nll * share).sum(), [hidden, weight])
    for one, other in zip(found, wanted, strict=True):
        assert (one - other).norm() < 0.01 * other.norm()


def test_without_gradients_it_says_where_the_target_has_the_highest_logit():
    hidden, targets = torch.randn(200, 4), torch.randint(0, 257, (200,))
    weight = torch.randn(257, 4)
    weight[150] = weight[20]  # of equal logits, the first counts
    targets[:100] = (hidden @ weight.T).argmax(1)[:100]
    found = token_scores(hidden, weight, targets)
    torch.testing.assert_close(found, nll_and_correct(hidden @ weight.T, targets))
    assert found[:100, 1].min() == 1


def test_the_copy_of_a_frozen_head_follows_its_weights():
    hidden, targets = torch.randn(3, 8), torch.tensor([0, 1, 2])
    weight = torch.nn.Parameter(torch.randn(257, 8), requires_grad=False)
    for change in (lambda: None, lambda: weight.mul_(2), lambda: setattr(weight, "data", torch.randn(257, 8))):
        change()
        with torch.autocast("cpu", torch.bfloat16):
            found = token_scores(hidden, weight, targets)
            fresh = token_scores(hidden, copy.deepcopy(weight), targets)
        assert torch.equal(found, fresh)


def test_a_head_with_a_cap_is_not_plain():
    config = Gemma2Config(
        vocab_size=257,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
        head_dim=8,
        final_logit_softcapping=1.0,
    )
    assert not has_plain_head(Gemma2ForCausalLM(config))


@pytest.mark.parametrize("kind", MAKERS)
def test_logits_of_supervised_positions_give_the_models_own_loss(kind):
    batch = collate_texts(ROWS, pad_id=256)
    model = random_model(kind)
    names = [name for name, _ in model.named_parameters()]
    own = torch.autograd.grad(model(**batch, use_cache=False).loss, list(model.parameters()))
    inputs = {name: tensor for name, tensor in batch.items() if name != "labels"}
    with supervised_head(model, batch["labels"]):
        outputs = model(**inputs, use_cache=False)
    assert outputs.logits.shape == (5, 257)
    targets = torch.tensor([7, 256, 9, 256, 256])
    found = torch.autograd.grad(nll_and_correct(outputs.logits, targets)[:, 0].mean(), list(model.parameters()))
    for name, wanted, gradient in zip(names, own, found, strict=True):
        torch.testing.assert_close(gradient, wanted, atol=1e-5, rtol=1e-4, msg=name)
    assert model(**inputs).logits.shape == (*batch["labels"].shape, 257)


@pytest.mark.parametrize("is_plain", [True, False])
def test_both_ways_give_the_same_scores(is_plain, monkeypatch):
    model = random_model("llama")
    batch = collate_texts(ROWS, pad_id=256)
    labels = batch.pop("labels")
    with torch.no_grad():
        logits = model(**batch).logits[:, :-1][labels[:, 1:] != -100]
        expected = nll_and_correct(logits, torch.tensor([7, 256, 9, 256, 256]))
        monkeypatch.setattr(chunked_loss, "has_plain_head", lambda model: is_plain)
        context, scores = next_token_scoring(model)
        with context(model, labels):
            found = scores(model(**batch).logits, labels)
    torch.testing.assert_close(found, expected)


def test_a_chunk_has_no_more_rows_than_the_head(monkeypatch):
    monkeypatch.undo()
    monkeypatch.setattr(chunked_loss, "CHUNK", {})  # as on a GPU
    [(chunk, buffer)] = chunked_loss._chunks(torch.zeros(5000, 2), tokens=3)
    assert len(chunk) == 5000
    assert buffer.untyped_storage().nbytes() == 3 * 5000 * 4
