"""A model in the terms of a .gguf file: its settings, and its weights by llama.cpp's names and in its order."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from utils.errors import UserError

if TYPE_CHECKING:
    import numpy
    from gguf import GGUFWriter
    from torch import Tensor
    from transformers import PreTrainedConfig, PreTrainedModel

# Settings that llama.cpp fixes regardless of the configuration, by architecture.
FIXED = {
    "gpt2": {
        "activation_function": "gelu_new",
        "add_cross_attention": False,
        "scale_attn_weights": True,
        "scale_attn_by_inverse_layer_idx": False,
    },
    "llama": {"hidden_act": "silu", "attention_bias": False, "mlp_bias": False},
}
LARGEST = 65504.0  # in half precision
INSTEAD = "remove --export, or choose a base model such as smollm2 or gpt2"


def check_architecture(name: str, config: "PreTrainedConfig") -> None:
    """Raise UserError where llama.cpp, or this export, would compute something else than this model."""
    if config.model_type not in FIXED:
        problem = f"--export gguf writes models of the architectures {' and '.join(FIXED)}, and {name} is"
        raise UserError(f"{problem} {config.model_type}", INSTEAD)
    for setting, expected in FIXED[config.model_type].items():
        if getattr(config, setting) != expected:
            problem = f"--export gguf needs {setting} {expected}, and {name} has {getattr(config, setting)}"
            raise UserError(problem, INSTEAD)
    rope = (getattr(config, "rope_parameters", None) or {}).get("rope_type", "default")
    if rope != "default":
        raise UserError(f"--export gguf writes plain rotary positions, and those of {name} are {rope}", INSTEAD)


def add_settings(writer: "GGUFWriter", config: "PreTrainedConfig") -> None:
    """Write the settings of config.json; the number of rows is that of the vocabulary."""
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_head_count(config.num_attention_heads)
    if config.model_type == "gpt2":
        writer.add_feed_forward_length(config.n_inner or 4 * config.hidden_size)
        writer.add_layer_norm_eps(config.layer_norm_epsilon)
        return
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(config.head_dim)
    writer.add_value_length(config.head_dim)
    writer.add_rope_dimension_count(config.head_dim)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_vocab_size(config.vocab_size)


def tensors_of(model: "PreTrainedModel") -> Iterator[tuple[str, "numpy.ndarray"]]:
    """Yield (llama.cpp's name, float32 array) of each weight. UserError for one that half precision cannot hold."""
    from gguf import MODEL_ARCH, get_tensor_name_map

    config = model.config
    names = get_tensor_name_map(MODEL_ARCH[config.model_type.upper()], config.num_hidden_layers)
    for name, weight in model.state_dict().items():
        if name == "lm_head.weight" and config.tie_word_embeddings:
            continue
        if not weight.abs().max() <= LARGEST:
            problem = f"{name} has a number above {LARGEST:.0f}, which 16 bits cannot hold"
            raise UserError(problem, "train with a lower --learning_rate, or without --export")
        weight = _in_their_order(name, weight.float(), config)
        yield names.get_name(name, try_suffixes=(".weight", ".bias")), weight.contiguous().numpy()


def _in_their_order(name: str, weight: "Tensor", config: "PreTrainedConfig") -> "Tensor":
    """Return a matrix as llama.cpp multiplies it: GPT-2's transposed, Llama's rotated dimensions pair by pair.

    In transformers a head's rotated dimension i belongs to i + half; in llama.cpp the two are neighbors.
    """
    if config.model_type == "gpt2":
        return weight.T if name.endswith((".c_attn.weight", ".c_proj.weight", ".c_fc.weight")) else weight
    heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}.get(name.split(".")[-2])
    if heads is None:
        return weight
    rows, columns = weight.shape
    return weight.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)
