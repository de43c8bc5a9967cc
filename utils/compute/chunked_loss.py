"""The loss of the next token where a head is more than a product: logits of the positions that have one to predict.

MERGED: The head and the loss in one: what tokens cost, without the logits of a whole batch in memory.

Logits are the largest tensors of a small model's step: 50,000 numbers a token, which a plain loss writes and reads ten
times over in float32. Here the vocabulary comes in chunks that stay in the processor's cache, and the gradient is
computed from the same logits at once. The arithmetic is the plain loss's: products in the dtype of autocast, the rest
in float32.
"""

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from torch.utils.weak import WeakTensorKeyDictionary

from utils.compute.batching import IGNORED
from utils.compute.last_block import compute_only
from utils.compute.onednn_linear import onednn_matmul
from utils.compute.patching import replaced_forward

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@contextlib.contextmanager
def only_supervised_logits(model: "PreTrainedModel", labels: torch.Tensor) -> Iterator[None]:
    """While it lasts, the model's logits are those of supervised positions: (supervised tokens, vocabulary).

    `labels` (texts, length) are those of `encoding.collate`. Half of what an instruction model reads is prompt and
    padding, and logits of 50,000 tokens are the largest tensors of a step. A hook on the head does it, so that the
    model is called as ever, also where it is wrapped for several processes.
    """
    predicts = supervised_positions(labels)
    handle = model.get_output_embeddings().register_forward_pre_hook(lambda head, inputs: (inputs[0][predicts],))
    try:
        with compute_only(model, predicts):
            yield
    finally:
        handle.remove()


def supervised_positions(labels: torch.Tensor) -> torch.Tensor:
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


# Logits in a chunk: 4 MB of float32, measured on a CPU (docs/results.md). A GPU's calls cost more than its memory.
CHUNK = {"cpu": 2**20}
CHUNK_ELSEWHERE = 2**26
_copies = WeakTensorKeyDictionary()


@contextlib.contextmanager
def losses_instead_of_logits(model: "PreTrainedModel", labels: torch.Tensor) -> Iterator[None]:
    """While it lasts, the head gives (supervised tokens, 2) in place of logits: those of `token_losses`.

    `labels` (texts, length) are those of `encoding.collate`. The model is called as ever, also where it is wrapped for
    several processes. Only for models of `has_plain_head`.
    """
    predicts = supervised_positions(labels)
    targets = labels[:, 1:][predicts[:, :-1]]
    head = model.get_output_embeddings()

    def forward(hidden: torch.Tensor) -> torch.Tensor:
        return token_losses(hidden[predicts], head.weight, targets)

    with replaced_forward({head: forward}), compute_only(model, predicts):
        yield


def has_plain_head(model: "PreTrainedModel") -> bool:
    """Whether the model's logits are its head's product and nothing else: no bias, scale or cap."""
    head = model.get_output_embeddings()
    if type(head) is not torch.nn.Linear or head.bias is not None:
        return False
    products = []
    handle = head.register_forward_hook(lambda head, inputs, output: products.append(output))
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([[1, 2]], device=model.device), use_cache=False).logits
    finally:
        handle.remove()
        model.train(was_training)
    return len(products) == 1 and bool(logits.any()) and torch.equal(products[0], logits)


def token_losses(hidden: torch.Tensor, weight: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """(tokens, 2) float32: the nats of `targets` (tokens,) under the logits `hidden @ weight.T`; 1 where those lead.

    `hidden` is (tokens, width), `weight` (vocabulary, width). Products are computed in autocast's dtype where it is on.
    Where gradients are wanted, nobody looks at the second column, and it is 0.
    """
    device = hidden.device.type
    dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else weight.dtype
    with torch.autocast(device, enabled=False):
        if torch.is_grad_enabled() and (hidden.requires_grad or weight.requires_grad):
            nats = _TokenLoss.apply(hidden, weight, targets, dtype)
            return torch.stack([nats, torch.zeros_like(nats)], dim=1)
        return _nll_and_correct(hidden.to(dtype), _in_dtype(weight, dtype), targets)


def mean_of_losses(outputs, labels: torch.Tensor, num_items_in_batch=None) -> torch.Tensor:
    """The mean over supervised tokens, also where the batch comes in several parts of `num_items_in_batch` in all."""
    nats = outputs["logits"][:, 0]
    return nats.sum() / (len(nats) if num_items_in_batch is None else num_items_in_batch)


class _TokenLoss(torch.autograd.Function):
    """−log softmax(hidden @ weight.T)[target] of each token."""

    @staticmethod
    def forward(ctx, hidden, weight, targets, dtype):
        narrow, matrix = hidden.to(dtype), _in_dtype(weight, dtype)
        powers, highest, totals = [], [], []
        for _, chunk, buffer in _chunks(matrix, len(narrow)):
            part = narrow @ chunk.T
            tops, total = _powers(buffer.copy_(part))
            highest.append(tops)
            totals.append(total)
            powers.append(part.copy_(buffer))
        total = torch.stack(totals).logsumexp(0)
        ctx.save_for_backward(narrow, matrix, targets, (torch.stack(highest) - total).exp_(), *powers)
        ctx.dtypes = hidden.dtype, weight.dtype
        return total - _picked(narrow, matrix, targets)

    @staticmethod
    def backward(ctx, gradient):
        narrow, matrix, targets, shares, *powers = ctx.saved_tensors
        wants_hidden, wants_weight = ctx.needs_input_grad[:2]
        gradient = gradient[:, None]
        of_hidden = torch.zeros_like(narrow, dtype=torch.float32) if wants_hidden else None
        of_weight = torch.empty_like(matrix, dtype=torch.float32) if wants_weight else None
        weighted = (narrow * gradient).to(narrow.dtype)
        for (first, chunk, _), share, part in zip(_chunks(matrix, len(narrow)), shares, powers, strict=True):
            errors = part.mul_(share[:, None])
            inside = ((targets >= first) & (targets < first + len(chunk))).nonzero()[:, 0]
            errors[inside, targets[inside] - first] -= 1
            if wants_hidden:
                of_hidden += errors @ chunk
            if wants_weight:
                of_weight[first : first + len(chunk)] = errors.T @ weighted
        hidden_dtype, weight_dtype = ctx.dtypes
        return (
            of_hidden.mul_(gradient).to(hidden_dtype) if wants_hidden else None,
            of_weight.to(weight_dtype) if wants_weight else None,
            None,
            None,
        )


def _nll_and_correct(hidden: torch.Tensor, matrix: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    totals = []
    best = torch.full(targets.shape, -torch.inf, device=targets.device)
    best_id = torch.zeros_like(targets)
    for first, chunk, buffer in _chunks(matrix, len(hidden)):
        logits = buffer.copy_(onednn_matmul(hidden, chunk))
        value, number = logits.max(1)
        best_id = torch.where(value > best, first + number, best_id)
        best = torch.maximum(best, value)
        totals.append(_powers(logits)[1])
    nats = torch.stack(totals).logsumexp(0) - _picked(hidden, matrix, targets)
    return torch.stack([nats, (best_id == targets).float()], dim=1)


def _powers(rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Turn each row into exp(row − its highest value); those highest, and each row's log of its sum of exponentials.

    PyTorch's logsumexp takes new memory every time.
    """
    highest = rows.amax(1)
    rows.sub_(highest[:, None]).exp_()
    return highest, rows.sum(1).log_().add_(highest)


def _chunks(matrix: torch.Tensor, tokens: int) -> Iterator[tuple[int, torch.Tensor, torch.Tensor]]:
    """(first token id, rows of the head's matrix, float32 memory for their logits) until the vocabulary is through."""
    size = _size(matrix, tokens)
    buffer = torch.empty(tokens * size, device=matrix.device)
    for first in range(0, len(matrix), size):
        chunk = matrix[first : first + size]
        yield first, chunk, buffer[: tokens * len(chunk)].view(tokens, len(chunk))


def _size(matrix: torch.Tensor, tokens: int) -> int:
    return max(1024, CHUNK.get(matrix.device.type, CHUNK_ELSEWHERE) // max(1, tokens))


def _in_dtype(weight: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """The weight in that dtype; of one that does not change, the copy is made once."""
    if weight.dtype == dtype or weight.requires_grad:
        return weight.to(dtype)
    state = (weight.data_ptr(), weight._version, dtype)
    if weight not in _copies or _copies[weight][0] != state:
        with torch.inference_mode(False):  # validation may come first, and what it makes could not be trained with
            _copies[weight] = state, weight.to(dtype)
    return _copies[weight][1]


def _picked(hidden: torch.Tensor, matrix: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """The logits of the targets, rounded as all logits are: a likelihood must not be above 1."""
    return (hidden.float() * matrix[targets].float()).sum(1).to(matrix.dtype).float()
