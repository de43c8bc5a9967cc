"""Adapters in the blocks that train, as E. Hu et al. 2021 have them ("LoRA", arXiv:2106.09685), through peft.

A layer with the weights W computes W x + (alpha / rank) · B A x, where A (rank, inputs) is random, B (outputs, rank) is
0 to begin with, and only these two train. Merged, its weights are W + (alpha / rank) · B A.
"""

from argparse import Namespace
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from utils.compute.blocks import find_blocks
from utils.compute.device import kept_random_numbers
from utils.errors import UserError
from utils.models.checkpoint import is_trained_classifier
from utils.models.opening.adapters import adapter_layers, take_out_adapters
from utils.training.adapters.flags import ALL_LINEAR, ATTENTION
from utils.training.encoders.pooling import pooling_block
from utils.training.freezing import classifier_heads

IN_ATTENTION = ("attn", "attention")  # in the names of layers, of any architecture

Freeze = Callable[[PreTrainedModel, int | None], None]


@dataclass(frozen=True)
class Lora:
    """The settings of adapters; A is drawn with the seed."""

    rank: int
    alpha: int
    dropout: float
    target: str
    seed: int


def with_adapters(freeze: Freeze, flags: Namespace) -> Freeze:
    """Return `freeze` itself or, with --lora, a function that trains adapters in the blocks that it would train."""
    if not flags.lora:
        return freeze
    lora = Lora(flags.lora, flags.lora_alpha, flags.lora_dropout, flags.lora_target, flags.seed)
    return partial(_freeze_beside_adapters, freeze, lora)


def _freeze_beside_adapters(freeze: Freeze, lora: Lora, model: PreTrainedModel, unfreeze_last: int | None) -> None:
    """Let adapters train in the blocks that `freeze` would train and, of the weights, those that are new: the head of
    a classifier, and the block that was added for mean pooling. Adapters that the model has are replaced.

    UserError if its blocks cannot be found, or have no layers of the requested kind.
    """
    take_out_adapters(model)
    freeze(model, unfreeze_last)
    pooling = pooling_block(model)
    try:
        blocks = [block for block in find_blocks(model).blocks if block is not pooling]
    except UserError:
        problem = f"--lora puts adapters into transformer blocks, and those of a {type(model).__name__} cannot be found"
        raise UserError(problem, "remove --lora") from None
    trained = [block for block in blocks if any(parameter.requires_grad for parameter in block.parameters())]
    _insert_adapters(model, trained, lora)
    new = classifier_heads(model) if is_trained_classifier(model) else []
    for module in [*new, pooling] if pooling is not None else new:
        module.requires_grad_(True)


def _insert_adapters(model: PreTrainedModel, blocks: Sequence[torch.nn.Module], lora: Lora) -> None:
    """Put adapters into the blocks; nothing else trains."""
    from peft import LoraConfig, inject_adapter_in_model

    inside = {module for block in blocks for module in block.modules()}
    layers = {
        name: module
        for name, module in model.named_modules()
        if module in inside
        and isinstance(module, torch.nn.Linear | Conv1D)
        and (lora.target == ALL_LINEAR or any(part in name for part in IN_ATTENTION))
    }
    if not layers:
        problem = f"--lora_target {lora.target}: a {type(model).__name__} has no such layers in its blocks"
        raise UserError(problem, f"use --lora_target {ALL_LINEAR}" if lora.target == ATTENTION else "remove --lora")
    config = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=list(layers),
        fan_in_fan_out=any(isinstance(layer, Conv1D) for layer in layers.values()),
    )
    with kept_random_numbers():
        torch.manual_seed(lora.seed)
        inject_adapter_in_model(config, model)
    del model.peft_config  # peft would take the next adapters for further ones
    for layer in adapter_layers(model).values():
        layer.cast_input_dtype_enabled = False  # autocast would cast the float32 inputs back
