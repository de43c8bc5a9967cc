"""The minimum FLOPs of training a decoder, counted from the shapes of its matrices.

Per token, a matrix of p parameters costs 2p FLOPs in the forward pass, 2p for the gradient of its input and 2p for its
own (J. Kaplan et al., "Scaling Laws for Neural Language Models", 2020, section 2.1). Only the tokens of texts count,
not padding. Attention scores are left out (4 · 28 tokens · width per block, under 2% of the matrices of the models
and texts here), and so are norms, the optimizer and validation.
"""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Shape:
    """The number of blocks, and parameters in matrices. A classifier's head is too small to count."""

    block: int
    skippable: int  # of a block: the last one needs them only at positions that the loss depends on
    blocks: int
    head: int


def shape_of(folder: Path, *, classifies: bool = False) -> Shape:
    """Return the shape of the base model in a folder, without loading its weights."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    from utils.compute.blocks import find_blocks
    from utils.compute.last_block import POSITIONWISE

    with torch.device("meta"):
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
        model = AutoModelForCausalLM.from_config(config, trust_remote_code=False)
    blocks = find_blocks(model).blocks
    sizes = {name: parameter.numel() for name, parameter in blocks[0].named_parameters() if parameter.ndim == 2}
    skippable = sum(size for name, size in sizes.items() if name.startswith(POSITIONWISE))
    head = 0 if classifies else model.get_output_embeddings().weight.numel()
    return Shape(sum(sizes.values()), skippable, len(blocks), head)


def training_flops(
    shape: Shape,
    tokens: int,
    epochs: int,
    trained: int | None,
    *,
    tied_head: bool = False,
    cached: bool = False,
    needed: int | None = None,
) -> float:
    """Return the FLOPs of a training run with `tokens` per epoch and the last `trained` blocks (None: all) unfrozen.

    `tied_head`: the head trains, and with it the embedding, so the gradient passes through every block. `cached`: the
    frozen blocks run in the first epoch only. `needed`: the tokens that the loss depends on (None: all).
    """
    trained = shape.blocks if trained is None else min(trained, shape.blocks)
    head_trains = tied_head or trained == shape.blocks
    frozen = 2 * shape.block * (shape.blocks - trained)
    forward = 2 * shape.block * trained + 2 * shape.head
    backward = 4 * shape.block * trained + (4 if head_trains else 2) * shape.head
    if tied_head:
        backward += frozen
    skipped = 0 if needed is None else 6 * shape.skippable * (tokens - needed)
    return float(tokens * (epochs * (forward + backward) + frozen * (1 if cached else epochs)) - epochs * skipped)
