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
    """Parameters in matrices, and the number of blocks. A classifier has no head worth counting."""

    block: int
    read: int  # of a block: those that the last one multiplies with the tokens alone that a loss depends on
    blocks: int
    head: int


def shape_of(folder: Path, *, classifies: bool = False) -> Shape:
    """The shape of the base model in a folder, without loading its weights."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    from utils.compute.blocks import find_blocks
    from utils.compute.last_block import PARTS

    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(folder))
    blocks = find_blocks(model).blocks
    sizes = {name: parameter.numel() for name, parameter in blocks[0].named_parameters() if parameter.ndim == 2}
    read = sum(size for name, size in sizes.items() if name.startswith(PARTS))
    head = 0 if classifies else model.get_output_embeddings().weight.numel()
    return Shape(sum(sizes.values()), read, len(blocks), head)


def training_operations(
    shape: Shape,
    tokens: int,
    epochs: int,
    trained: int | None,
    *,
    tied_head: bool = False,
    cached: bool = False,
    read: int | None = None,
) -> float:
    """Operations of a whole training: `tokens` an epoch, the last `trained` blocks (None: everything) train.

    `tied_head`: the head trains, and with it the embedding, so that the gradient passes through every block.
    `cached`: the frozen blocks run in one epoch alone. `read`: the tokens that a loss depends on (None: all).
    """
    trained = shape.blocks if trained is None else min(trained, shape.blocks)
    head_trains = tied_head or trained == shape.blocks
    frozen = 2 * shape.block * (shape.blocks - trained)
    forward = 2 * shape.block * trained + 2 * shape.head
    backward = 4 * shape.block * trained + (4 if head_trains else 2) * shape.head
    if tied_head:
        backward += frozen
    left_out = 0 if read is None else 6 * shape.read * (tokens - read)  # its last block trains, too
    return float(tokens * (epochs * (forward + backward) + frozen * (1 if cached else epochs)) - epochs * left_out)
