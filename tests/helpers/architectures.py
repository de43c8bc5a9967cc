"""Random models of the architectures that can train, far smaller than any real one, as folders of base models.

`WRITERS` can write, and with `ENCODERS` classify if they are `CLASSIFIERS`. Each name is a model type of transformers,
or one with a shape of its own behind a dash, and has what its configuration says beside `SHAPE`.
"""

from pathlib import Path

import torch
from small_classifiers import encoder_tokenizer
from small_models import tiny_tokenizer
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

POSITIONS = 48
SHAPE = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": POSITIONS,
    "initializer_range": 0.2,
}
GROUPED = {"num_key_value_heads": 1, "head_dim": 8}
ROBERTA = {"max_position_embeddings": POSITIONS + 1, "pad_token_id": 0}  # positions start after the padding index
WRITERS = {
    "gpt2": {},
    "gpt2-untied": {"tie_word_embeddings": False},
    "llama": {},
    "mistral": GROUPED,
    "qwen2": {"num_key_value_heads": 1},
    "qwen3": GROUPED,
    "gemma": GROUPED,
    "gemma2": {**GROUPED, "query_pre_attn_scalar": 8, "sliding_window": 8},
    "gemma3_text": {**GROUPED, "query_pre_attn_scalar": 8, "sliding_window": 8},
    "phi": {"num_key_value_heads": 2},
    "phi3": {"num_key_value_heads": 2},
    "opt": {"ffn_dim": 32, "word_embed_proj_dim": 16},
    "opt-350m": {"ffn_dim": 32, "word_embed_proj_dim": 8, "do_layer_norm_before": False},
    "bloom": {},
    "gpt_neox": {},
    "gptj": {"rotary_dim": 4},
    "gpt_neo": {"attention_types": [[["global", "local"], 1]], "window_size": 8},
    "gpt_bigcode": {},
    "falcon": {},
    "mpt": {"expansion_ratio": 2, "max_seq_len": POSITIONS},
    "stablelm": {"num_key_value_heads": 2},
    "starcoder2": {"num_key_value_heads": 1},
    "olmo2": {"num_key_value_heads": 2},
    "granite": {"num_key_value_heads": 2},
    "smollm3": {"num_key_value_heads": 1},
    "biogpt": {},
}
ONLY_WRITERS = {
    "mamba": {"state_size": 4, "time_step_rank": 4},
    "codegen": {"rotary_dim": 4, "num_attention_heads": 4},
    "xglm": {"d_model": 16, "attention_heads": 2, "num_layers": 2, "ffn_dim": 32, "max_position_embeddings": 300},
    "cohere": {"num_key_value_heads": 2},
}
ENCODERS = {
    "bert": {},
    "distilbert": {"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 32},
    "roberta": ROBERTA,
    "xlm-roberta": ROBERTA,
    "camembert": ROBERTA,
    "mpnet": {"max_position_embeddings": POSITIONS + 2, "pad_token_id": 1},
    "electra": {"embedding_size": 8},
    "deberta": {"relative_attention": True, "pos_att_type": ["c2p", "p2c"]},
    "deberta-v2": {"relative_attention": True, "position_buckets": 8, "pos_att_type": ["p2c", "c2p"]},
    "albert": {"embedding_size": 8},
    "rembert": {"input_embedding_size": 8, "output_embedding_size": 8},
    "xlnet": {"n_layer": 2, "d_inner": 32, "d_head": 8},
    "big_bird": {"attention_type": "original_full"},
    "convbert": {"head_ratio": 1, "embedding_size": 16},
    "nystromformer": {},
    "squeezebert": {"embedding_size": 16},
    "funnel": {"block_sizes": [1, 1], "d_model": 16, "n_head": 2, "d_head": 8, "d_inner": 32, "num_decoder_layers": 1},
    "modernbert": {"global_attn_every_n_layers": 2, "local_attention": 8},
    "mobilebert": {"hidden_size": 32, "embedding_size": 16, "intra_bottleneck_size": 16},
    "fnet": {},
}

CANNOT_CLASSIFY = ("granite",)
CHANGED_BY_PADDING = ("convbert", "fnet", "nystromformer")  # whose logits are, so they do not learn to classify
CLASSIFIERS = [name for name in WRITERS | ENCODERS if name not in (*CANNOT_CLASSIFY, *CHANGED_BY_PADDING)]
UNSETTABLE = {
    "funnel": "num_hidden_layers",
    **dict.fromkeys(("bloom", "mamba", "xlnet"), "max_position_embeddings"),
}


def small_config(name: str, tokenizer, **options) -> PreTrainedConfig:
    """Return the configuration of a model for this tokenizer."""
    kinds = WRITERS | ONLY_WRITERS | ENCODERS
    model_type = name if name in ("gpt2", "deberta-v2", "xlm-roberta") else name.partition("-")[0]
    ends = {f"{end}_token_id": getattr(tokenizer, f"{end}_token_id") for end in ("bos", "eos", "pad")}
    config = AutoConfig.for_model(model_type, vocab_size=len(tokenizer))
    own = {"vocab_size": len(tokenizer), **ends, **SHAPE, **kinds[name], **options}
    own.pop(UNSETTABLE.get(model_type), None)
    return type(config)(**own)


def random_base(name: str, **options) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """Return a random base model, one that writes or an encoder, and its tokenizer; the options go into its config."""
    writes = name not in ENCODERS
    tokenizer = tiny_tokenizer() if writes else encoder_tokenizer(ends_with_cls=name == "xlnet")
    config = small_config(name, tokenizer, **options)
    loader = AutoModelForCausalLM if writes else AutoModelForMaskedLM
    if not writes and type(config) not in AutoModelForMaskedLM._model_mapping:
        loader = AutoModel
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return loader.from_config(config).eval(), tokenizer


def architecture_folder(folder: Path, name: str, **options) -> str:
    """Save `random_base` and return the folder's name."""
    for part in random_base(name, **options):
        part.save_pretrained(folder)
    return str(folder)
