"""Which parameters train: the last blocks, the final norm, and the head only when it is untied first."""

import logging
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from utils.compute.blocks import find_blocks

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

log = logging.getLogger(__name__)


def freeze_parameters(model: "PreTrainedModel", unfreeze_last: int | None, train_head: bool) -> None:
    """Leave trainable the last `unfreeze_last` blocks (None: everything), the final norm, and the head if asked.

    Training a tied head would train the input embedding with it, and so cost a backward pass through
    every frozen block: `train_head` unties it first.
    """
    if train_head:
        untie_head(model)
    if unfreeze_last is None:
        model.requires_grad_(True)
        return
    parts = find_blocks(model)
    if unfreeze_last > len(parts.blocks):
        log.info("%s has %d blocks: all of them train", type(model).__name__, len(parts.blocks))
        unfreeze_last = len(parts.blocks)
    model.requires_grad_(False)
    for block in parts.blocks[len(parts.blocks) - unfreeze_last :]:
        block.requires_grad_(True)
    if parts.final_norm is not None:
        parts.final_norm.requires_grad_(True)
    if train_head:
        model.get_output_embeddings().requires_grad_(True)


def freeze_classifier_parameters(model: "PreTrainedModel", unfreeze_last: int | None) -> None:
    """Leave trainable the last `unfreeze_last` blocks (None: everything), the final norm, and all behind the blocks.

    That is the head, with BERT's pooler in front of it: they are new, or were made for another task.
    """
    if unfreeze_last is None:
        model.requires_grad_(True)
        return
    freeze_parameters(model, unfreeze_last, train_head=False)
    heads = [child for name, child in model.named_children() if name != model.base_model_prefix]
    heads += [module for name, module in model.named_modules() if name.endswith("pooler")]
    for module in heads:
        module.requires_grad_(True)


def untie_head(model: "PreTrainedModel") -> None:
    """Give the head a matrix of its own, equal to the embedding that it shared."""
    import torch

    head, embedding = model.get_output_embeddings(), model.get_input_embeddings()
    if head.weight is embedding.weight:
        head.weight = torch.nn.Parameter(embedding.weight.detach().clone())
    model.config.get_text_config().tie_word_embeddings = False
    model.config.tie_word_embeddings = False


def frozen_modules(model: "torch.nn.Module") -> list["torch.nn.Module"]:
    """The modules that belong in eval mode while the others train: what is frozen runs without dropout.

    A dropout between frozen parts (GPT-2's, behind its embeddings) belongs to them.
    """
    found, waiting = [], [model]
    while waiting:
        module = waiting.pop()
        trains = [parameter.requires_grad for parameter in module.parameters()]
        if not any(trains):
            found += module.modules()
        elif not all(trains):
            found.append(module)
            waiting += module.children()
    return found


def describe_parameters(model: "PreTrainedModel") -> str:
    """Which parameters train and how many: a line a part, the blocks together, and the total."""
    sizes, blocks = Counter(), defaultdict(set)
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            part, block = _part(name)
            sizes[part] += parameter.numel()
            blocks[part] |= {block} - {None}
    lines = [f"  {part + _range(blocks[part]):<28}{size:>13,}" for part, size in sizes.items()]
    trainable, total = count_parameters(model)
    share = 100 * trainable / total
    return "\n".join(["trainable parameters:", *lines, f"  {'total':<28}{trainable:>13,} of {total:,} ({share:.1f} %)"])


def count_parameters(model: "PreTrainedModel") -> tuple[int, int]:
    """(trainable, all) parameters."""
    sizes = [(parameter.numel(), parameter.requires_grad) for parameter in model.parameters()]
    return sum(size for size, trains in sizes if trains), sum(size for size, _ in sizes)


def _part(parameter_name: str) -> tuple[str, int | None]:
    """`model.layers.29.mlp.up_proj.weight` → (`model.layers`, 29); outside the blocks → (the module's name, None)."""
    words = parameter_name.split(".")
    number = next((position for position, word in enumerate(words) if word.isdigit()), None)
    if number is None:
        return ".".join(words[:-1]), None
    return ".".join(words[:number]), int(words[number])


def _range(blocks: set[int]) -> str:
    if not blocks:
        return ""
    return f".{min(blocks)}" if len(blocks) == 1 else f".{min(blocks)}–{max(blocks)}"
