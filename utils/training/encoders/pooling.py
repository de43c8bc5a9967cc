"""Mean pooling in a plain Hugging Face folder: as the model's own setting, or as one more block of its own kind.

The heads of BERT and its relatives read the first token. A last block whose attention is uniform writes the mean of
all tokens there: its queries are 0, its values are the states themselves, and its MLP adds nothing. The norm after it
scales a text's mean to one length, as sentence-transformers' Normalize does. All of it can learn from there.
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from transformers import PreTrainedModel

from utils.compute.blocks import find_blocks
from utils.errors import UserError
from utils.models.opening.adapters import take_out_adapters

MEAN, FIRST = "mean", "first token"
POOLING_SETTINGS = ("num_hidden_layers", "n_layers", "classifier_pooling")  # of config.json
MEAN_WEIGHT = 16.0  # of the mean, beside the first token's own state, which the block also adds: 1


@dataclass(frozen=True)
class _BlockNames:
    """The layers of a block that normalizes after its attention and after its MLP, by name."""

    queries: tuple[str, ...]
    value: str
    output: str
    norm: str
    last: str
    last_norm: str


_BERT_ENDS = "attention.output.dense", "attention.output.LayerNorm", "output.dense", "output.LayerNorm"
_KINDS = (
    _BlockNames(("attention.self.query",), "attention.self.value", *_BERT_ENDS),
    _BlockNames(  # DeBERTa-v2 and v3
        ("attention.self.query_proj", "attention.self.pos_query_proj"), "attention.self.value_proj", *_BERT_ENDS
    ),
    _BlockNames(  # DistilBERT
        ("attention.q_lin",), "attention.v_lin", "attention.out_lin", "sa_layer_norm", "ffn.lin2", "output_layer_norm"
    ),
    # In MPNet, the attention is that of its positions alone, as all blocks add their bias to it.
    _BlockNames(("attention.attn.q",), "attention.attn.v", "attention.attn.o", "attention.LayerNorm", *_BERT_ENDS[2:]),
)


def add_mean_pooling(model: PreTrainedModel) -> bool:
    """Let the head read the mean of the last block's states; return False for a model that cannot."""
    if hasattr(model.config, "classifier_pooling"):
        model.config.classifier_pooling = "mean"
        return True
    block = _new_block(model)
    if block is None:
        return False
    find_blocks(model).blocks.append(block)
    model.config.num_hidden_layers += 1
    return True


def use_first_token(model: PreTrainedModel) -> None:
    """Undo `add_mean_pooling`."""
    if hasattr(model.config, "classifier_pooling"):
        model.config.classifier_pooling = "cls"
        return
    del find_blocks(model).blocks[-1]
    model.config.num_hidden_layers -= 1


def pool_as_saved(model: PreTrainedModel, saved: Mapping) -> None:
    """Pool as the model with this config.json does, since another part of the rows may have chosen otherwise."""
    current = model.config.to_dict()
    if all(saved.get(key) == current.get(key) for key in POOLING_SETTINGS):
        return
    if pooling_block(model) is not None or current.get("classifier_pooling") == "mean":
        use_first_token(model)
    else:
        add_mean_pooling(model)


def pooling_block(model: PreTrainedModel) -> torch.nn.Module | None:
    """Return the block that `add_mean_pooling` has added, if any."""
    try:
        last = find_blocks(model).blocks[-1]
    except UserError:
        return None
    return last if getattr(last, "pools", False) else None


def _new_block(model: PreTrainedModel) -> torch.nn.Module | None:
    """Return a copy of the last block that takes the mean; None for a model whose blocks are of no known kind."""
    try:
        last = find_blocks(model).blocks[-1]
    except UserError:
        return None
    configurations = {id(config): config for module in last.modules() if (config := getattr(module, "config", None))}
    block = copy.deepcopy(last, configurations)
    take_out_adapters(block)
    layers = dict(block.named_modules())
    names = next((kind for kind in _KINDS if _fits(layers, kind)), None)
    if names is None:
        return None
    with torch.no_grad():
        for query in names.queries:
            if query in layers:
                _set(layers[query], 0.0)
        _set(layers[names.value], 1.0)
        _set(layers[names.output], MEAN_WEIGHT)
        _set(layers[names.last], 0.0)
        for norm in (names.norm, names.last_norm):
            layers[norm].weight.fill_(1)
            layers[norm].bias.zero_()
    block.pools = True
    return block


def _fits(layers: dict[str, torch.nn.Module], names: _BlockNames) -> bool:
    """Return whether the block has these layers, and the values are as wide as the states."""
    needed = (names.queries[0], names.value, names.output, names.norm, names.last, names.last_norm)
    if not all(name in layers for name in needed):
        return False
    square = [layers[name] for name in (names.value, names.output)]
    norms = [layers[name] for name in (names.norm, names.last_norm)]
    return all(isinstance(each, torch.nn.Linear) and each.in_features == each.out_features for each in square) and all(
        isinstance(norm, torch.nn.LayerNorm) for norm in norms
    )


def _set(layer: torch.nn.Linear, scale: float) -> None:
    """Let the layer multiply by a number."""
    torch.nn.init.eye_(layer.weight) if scale else layer.weight.zero_()
    layer.weight.mul_(scale)
    if layer.bias is not None:
        layer.bias.zero_()
