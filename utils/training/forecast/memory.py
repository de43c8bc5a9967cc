"""The memory of a run at its peak, beyond what its process has when the model is loaded: parameters and activations."""

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
ADAMW = 8  # bytes per trained parameter: two moments in float32
SPREAD, HIGH_SPREAD = 1.08, 1.2  # what the allocator and the matrix library take besides (docs/results.md)


@dataclass(frozen=True)
class MemoryNeed:
    """Bytes that a run takes in addition to those at hand: at least, probably, and at most."""

    low: float
    likely: float
    high: float


@dataclass(frozen=True)
class Parameters:
    """Numbers of parameters, and blocks that train; `frozen_matrices` have copies in bfloat16."""

    total: int
    trained: int
    adapters: int  # among the trained ones: they are merged when the model is saved
    trained_blocks: int
    frozen_matrices: int
    tied_head: int  # numbers of a trained head that is the embedding, too: it has two gradients for a while


def count(model: PreTrainedModel) -> Parameters:
    """Count the parameters of a model that is frozen as it is to be."""
    parameters = list(model.parameters())
    head, embedding = model.get_output_embeddings(), model.get_input_embeddings()
    try:
        blocks = [any(each.requires_grad for each in block.parameters()) for block in find_blocks(model).blocks]
    except UserError:
        blocks = [True]
    matrices = (
        parameter.numel()
        for module in model.modules()
        if isinstance(module, torch.nn.Linear | Conv1D) and module is not head
        for parameter in module.parameters(recurse=False)
        if not parameter.requires_grad
    )
    tied = head is not None and head.weight is embedding.weight and head.weight.requires_grad
    return Parameters(
        total=sum(each.numel() for each in parameters),
        trained=sum(each.numel() for each in parameters if each.requires_grad),
        adapters=adapter_parameters(model),
        trained_blocks=sum(blocks),
        frozen_matrices=sum(matrices),
        tied_head=head.weight.numel() if tied else 0,
    )


def memory_need(
    parameters: Parameters, kept: tuple[float, float], settings: TrainingSettings, *, keeps_start: bool
) -> MemoryNeed:
    """Return what training and saving take: of a GPU for one process, of a machine's memory for all processes on it.

    `kept` are the bytes that the first batch, the longest, keeps for its gradient, and those of the largest later one.
    AdamW's moments are there from the second step on. `keeps_start`: the trained weights are kept as they were before;
    those that folds start from are, too.
    """
    trained, first, later = parameters.trained, *kept
    always = FLOAT32 * trained * (keeps_start + bool(settings.folds) + (distributed.world_size() > 1))
    if settings.precision == "bf16":
        always += BFLOAT16 * parameters.frozen_matrices
    moments, gradients, tied = ADAMW * trained, FLOAT32 * trained, FLOAT32 * parameters.tied_head
    accumulated = gradients if settings.gradient_accumulation_steps > 1 else 0
    loaded = FLOAT32 * parameters.total  # the best state, and the saved model, to compare it: files that are mapped
    if settings.device != "cpu":
        always += FLOAT32 * parameters.total  # on the GPU
        loaded = 0
    processes = distributed.processes_here() if settings.device == "cpu" else 1  # each has a GPU of its own
    backward = accumulated + max(first, later + moments if later else 0)
    update = moments + gradients
    low = always + max(backward, update)
    likely = always + SPREAD * max(backward + tied, update) + loaded
    high = HIGH_SPREAD * (always + max(backward + gradients + tied, update)) + loaded
    return MemoryNeed(low * processes, likely * processes, high * processes)
