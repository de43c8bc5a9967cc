"""Logits of supervised positions alone: the loss and the gradients are those of the model's own loss."""

import pytest
import torch
from small_models import MAKERS, random_model

from utils.compute.batching import collate_texts
from utils.compute.chunked_loss import next_token_loss, only_supervised_logits

ROWS = [
    {"input_ids": [256, 5, 6, 7, 256], "loss_start": 3},
    {"input_ids": [256, 9, 256], "loss_start": 1},
    {"input_ids": [256, 256], "loss_start": 1},
]


@pytest.mark.parametrize("kind", MAKERS)
def test_loss_and_gradients_are_the_models_own(kind):
    batch = collate_texts(ROWS, pad_id=256)
    model = random_model(kind)
    names = [name for name, _ in model.named_parameters()]
    own = torch.autograd.grad(model(**batch, use_cache=False).loss, list(model.parameters()))
    inputs = {name: tensor for name, tensor in batch.items() if name != "labels"}
    with only_supervised_logits(model, batch["labels"]):
        outputs = model(**inputs, use_cache=False)
    assert outputs.logits.shape == (5, 257)
    gradients = torch.autograd.grad(next_token_loss(outputs, batch["labels"]), list(model.parameters()))
    for name, wanted, found in zip(names, own, gradients, strict=True):
        torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-4, msg=name)
    assert model(**inputs).logits.shape == (*batch["labels"].shape, 257)


def test_a_part_of_a_batch_counts_by_its_share():
    batch = collate_texts(ROWS, pad_id=256)
    outputs = {"logits": torch.randn(5, 257)}
    mean = next_token_loss(outputs, batch["labels"])
    assert next_token_loss(outputs, batch["labels"], num_items_in_batch=20) == pytest.approx(mean.item() * 5 / 20)
