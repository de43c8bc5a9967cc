"""The memory that a batch keeps for its gradient, measured by a forward pass of a few tokens through two blocks.

It depends on the architecture (dropout, attention matrices, the width of its layers). It grows with the tokens of a
batch, with the square of a length where matrices of attention are kept, and with the number of trained blocks. A short
text and two blocks are therefore enough to compute it for any batch.
"""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy
import torch
from transformers import PreTrainedModel

from utils.compute.bf16_weights import weights_in_bf16
from utils.compute.blocks import find_blocks, hidden_states_after
from utils.compute.device import autocast, kept_random_numbers
from utils.compute.patching import eval_mode, replaced_forward
from utils.errors import UserError
from utils.training.objectives import Objective

SHAPES = ((1, 8), (1, 16), (1, 24), (2, 16))  # rows and tokens of the batches that are tried


@dataclass(frozen=True)
class Kept:
    """Bytes that do not grow, bytes per row, per token, and per row and square of its length."""

    fixed: float
    per_row: float
    per_token: float
    per_square: float

    def of(self, rows: int, length: int) -> float:
        """Return the bytes for a batch of so many rows and tokens in each."""
        return max(0.0, self.fixed + rows * (self.per_row + length * (self.per_token + length * self.per_square)))

    def minus(self, other: "Kept") -> "Kept":
        """Return the difference."""
        return Kept(*(getattr(self, name) - getattr(other, name) for name in self.__dataclass_fields__))


@dataclass(frozen=True)
class Activations:
    """The memory that a step keeps with one trained block, `with_one`, and per further one; `width` is the model's."""

    with_one: Kept
    per_block: Kept
    width: int

    def of(self, rows: int, length: int, blocks: int, *, checkpointing: bool = False) -> float:
        """Return the bytes for a batch; with `checkpointing`, all blocks but one keep only their inputs."""
        each = 4 * rows * length * self.width if checkpointing else self.per_block.of(rows, length)
        return self.with_one.of(rows, length) + max(0, blocks - 1) * each


def count_activations(model: PreTrainedModel, objective: Objective, row: dict, precision: str) -> Activations:
    """Return the memory that batches of rows like `row`, the longest one, keep. The model is not changed."""
    width = model.config.get_text_config().hidden_size
    count = partial(_count, model, objective, row, precision)
    try:
        blocks = list(find_blocks(model).blocks)
    except UserError:
        return Activations(count(()), Kept(0.0, 0.0, 0.0, 0.0), width)
    with contextlib.ExitStack() as cast:
        for block in blocks[-2:]:  # beside adapters, the frozen weights are in bfloat16 already when a step begins
            cast.enter_context(weights_in_bf16(block, precision == "bf16"))
        one, two = count(blocks[:-1]), count(blocks[:-2])
    return Activations(one, two.minus(one), width)


def shorten(row: dict, length: int) -> dict:
    """Return a row of another length, with the same share of tokens that have a loss."""
    ids = list(row["input_ids"])
    ids = (ids * (length // len(ids) + 1))[:length]
    if "label" in row:
        return {**row, "input_ids": ids}
    start = round(length * row["loss_start"] / len(row["input_ids"]))
    return {**row, "input_ids": ids, "loss_start": min(max(1, start), length - 1)}


def _count(
    model: PreTrainedModel, objective: Objective, row: dict, precision: str, skipped: Sequence[torch.nn.Module]
) -> Kept:
    kept = []
    for rows, length in SHAPES:
        inputs = objective.collate([shorten(row, length)] * rows)
        inputs = {name: tensor.to(model.device) for name, tensor in inputs.items()}
        with _without(model, skipped, inputs, precision):
            kept.append(_kept_bytes(model, objective, inputs, precision))
    matrix = [[1, rows, rows * length, rows * length**2] for rows, length in SHAPES]
    solution = numpy.linalg.solve(numpy.array(matrix, dtype=float), numpy.array(kept, dtype=float))
    return Kept(*map(float, solution))


@contextlib.contextmanager
def _without(
    model: PreTrainedModel, skipped: Sequence[torch.nn.Module], inputs: dict, precision: str
) -> Iterator[None]:
    """Within the context, the blocks return their inputs."""
    if not skipped:
        yield
        return
    with eval_mode(model), torch.no_grad(), autocast(model.device.type, precision):
        without_labels = {name: tensor for name, tensor in inputs.items() if name != "labels"}
        tuple_length = hidden_states_after(model, skipped[0], without_labels)[1]

    def forward(*arguments, **options):
        hidden = arguments[0] if arguments else options["hidden_states"]
        return (hidden, *[None] * (tuple_length - 1)) if tuple_length else hidden

    with replaced_forward(dict.fromkeys(skipped, forward)):
        yield


def _kept_bytes(model: PreTrainedModel, objective: Objective, inputs: dict, precision: str) -> int:
    """Return the bytes of the tensors that autograd keeps, but for the model's own."""
    own = {each.untyped_storage().data_ptr() for each in (*model.parameters(), *model.buffers())}
    kept = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    arguments = {name: tensor for name, tensor in inputs.items() if name != "labels"}
    was_training = {module: module.training for module in model.modules()}
    model.train()
    try:
        with (
            kept_random_numbers(),
            torch.enable_grad(),
            torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
            autocast(model.device.type, precision),
            objective.forward_context(model, inputs),
        ):
            outputs = model(**arguments, use_cache=False)
            objective.loss(outputs, inputs["labels"])
    finally:
        for module, training in was_training.items():
            module.training = training
    return sum(kept.values())
