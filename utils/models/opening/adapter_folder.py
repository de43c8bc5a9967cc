"""A folder with an adapter in peft's format: its required files, and the base model that it names."""

import importlib.util
from pathlib import Path

from utils.errors import UsageError, UserError
from utils.models.folder_checks import ADAPTERS, COPY_AGAIN, WEIGHTS, check_content, read_json_object
from utils.models.run_file import RUN_FILE, read_run

CONFIG_FILE, WEIGHTS_FILE, PICKLE_FILE = ADAPTERS
INSTALL_PEFT = "pip install -r requirements-adapters.txt"
HEADS = ("score.weight", "classifier.weight", "classifier.out_proj.weight")
# Settings of LoRA that are more than products added to weights: more layers, more tokens, code by its name, adapters
# for some tokens only.
NOT_MERGED = (
    *("layer_replication", "trainable_token_indices", "megatron_config", "alora_invocation_tokens"),
    *("target_parameters", "arrow_config", "velora_config", "monteclora_config", "kasa_config"),
)
BASE_HELP = "base model of an adapter, if its adapter_config.json names another place"
_named: dict[Path, str] = {}  # the base models that --base_model names, by the adapter's folder


def name_base(adapter: str, base: str | None) -> None:
    """Set `base` as the base model of the adapter in a folder; None: the one that the folder names.

    UsageError where the folder is no adapter, UserError where there is none.
    """
    folder = Path(adapter).expanduser()
    _named.pop(folder.absolute(), None)
    if base is None:
        return
    if not folder.exists():
        problem = f"--base_model is for an adapter, and there is no folder {adapter}"
        raise UserError(problem, "name the adapter's folder as the model, and what it was trained on with --base_model")
    if not is_adapter_folder(folder):
        hint = "remove it, or name the adapter's folder as the model"
        raise UsageError(f"--base_model is for an adapter, and {adapter} is not one", hint)
    _named[folder.absolute()] = base


def is_adapter_folder(folder: Path) -> bool:
    """Return whether a folder has an adapter and no full weights."""
    return any((folder / name).exists() for name in ADAPTERS) and not any((folder / name).exists() for name in WEIGHTS)


def labels_of_adapter(folder: Path) -> list[str]:
    """Return the labels of a classifier's adapter: those in its run.json, or names for the rows of its head."""
    labels = read_run(folder / RUN_FILE).get("labels") if (folder / RUN_FILE).is_file() else None
    if labels:
        return labels
    from safetensors import safe_open

    with safe_open(folder / WEIGHTS_FILE, "pt") as file:
        rows = {file.get_slice(key).get_shape()[0] for key in file.keys() if key.endswith(HEADS)}  # noqa: SIM118 - no dict
    if len(rows) != 1:
        raise UserError(f"{folder} is a classifier's adapter without its head", COPY_AGAIN)
    return [f"LABEL_{number}" for number in range(rows.pop())]


def base_of_adapter(folder: Path) -> str:
    """Return the name of the adapter's base model. UserError where the adapter cannot be opened here."""
    if not (folder / CONFIG_FILE).is_file():
        raise UserError(f"{folder} has an adapter without its {CONFIG_FILE}", COPY_AGAIN)
    config = read_json_object(folder / CONFIG_FILE)
    if config.get("peft_type") != "LORA":
        problem = f"{folder} is an adapter of the type {config.get('peft_type')}, and only LORA is merged here"
        raise UserError(problem, "merge it into its base model with peft")
    if found := [name for name in NOT_MERGED if config.get(name)]:
        raise UserError(f"{folder} is an adapter with {found[0]}, which is not merged here", "merge it with peft")
    base = _named.get(folder.absolute()) or config.get("base_model_name_or_path")
    if not isinstance(base, str) or not base:
        problem = f"{folder / CONFIG_FILE} does not name the base model of the adapter"
        raise UserError(problem, "name the base model with --base_model")
    if not (folder / WEIGHTS_FILE).is_file():
        hint = "save it with peft as safetensors" if (folder / PICKLE_FILE).is_file() else COPY_AGAIN
        raise UserError(f"{folder} has an adapter without its {WEIGHTS_FILE}", hint)
    check_content(folder / WEIGHTS_FILE)
    if importlib.util.find_spec("peft") is None:
        raise UserError(f"{folder} is an adapter, and the package peft is not installed", INSTALL_PEFT)
    return base
