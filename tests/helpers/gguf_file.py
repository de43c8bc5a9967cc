"""A .gguf file as llama.cpp writes it."""

from pathlib import Path

import numpy
import torch
from gguf import GGUFWriter
from small_models import END, random_model, tiny_tokenizer


def write_gguf(path: Path) -> torch.nn.Module:
    """Write a random Llama to a .gguf file, and return the model."""
    end = END + 1
    model = random_model("llama", vocab_size=258, bos_token_id=end, eos_token_id=end, pad_token_id=end)
    writer = GGUFWriter(path, "llama")
    writer.add_block_count(model.config.num_hidden_layers)
    writer.add_context_length(model.config.max_position_embeddings)
    writer.add_embedding_length(model.config.hidden_size)
    writer.add_feed_forward_length(model.config.intermediate_size)
    writer.add_head_count(model.config.num_attention_heads)
    writer.add_head_count_kv(model.config.num_attention_heads)
    writer.add_layer_norm_rms_eps(model.config.rms_norm_eps)
    writer.add_rope_freq_base(model.config.rope_parameters["rope_theta"])
    writer.add_vocab_size(model.config.vocab_size)

    vocabulary = tiny_tokenizer().get_vocab()
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list([*sorted(vocabulary, key=vocabulary.get)[:END], "ab", "<|endoftext|>"])
    writer.add_token_types([1] * 257 + [3])  # normal tokens, and a control token
    writer.add_token_merges(["a b"])
    writer.add_bos_token_id(end)
    writer.add_eos_token_id(end)

    weights = model.state_dict()
    tensors = {
        "token_embd": weights["model.embed_tokens.weight"],
        "output_norm": weights["model.norm.weight"],
        "output": weights["lm_head.weight"],
    }
    for number in range(model.config.num_hidden_layers):
        theirs, ours = f"blk.{number}.", f"model.layers.{number}."
        for name in ("q", "k"):
            tensors[f"{theirs}attn_{name}"] = llama_cpp_rows(weights[f"{ours}self_attn.{name}_proj.weight"], heads=2)
        tensors[f"{theirs}attn_v"] = weights[f"{ours}self_attn.v_proj.weight"]
        tensors[f"{theirs}attn_output"] = weights[f"{ours}self_attn.o_proj.weight"]
        tensors[f"{theirs}attn_norm"] = weights[f"{ours}input_layernorm.weight"]
        tensors[f"{theirs}ffn_norm"] = weights[f"{ours}post_attention_layernorm.weight"]
        for name in ("gate", "up", "down"):
            tensors[f"{theirs}ffn_{name}"] = weights[f"{ours}mlp.{name}_proj.weight"]
    for name, tensor in tensors.items():
        writer.add_tensor(f"{name}.weight", numpy.ascontiguousarray(tensor.numpy()))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return model


def llama_cpp_rows(weights: torch.Tensor, heads: int) -> torch.Tensor:
    """The rows of a query or key matrix in llama.cpp's order: a head's pairs of rotated dimensions side by side."""
    rows, columns = weights.shape
    return weights.reshape(heads, 2, rows // heads // 2, columns).transpose(1, 2).reshape(rows, columns)
