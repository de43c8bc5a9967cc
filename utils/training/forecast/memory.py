"""The peak memory of a run, beyond that of its process with the model loaded: parameters and activations."""

from dataclasses import dataclass

import torch
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from utils import distributed
from utils.compute.blocks import find_blocks
from utils.errors import UserError
from utils.models.opening.adapters import adapter_parameters
from utils.training.flags import TrainingSettings

FLOAT32, BFLOAT16 = 4, 2  # bytes
# Bytes of a number in 4 bits: half a byte, one for each 64, and four for each 256 of these (`frozen_weights`).
FOUR_BITS = 0.5 + (1 + 4 / 256) / 64
ADAMW = 8  # bytes per trained parameter: two moments in float32
SPREAD, HIGH_SPREAD = 1.08, 1.2  # for the allocator and the matrix library (docs/results.md)


@dataclass(frozen=True)
class MemoryNeed:
    """Bytes that a run takes in addition to those at hand: at least, probably, and at most."""

    low: float
    likely: float
    high: float


@dataclass(frozen=True)
class Parameters:
    """Numbers of parameters, and blocks that train; `frozen_matrices` have copies in bfloat16, or in 4 bits."""

    total: int
    trained: int
    adapters: int  # among the trained ones: they are merged when the model is saved
    trained_blocks: int
    frozen_matrices: int
    largest_matrix: int  # of the frozen ones
    tied_head: int  # numbers of a trained head that is the embedding, too: it has two gradients for a while


def count(model: PreTrainedModel) -> Parameters:
    """Count the parameters of a model that is frozen as it is to be."""
    parameters = list(model.parameters())
    head, embedding = model.get_output_embeddings(), model.get_input_embeddings()
    try:
        blocks = [any(each.requires_grad for each in block.parameters()) for block in find_blocks(model).blocks]
    except UserError:
        blocks = [True]
    matrices = [
        parameter.numel()
        for module in model.modules()
        if isinstance(module, torch.nn.Linear | Conv1D) and module is not head
        for parameter in module.parameters(recurse=False)
        if not parameter.requires_grad
    ]
    tied = head is not None and head.weight is embedding.weight and head.weight.requires_grad
    return Parameters(
        total=sum(each.numel() for each in parameters),
        trained=sum(each.numel() for each in parameters if each.requires_grad),
        adapters=adapter_parameters(model),
        trained_blocks=sum(blocks),
        frozen_matrices=sum(matrices),
        largest_matrix=max(matrices, default=0),
        tied_head=head.weight.numel() if tied else 0,
    )


def memory_need(
    parameters: Parameters,
    kept: tuple[float, float],
    settings: TrainingSettings,
    *,
    keeps_start: bool,
    passes_whole: bool = False,
) -> MemoryNeed:
    """Return the memory of training and saving: on a GPU for one process, on a machine for all processes on it.

    `kept` are the bytes that the first batch, the longest, keeps for its gradient, and those of the largest later one.
    AdamW's moments are there from the second step on. `keeps_start`: the trained weights are kept as they were before;
    those that folds start from are, too. `passes_whole`: a linear probe or a prefix cache takes a pass through the
    whole model in float32 before.
    """
    trained, first, later = parameters.trained, *kept
    copies = int(distributed.world_size() > 1)
    moments, gradients, tied = ADAMW * trained, FLOAT32 * trained, FLOAT32 * parameters.tied_head
    accumulated = gradients if settings.gradient_accumulation_steps > 1 else 0
    if settings.device == "cpu":
        copies += keeps_start + bool(settings.folds)
        weights = BFLOAT16 * parameters.frozen_matrices * (settings.precision == "bf16")
        whole = 0
        loaded = FLOAT32 * parameters.total  # the best state, and the saved model, to compare it: files that are mapped
    else:
        weights = _weights_on_gpu(parameters, settings)
        whole = FLOAT32 * parameters.total * (passes_whole and not settings.load_in_4bit)
        loaded = 0
    always = weights + FLOAT32 * trained * copies
    processes = distributed.processes_here() if settings.device == "cpu" else 1  # each has a GPU of its own
    backward = accumulated + max(first, later + moments if later else 0)
    update = moments + gradients
    low = always + max(backward, update)
    likely = max(whole, always + SPREAD * max(backward + tied, update)) + loaded
    high = HIGH_SPREAD * max(whole, always + max(backward + gradients + tied, update)) + loaded
    return MemoryNeed(low * processes, likely * processes, high * processes)


def _weights_on_gpu(parameters: Parameters, settings: TrainingSettings) -> float:
    """Return the bytes of the weights while they train; one matrix of those in 4 bits is whole for its product."""
    frozen, others = parameters.frozen_matrices, parameters.total - parameters.frozen_matrices
    number = FLOAT32 if settings.precision == "fp32" else BFLOAT16
    if settings.load_in_4bit:
        return FLOAT32 * others + FOUR_BITS * frozen + number * parameters.largest_matrix
    return FLOAT32 * others + (BFLOAT16 if settings.precision == "bf16" else FLOAT32) * frozen
