"""Checks of a config.json before the model is built: no architecture, quantized weights, absurd sizes, foreign code."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from utils.errors import UserError

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

FULL_WEIGHTS = "choose the model that it was made from, with full weights"
QUANTIZED = ("quantization_config", "quantization", "compression_config")
# Sizes in a config.json. Above the limit a model is not built: that would take all memory before anything is compared.
COUNTS = re.compile(
    "(vocab|hidden|intermediate)_size|d_model|n_embd|n_inner|dim|n_positions|num_labels|.*experts|"
    "(num_(hidden_)?|n_|encoder_|decoder_)?layers?|n_heads?|num_(attention|key_value)_heads"
)
SLACK_BYTES, MANY_LAYERS, BYTES_OF_A_LAYER = 5 * 10**7, 200, 100
LARGEST_COUNT, MOST_LAYERS = 10**8, 10_000
# transformers fetches such a kernel from the Hub and runs it, whatever trust_remote_code says (as in CVE-2026-4372).
IMPLEMENTATION = re.compile("_?(attn|experts)_implementation(_internal)?")


def check_config(path: Path, config: dict) -> None:
    """Raise UserError for the content of a config.json from which no model, or no trainable one, can be built."""
    kind = config.get("model_type")
    if not isinstance(kind, str) or not kind:
        known = "has no model_type" if kind is None else f"has the model_type {kind!r}"
        hint = 'add the name of its architecture, such as "model_type": "gpt2"'
        raise UserError(f"{path} {known}, so its architecture is unknown", hint)
    for key in QUANTIZED:
        if config.get(key):
            method = config[key].get("quant_method") if isinstance(config[key], dict) else None
            problem = f"{path.parent} has quantized weights ({method or key}), which cannot be trained"
            raise UserError(problem, FULL_WEIGHTS)
    names = config.get("architectures")
    if names is not None and not (isinstance(names, list) and all(isinstance(name, str) for name in names)):
        raise UserError(f"{path}: architectures is {names!r}, not a list of names", "correct it, or remove it")
    for part in (config, *(value for value in config.values() if isinstance(value, dict))):
        for key, value in part.items():
            if IMPLEMENTATION.fullmatch(key) and "/" in str(value):
                problem = f"{path}: {key} is {value!r}, which names code of the Hub, and that is not run"
                raise UserError(problem, f"remove {key} if you trust the rest of the folder")
            if COUNTS.fullmatch(key) and not _is_sensible(key, value):
                raise UserError(f"{path}: {key} is {value!r}, which no model has", "correct it, or copy the file again")


def _is_sensible(key: str, value: object) -> bool:
    if not isinstance(value, int) or isinstance(value, bool):
        return True  # a list for each layer, or what transformers itself refuses
    return 0 <= value <= (MOST_LAYERS if "layer" in key else LARGEST_COUNT)


def check_size(name: str, config: "PreTrainedConfig", stored_bytes: int) -> None:
    """Raise UserError where a configuration describes a model that is much larger than its weights on disk.

    transformers would fill the rest with random numbers before it says so, in any amount of time and memory. The
    estimate is low: the embedding, and in each block two matrices as wide as the model, in 2 bits.
    """
    text = config.get_text_config()
    width, layers, rows = (getattr(text, key, 0) for key in ("hidden_size", "num_hidden_layers", "vocab_size"))
    if not all(isinstance(number, int) for number in (width, layers, rows)):
        return
    factored = any(hasattr(text, key) for key in ("embedding_size", "input_embedding_size", "word_embed_proj_dim"))
    weights = layers * 2 * width**2 + (0 if factored else rows * width)
    if weights / 4 > stored_bytes + SLACK_BYTES or (layers > MANY_LAYERS and layers * BYTES_OF_A_LAYER > stored_bytes):
        raise UserError(
            f"{name} is described as a model of {layers:,} blocks, {width:,} wide, for {rows:,} tokens, and its "
            f"weights have only {stored_bytes:,} bytes",
            "copy its config.json or its weights again: they are not of the same model",
        )
