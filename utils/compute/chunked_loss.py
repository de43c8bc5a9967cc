"""The next-token loss: the head runs at the supervised positions only, and in chunks of the vocabulary.

The logits are the largest tensors of a small model's step: 50,000 numbers per token. Where they are the product of the
hidden states and the head's matrix, each chunk stays in the processor's cache, and loss and gradient share the
exponentials. With bfloat16 on a CPU, the head and the loss take half the time (docs/results.md).

Without it: `torch.nn.functional.cross_entropy(model(**inputs).logits.float(), targets)`. The arithmetic is the same
(products in the dtype of autocast, the rest in float32), so results differ by the rounding of these products.
"""

import contextlib
from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch.utils.weak import WeakTensorKeyDictionary
from transformers import PreTrainedModel

from utils.compute.batching import IGNORED
from utils.compute.last_block import compute_only
from utils.compute.onednn_linear import onednn_matmul
from utils.compute.patching import eval_mode, replaced_forward

# Logits per chunk: 4 MB of float32 on a CPU, as measured (docs/results.md). On a GPU, calls cost more than memory.
CHUNK = {"cpu": 2**20}
CHUNK_ON_GPU = 2**26
_casts = WeakTensorKeyDictionary()


def next_token_scoring(model: PreTrainedModel) -> tuple[Callable, Callable]:
    """Return (`context(model, labels)`, `scores(logits, labels)`) for labels (texts, length) of `collate_texts`.

    `scores` turns the logits that the model returns within the context into (supervised tokens, 2) float32: the nll,
    and 1 where the target has the highest logit. With gradients, the second column is 0.
    """
    if has_plain_head(model):
        return partial(supervised_head, scores=True), lambda logits, labels: logits
    return supervised_head, lambda logits, labels: nll_and_correct(logits, _targets(labels))


@contextlib.contextmanager
def supervised_head(model: PreTrainedModel, labels: torch.Tensor, *, scores: bool = False) -> Iterator[None]:
    """Within the context, the model's logits are those of supervised positions: (supervised tokens, vocabulary).

    With `scores`, they are the `token_scores` of these positions instead. For models of `has_plain_head`.
    """
    needed = supervised_positions(labels)
    head = model.get_output_embeddings()
    run = partial(token_scores, weight=head.weight, targets=_targets(labels)) if scores else head.forward
    with replaced_forward({head: lambda hidden: run(hidden[needed])}), compute_only(model, needed):
        yield


def supervised_positions(labels: torch.Tensor) -> torch.Tensor:
    """Return the mask (texts, length) of the positions that predict a supervised token: the one before each label."""
    needed = torch.zeros_like(labels, dtype=torch.bool)
    needed[:, :-1] = labels[:, 1:] != IGNORED
    return needed


def _targets(labels: torch.Tensor) -> torch.Tensor:
    targets = labels[:, 1:]
    return targets[targets != IGNORED]


def has_plain_head(model: PreTrainedModel) -> bool:
    """Return whether the model's logits are the product of its head and nothing else: no bias, scale or cap."""
    head = model.get_output_embeddings()
    if type(head) is not torch.nn.Linear or head.bias is not None:
        return False
    products = []
    handle = head.register_forward_hook(lambda head, inputs, output: products.append(output))
    try:
        with eval_mode(model), torch.no_grad():
            logits = model(input_ids=torch.tensor([[1, 2]], device=model.device), use_cache=False).logits
    finally:
        handle.remove()
    return len(products) == 1 and bool(logits.any()) and torch.equal(products[0], logits)


def nll_and_correct(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return (tokens, 2) float32: the nll of each target, and 1 where it has the highest logit (0 with gradients)."""
    nll = torch.nn.functional.cross_entropy(logits.float(), targets, reduction="none")
    correct = torch.zeros_like(nll) if logits.requires_grad else (logits.argmax(-1) == targets).float()
    return torch.stack([nll, correct], dim=1)


def token_scores(hidden: torch.Tensor, weight: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return `nll_and_correct` of the logits `hidden @ weight.T`, which are computed in autocast's dtype.

    `hidden` is (tokens, width), `weight` (vocabulary, width), `targets` (tokens,).
    """
    device = hidden.device.type
    dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else weight.dtype
    with torch.autocast(device, enabled=False):
        if torch.is_grad_enabled() and (hidden.requires_grad or weight.requires_grad):
            nll = _ChunkedLoss.apply(hidden, weight, targets, dtype)
            return torch.stack([nll, torch.zeros_like(nll)], dim=1)
        return _chunked_scores(hidden.to(dtype), _cast(weight, dtype), targets)


class _ChunkedLoss(torch.autograd.Function):
    """The nll of each token."""

    @staticmethod
    def forward(ctx, hidden, weight, targets, dtype):
        states, matrix = hidden.to(dtype), _cast(weight, dtype)
        exponentials, maxima, totals = [], [], []
        for chunk, buffer in _chunks(matrix, len(states)):
            logits = states @ chunk.T
            maximum, total = _exponentiate(buffer.copy_(logits))
            exponentials.append(logits.copy_(buffer))
            maxima.append(maximum)
            totals.append(total)
        total = torch.stack(totals).logsumexp(0)
        scales = (torch.stack(maxima) - total).exp_()
        ctx.save_for_backward(states, matrix, targets, scales, *exponentials)
        ctx.dtypes = hidden.dtype, weight.dtype
        return total - _target_logits(states, matrix, targets)

    @staticmethod
    def backward(ctx, gradient):
        states, matrix, targets, scales, *exponentials = ctx.saved_tensors
        needs_hidden, needs_weight = ctx.needs_input_grad[:2]
        weighted = (states * gradient[:, None]).to(states.dtype)
        of_hidden = -matrix[targets].float() if needs_hidden else None
        of_weight = torch.empty_like(matrix, dtype=torch.float32) if needs_weight else None
        first = 0
        for scale, exponential in zip(scales, exponentials, strict=True):
            rows = slice(first, first + exponential.shape[1])
            probabilities = exponential.mul_(scale[:, None])
            if needs_hidden:
                of_hidden += probabilities @ matrix[rows]
            if needs_weight:
                of_weight[rows] = probabilities.T @ weighted
            first = rows.stop
        hidden_dtype, weight_dtype = ctx.dtypes
        if needs_hidden:
            of_hidden = of_hidden.mul_(gradient[:, None]).to(hidden_dtype)
        if needs_weight:
            of_weight = of_weight.index_add_(0, targets, weighted.float(), alpha=-1).to(weight_dtype)
        return of_hidden, of_weight, None, None


def _chunked_scores(states: torch.Tensor, matrix: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    totals, first = [], 0
    best = torch.full(targets.shape, -torch.inf, device=targets.device)
    best_id = torch.zeros_like(targets)
    for chunk, buffer in _chunks(matrix, len(states)):
        logits = buffer.copy_(onednn_matmul(states, chunk))
        maximum, number = logits.max(1)
        best_id = torch.where(maximum > best, first + number, best_id)
        best = torch.maximum(best, maximum)
        totals.append(_exponentiate(logits)[1])
        first += len(chunk)
    nll = torch.stack(totals).logsumexp(0) - _target_logits(states, matrix, targets)
    return torch.stack([nll, (best_id == targets).float()], dim=1)


def _chunks(matrix: torch.Tensor, tokens: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yield (rows of the head's matrix, a float32 buffer for their logits), which all chunks share."""
    size = _chunk_size(matrix, tokens)
    buffer = torch.empty(tokens * size, device=matrix.device)
    for chunk in matrix.split(size):
        yield chunk, buffer[: tokens * len(chunk)].view(tokens, len(chunk))


def _chunk_size(matrix: torch.Tensor, tokens: int) -> int:
    """Return the rows of the head's matrix in a chunk: no more than there are, since the buffer has as many columns."""
    return min(len(matrix), max(1024, CHUNK.get(matrix.device.type, CHUNK_ON_GPU) // max(1, tokens)))


def _exponentiate(logits: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Replace each row by exp(row − maximum), and return (maximum, logsumexp) of the rows.

    torch.logsumexp would allocate memory in every call.
    """
    maximum = logits.amax(1)
    logits.sub_(maximum[:, None]).exp_()
    return maximum, logits.sum(1).log_().add_(maximum)


def _target_logits(states: torch.Tensor, matrix: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return the logits of the targets, rounded as all logits are: a likelihood must not be above 1."""
    return (states.float() * matrix[targets].float()).sum(1).to(matrix.dtype).float()


def _cast(weight: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Return the weight in that dtype. A frozen weight is cast once."""
    if weight.dtype == dtype or weight.requires_grad:
        return weight.to(dtype)
    state = (weight.data_ptr(), weight._version, dtype)
    if weight not in _casts or _casts[weight][0] != state:
        with torch.inference_mode(False):  # validation may come first, and inference tensors cannot be trained with
            _casts[weight] = state, weight.to(dtype)
    return _casts[weight][1]
