"""The loss of the next token where a head is more than a product: logits of the positions that have one to predict."""

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch

from utils.encoding import IGNORED
from utils.last_block import read_alone

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@contextlib.contextmanager
def supervised_rows_alone(model: "PreTrainedModel", labels: torch.Tensor) -> Iterator[None]:
    """While it lasts, the model's logits are those of supervised positions: (supervised tokens, vocabulary).

    `labels` (texts, length) are those of `encoding.collate`. Half of what an instruction model reads is prompt and
    padding, and logits of 50,000 tokens are the largest tensors of a step. A hook on the head does it, so that the
    model is called as ever, also where it is wrapped for several processes.
    """
    predicts = predicting(labels)
    handle = model.get_output_embeddings().register_forward_pre_hook(lambda head, inputs: (inputs[0][predicts],))
    try:
        with read_alone(model, predicts):
            yield
    finally:
        handle.remove()


def predicting(labels: torch.Tensor) -> torch.Tensor:
    """Where there is a token to predict: a mask like `labels` (texts, length), whose next one counts there."""
    predicts = torch.zeros_like(labels, dtype=torch.bool)
    predicts[:, :-1] = labels[:, 1:] != IGNORED
    return predicts


def next_token_loss(outputs, labels: torch.Tensor, num_items_in_batch=None) -> torch.Tensor:
    """The mean over supervised tokens, also where the batch comes in several parts of `num_items_in_batch` in all."""
    targets = labels[:, 1:]
    targets = targets[targets != IGNORED]
    total = torch.nn.functional.cross_entropy(outputs["logits"].float(), targets, reduction="sum")
    return total / (len(targets) if num_items_in_batch is None else num_items_in_batch)
