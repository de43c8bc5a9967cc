"""What training a decoder costs in multiplications and additions, counted from the shapes of its matrices.

A matrix of p parameters costs 2p operations a token forward, 2p for the gradient of its input and 2p for its own
(J. Kaplan et al., "Scaling Laws for Neural Language Models", 2020, section 2.1). Counted are the tokens of the texts:
padding is no work. Attention scores are left out: 4 · 28 tokens · width a block, under 2 % of the matrices of the
models and texts here. So are norms, the optimiser and validation.
"""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Shape:
    """Parameters in the matrices of one block, blocks, and parameters of the head (none for a classifier)."""

    block: int
    blocks: int
    head: int


def shape_of(folder: Path, *, classifies: bool = False) -> Shape:
    """The shape of the base model in a folder, without loading its weights."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    from utils.freezing import find_parts

    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(folder))
    blocks = find_parts(model).blocks
    matrices = sum(parameter.numel() for parameter in blocks[0].parameters() if parameter.ndim == 2)
    return Shape(matrices, len(blocks), 0 if classifies else model.get_output_embeddings().weight.numel())


def training_operations(
    shape: Shape, tokens: int, epochs: int, trained: int | None, *, tied_head: bool = False, cached: bool = False
) -> float:
    """Operations of a whole training: `tokens` an epoch, the last `trained` blocks (None: everything) train.

    `tied_head`: the head trains, and with it the embedding, so that the gradient passes through every block.
    `cached`: the frozen blocks run in one epoch alone.
    """
    trained = shape.blocks if trained is None else min(trained, shape.blocks)
    head_trains = tied_head or trained == shape.blocks
    frozen = 2 * shape.block * (shape.blocks - trained)
    forward = 2 * shape.block * trained + 2 * shape.head
    backward = 4 * shape.block * trained + (4 if head_trains else 2) * shape.head
    if tied_head:
        backward += frozen
    return float(tokens * (epochs * (forward + backward) + frozen * (1 if cached else epochs)))
