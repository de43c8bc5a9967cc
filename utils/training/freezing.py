"""The parameters that train: the last blocks, the final norm, and on request the head, untied from the embedding."""

import logging
import re
from collections import Counter, defaultdict

import torch
from transformers import PreTrainedModel

from utils.compute.blocks import find_blocks
from utils.errors import UserError
from utils.models.opening.adapters import adapter_parameters
from utils.training.encoders.pooling import pooling_block

log = logging.getLogger(__name__)


def freeze_parameters(model: PreTrainedModel, unfreeze_last: int | None, train_head: bool) -> None:
    """Freeze all but the last `unfreeze_last` blocks (None: freeze nothing), the final norm, and the head if asked.

    Training a tied head would train the input embedding too, and so cost a backward pass through every frozen block:
    `train_head` unties it first. UserError if the model's blocks cannot be found.
    """
    if train_head:
        untie_head(model)
    if unfreeze_last is None:
        model.requires_grad_(True)
        return
    layers = find_blocks(model)
    if unfreeze_last > len(layers.blocks):
        log.info("%s has %d blocks: all of them train", type(model).__name__, len(layers.blocks))
        unfreeze_last = len(layers.blocks)
    model.requires_grad_(False)
    for block in layers.blocks[len(layers.blocks) - unfreeze_last :]:
        block.requires_grad_(True)
    if layers.final_norm is not None:
        layers.final_norm.requires_grad_(True)
    if train_head:
        model.get_output_embeddings().requires_grad_(True)


def freeze_classifier_parameters(model: PreTrainedModel, unfreeze_last: int | None) -> None:
    """Freeze all but the last `unfreeze_last` blocks (None: freeze nothing), the final norm and the head.

    The head includes BERT's pooler: both are new, or were made for another task. It also includes a block that was
    added for mean pooling. In ALBERT, all blocks have the same weights, and all of it trains.
    """
    config = model.config.get_text_config()
    if unfreeze_last is not None and getattr(config, "num_hidden_groups", config.num_hidden_layers) == 1:
        log.info("the blocks of %s share their weights: all of it trains", type(model).__name__)
        unfreeze_last = None
    if unfreeze_last is None:
        model.requires_grad_(True)
        return
    freeze_parameters(model, unfreeze_last + (pooling_block(model) is not None), train_head=False)
    for module in classifier_heads(model):
        module.requires_grad_(True)


def classifier_heads(model: PreTrainedModel) -> list[torch.nn.Module]:
    """Return the modules of a classifier above its base model, and BERT's pooler."""
    heads = [child for name, child in model.named_children() if name != model.base_model_prefix]
    return heads + [module for name, module in model.named_modules() if name.endswith("pooler")]


def untie_head(model: PreTrainedModel) -> None:
    """Give the head its own copy of the embedding matrix that it shares."""
    head, embedding = model.get_output_embeddings(), model.get_input_embeddings()
    if head.weight is embedding.weight:
        head.weight = torch.nn.Parameter(embedding.weight.detach().clone())
    model.config.get_text_config().tie_word_embeddings = False
    model.config.tie_word_embeddings = False


def frozen_modules(model: PreTrainedModel) -> list[torch.nn.Module]:
    """Return the modules that belong in eval mode while others train, dropouts between frozen parts among them.

    A block with a trained part, such as adapters, is a trained block: everything in it is in training mode.
    """
    try:
        blocks = set(find_blocks(model).blocks)
    except UserError:
        blocks = set()
    frozen, queue = [], [model]
    while queue:
        module = queue.pop()
        trains = [parameter.requires_grad for parameter in module.parameters()]
        if not any(trains):
            frozen += module.modules()
        elif not all(trains) and module not in blocks:
            frozen.append(module)
            queue += module.children()
    return frozen


def release_frozen_inputs(model: PreTrainedModel) -> None:
    """Undo that transformers, for activation checkpointing, asks for the gradient of frozen embeddings' output.

    All frozen blocks would keep their activations for it, and nobody needs it: recomputing without `use_reentrant`
    works without.
    """
    embedding = model.get_input_embeddings()
    if model.is_activation_checkpointing and not any(each.requires_grad for each in embedding.parameters()):
        model.disable_input_require_grads()


def describe_parameters(model: PreTrainedModel) -> str:
    """Return a table of the trainable parameters: a line for each module, the blocks together, and the total."""
    sizes, blocks = Counter(), defaultdict(set)
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            module, block = _module_and_block(name)
            sizes[module] += parameter.numel()
            blocks[module] |= {block} - {None}
    lines = [f"  {module + _range(blocks[module]):<28}{size:>13,}" for module, size in sizes.items()]
    trainable, total = count_parameters(model)
    share = 100 * trainable / total
    return "\n".join(["trainable parameters:", *lines, f"  {'total':<28}{trainable:>13,} of {total:,} ({share:.1f}%)"])


def count_parameters(model: PreTrainedModel) -> tuple[int, int]:
    """Return the numbers of (trainable, all) parameters. All are those of the saved model, with adapters merged."""
    trainable, total = model.num_parameters(only_trainable=True), model.num_parameters()
    return trainable, total - adapter_parameters(model)


def _module_and_block(parameter_name: str) -> tuple[str, int | None]:
    """`model.layers.29.mlp.up_proj.weight` → (`model.layers`, 29); outside the blocks → (the module's name, None)."""
    if match := re.match(r"(.+?)\.(\d+)\.", parameter_name):
        return match[1], int(match[2])
    return parameter_name.rpartition(".")[0], None


def _range(blocks: set[int]) -> str:
    if not blocks:
        return ""
    return f".{min(blocks)}" if len(blocks) == 1 else f".{min(blocks)}–{max(blocks)}"
