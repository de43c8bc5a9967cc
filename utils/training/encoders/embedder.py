"""Folders of sentence-transformers (all-MiniLM, bge, e5, gte, …) as base models: their settings beside the weights.

Their pooling, their maximum length, and the prompt that they put before a text (e5's "query: ") are honored. Layers
after the pooling are not: Normalize is done by the norm after the mean, and Dense has no place in a classifier's head.
"""

import json
import logging
from dataclasses import dataclass
from pathlib import Path

from utils.errors import UserError
from utils.models.base_models import resolve
from utils.models.load_errors import COPY_AGAIN
from utils.training.encoders.pooling import FIRST, MEAN

log = logging.getLogger(__name__)
POOLINGS = {"pooling_mode_mean_tokens": MEAN, "pooling_mode_cls_token": FIRST, "mean": MEAN, "cls": FIRST}
OF_STORED_TEXTS = ("passage", "document")


@dataclass(frozen=True)
class Embedder:
    """The settings with which sentence-transformers uses a model; `pooling` is None if it is neither of ours."""

    pooling: str | None
    prompt: str
    max_length: int | None  # tokens

    @property
    def template(self) -> str:
        return self.prompt.replace("{", "").replace("}", "") + "{prompt}"


def read_embedder(name: str) -> Embedder | None:
    """Return the settings for sentence-transformers in the folder or Hub id of a base model; None without any."""
    location = resolve(name).location
    modules = _read(name, location, "modules.json")
    if not isinstance(modules, list) or not all(isinstance(module, dict) for module in modules):
        return None
    folder = next((each.get("path") for each in modules if str(each.get("type")).endswith("Pooling")), None)
    stated = _read(name, location, f"{folder}/config.json") if folder else {}
    pooling = _pooling(stated if isinstance(stated, dict) else {})
    if pooling is None:
        log.warning("warning: %s pools neither the mean nor the first token: both are tried", name)
    limits = _read(name, location, "sentence_bert_config.json")
    longest = limits.get("max_seq_length") if isinstance(limits, dict) else None
    usage = _read(name, location, "config_sentence_transformers.json")
    return Embedder(
        pooling=pooling,
        prompt=_prompt(usage if isinstance(usage, dict) else {}),
        max_length=longest if isinstance(longest, int) and longest > 0 else None,
    )


def _pooling(stated: dict) -> str | None:
    """Return the pooling, which newer folders name and older ones switch on; None if it is another, or several."""
    if isinstance(stated.get("pooling_mode"), str):
        return POOLINGS.get(stated["pooling_mode"])
    on = [name for name, value in stated.items() if name.startswith("pooling_mode_") and value is True]
    return POOLINGS.get(on[0]) if len(on) == 1 else None


def _prompt(usage: dict) -> str:
    """Return the prompt before a text to classify: the default prompt, one for classification, or that of queries.

    That of queries counts only where stored texts have one of their own, as in e5, which never saw a text without;
    elsewhere (arctic-embed) it is for searching.
    """
    prompts = usage.get("prompts")
    prompts = prompts if isinstance(prompts, dict) else {}
    known = {name.lower(): text for name, text in prompts.items() if isinstance(text, str)}
    if default := known.get(str(usage.get("default_prompt_name")).lower()):
        return default
    if "classification" in known:
        return known["classification"]
    return known.get("query", "") if any(known.get(name) for name in OF_STORED_TEXTS) else ""


def _read(name: str, location: str, file_name: str) -> object:
    """Return the content of a JSON file of the model; None where there is none."""
    from transformers.utils import cached_file

    if not location:
        return None
    found = cached_file(
        location,
        file_name,
        _raise_exceptions_for_missing_entries=False,
        _raise_exceptions_for_gated_repo=False,
        _raise_exceptions_for_connection_errors=False,
    )
    if found is None:
        return None
    try:
        return json.loads(Path(found).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{name} cannot be loaded: its {file_name} is damaged", COPY_AGAIN) from error
