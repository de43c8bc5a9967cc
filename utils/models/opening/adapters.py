"""Adapters in a model: finding them, and merging them into its weights."""

import hashlib
import re
from collections.abc import Container, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors.torch import load_file
from transformers import PreTrainedModel

from utils.compute.last_block import forget_skippable_modules
from utils.errors import UserError
from utils.models.folder_checks import COPY_AGAIN
from utils.models.load_errors import open_with
from utils.models.opening.adapter_folder import WEIGHTS_FILE, base_of_adapter
from utils.models.run_file import RUN_FILE, read_run

if TYPE_CHECKING:
    from peft import LoraConfig

IN_NAME = ".lora_"  # in the names of an adapter's parameters
IN_A = re.compile(r"\.lora_(embedding_)?A\b")  # in the names of the matrix whose first size is the rank
PREFIX = "base_model.model."  # before the names of a model's parameters in peft's files
ALL_LINEAR = "all-linear"  # peft's word for all layers but the head
PLAIN_PATTERN = re.compile(r"\^?[\w.]+\$?")
FINGERPRINTED = 64  # numbers of each weight
NAME_ITS_BASE = (
    "name the model that it was trained on with --base_model, or as base_model_name_or_path in its adapter_config.json"
)


def adapter_layers(model: torch.nn.Module) -> dict[str, torch.nn.Module]:
    """Return the layers that have adapters, by name."""
    return {name: module for name, module in model.named_modules() if hasattr(module, "lora_A")}


def adapter_parameters(model: torch.nn.Module) -> int:
    """Return how many parameters the adapters have."""
    return sum(parameter.numel() for name, parameter in model.named_parameters() if IN_NAME in name)


def take_out_adapters(model: torch.nn.Module, *, merge: bool = False) -> None:
    """Put the layers that have adapters back as they were, or with the adapters merged into their weights."""
    for name, layer in adapter_layers(model).items():
        if merge:
            layer.merge()
        model.set_submodule(name, layer.get_base_layer())
    if isinstance(model, PreTrainedModel):
        forget_skippable_modules(model)


def merge_adapter(model: PreTrainedModel, folder: Path, *, with_head: bool) -> None:
    """Merge the adapter in a folder of peft's format into the weights of its base model.

    `with_head`: the weights that the adapter has whole, as a classifier's head, become the model's. UserError where
    the adapter is not one of this model.
    """
    from peft import LoraConfig, inject_adapter_in_model, set_peft_model_state_dict

    failure = f"the adapter {folder} does not fit its base model {base_of_adapter(folder)}"
    weights = open_with(failure, NAME_ITS_BASE, load_file, folder / WEIGHTS_FILE)
    weights = {key.removeprefix(PREFIX): weight for key, weight in weights.items()}
    whole = {key: weight for key, weight in weights.items() if IN_NAME not in key}
    run = read_run(folder / RUN_FILE) if (folder / RUN_FILE).is_file() else {}
    if run.get("base_weights") not in (None, fingerprint(model, without=whole)):
        raise UserError(f"{failure}, whose weights are not those that it was trained on", NAME_ITS_BASE)
    config = open_with(failure, NAME_ITS_BASE, LoraConfig.from_pretrained, str(folder))
    config.modules_to_save = None  # `_set_whole` does it
    products = {key: weight for key, weight in weights.items() if key not in whole}
    _name_layers(config, products, failure)
    _check_rank(config, weights, failure)
    open_with(failure, NAME_ITS_BASE, inject_adapter_in_model, config, model)
    found = open_with(failure, NAME_ITS_BASE, set_peft_model_state_dict, model, products)
    del model.peft_config  # transformers would take it for its own
    if differing := [*found.unexpected_keys, *(key for key in found.missing_keys if IN_NAME in key)]:
        raise UserError(f"{failure}: not both have {differing[0]}", NAME_ITS_BASE)
    take_out_adapters(model, merge=True)
    if with_head:
        _set_whole(model, whole, failure)


def fingerprint(model: PreTrainedModel, without: Container[str]) -> str:
    """Return a digest of the beginning of each weight that is no adapter's and not in `without`, by name."""
    digest = hashlib.sha256()
    for name, parameter in sorted(model.named_parameters()):
        plain = name.replace(".base_layer.", ".")
        if IN_NAME not in name and plain not in without:
            digest.update(plain.encode())
            digest.update(parameter.detach().flatten()[:FINGERPRINTED].float().cpu().numpy())
    return digest.hexdigest()[:16]


def _name_layers(config: "LoraConfig", products: Iterable[str], failure: str) -> None:
    """Let the weights say which layers have adapters, where a regular expression would, which may take for ever."""
    targets, excluded = config.target_modules, config.exclude_modules
    if (isinstance(targets, str) and targets != ALL_LINEAR) or isinstance(excluded, str) or config.layers_pattern:
        config.target_modules = sorted({key.partition(IN_NAME)[0] for key in products})
        config.exclude_modules = config.layers_to_transform = config.layers_pattern = None
    for patterns in (config.rank_pattern, config.alpha_pattern):
        names = patterns if isinstance(patterns, dict) else ()
        if strange := [name for name in names if not PLAIN_PATTERN.fullmatch(name)]:
            problem = f"{failure}: its adapter_config.json has the pattern {strange[0][:40]!r}, expected a layer's name"
            raise UserError(problem, "write layers' names into rank_pattern and alpha_pattern")


def _check_rank(config: "LoraConfig", weights: dict[str, torch.Tensor], failure: str) -> None:
    """Raise UserError for a rank that no weight has: peft would make adapters of that size before it compares them."""
    stored = max((weight.shape[0] for key, weight in weights.items() if IN_A.search(key) and weight.ndim), default=0)
    patterns = config.rank_pattern if isinstance(config.rank_pattern, dict) else {}
    for rank in (config.r, *patterns.values()):
        if not isinstance(rank, int) or rank > stored:
            problem = f"{failure}: its adapter_config.json has the rank {rank!r}, its weights {stored}"
            raise UserError(problem, COPY_AGAIN)


def _set_whole(model: PreTrainedModel, whole: dict[str, torch.Tensor], failure: str) -> None:
    parameters = dict(model.named_parameters())
    for key, weight in whole.items():
        if key not in parameters or parameters[key].shape != weight.shape:
            raise UserError(f"{failure}: it has no {key} of the size {list(weight.shape)}", NAME_ITS_BASE)
        parameters[key].data.copy_(weight)
