"""Small random models that train in a moment, processed data of given texts, and comparison of weights."""

from dataclasses import asdict

import torch
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    OPTConfig,
    OPTForCausalLM,
)

from utils.models.base_models import resolve
from utils.models.opening.load import load_tokenizer
from utils.models.tokenization import encode, tokenizer_fingerprint
from utils.processed import SPLITS, Processed, Split
from utils.text.cleaning import Cleaning

END = 256  # end-of-text of `tiny`, whose vocabulary these models share: one token per byte
BLOCKS = 3
SHAPE = {"vocab_size": END + 1, "bos_token_id": END, "eos_token_id": END, "pad_token_id": END}
MODEL_FILES = {
    "config.json",
    "generation_config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
    "run.json",
    "log.jsonl",
    "training.svg",
    "README.md",
}
WIDTH = {"hidden_size": 16, "num_hidden_layers": BLOCKS, "num_attention_heads": 2}


def _gpt2(options: dict):
    return GPT2LMHeadModel(GPT2Config(**{**SHAPE, "n_embd": 16, "n_layer": BLOCKS, "n_head": 2, **options}))


def _llama(options: dict):
    return LlamaForCausalLM(LlamaConfig(**{**SHAPE, **WIDTH, "intermediate_size": 32, **options}))


def _opt(options: dict):
    return OPTForCausalLM(OPTConfig(**{**SHAPE, **WIDTH, "ffn_dim": 32, "word_embed_proj_dim": 16, **options}))


def _gpt_neox(options: dict):
    return GPTNeoXForCausalLM(GPTNeoXConfig(**{**SHAPE, **WIDTH, "intermediate_size": 32, **options}))


MAKERS = {"gpt2": _gpt2, "llama": _llama, "opt": _opt, "gpt_neox": _gpt_neox}


def random_model(kind: str, seed: int = 0, **options) -> torch.nn.Module:
    """Return a causal language model of three blocks in eval mode; the options go into its configuration.

    The weights are ten times as large as usual, so that each of them changes the logits noticeably.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return MAKERS[kind]({"initializer_range": 0.2, "max_position_embeddings": 128, **options}).eval()


def tiny_tokenizer():
    """Return the tokenizer of `tiny`: one token per byte."""
    return load_tokenizer(resolve("tiny"))


def processed_data(**texts: list[str]) -> Processed:
    """Return the output of preprocess.py for these texts of each split, encoded for `tiny`."""
    tokenizer = tiny_tokenizer()
    splits = {}
    for name in SPLITS:
        completions = texts.get(name, [])
        prompts = [""] * len(completions)
        ids, loss_start = encode(tokenizer, prompts, completions)
        splits[name] = Split(prompts, completions, [None] * len(ids), completions, ids, loss_start)
    return Processed(
        recipe={
            "task": "tweets",
            "kind": "generate",
            "labels": None,
            "template": "{prompt}",
            "cleaning": asdict(Cleaning()),
            "base_model": "tiny",
            "seed": 42,
        },
        audit={},
        sources=[{"path": "texts.csv", "sha256": "0" * 64, "rows": 9, "encoding": "utf-8"}],
        tokenizer={"name": "tiny", "fingerprint": tokenizer_fingerprint(tokenizer)},
        splits=splits,
    )


def weights_of(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Return a copy of every parameter, by name."""
    return {name: parameter.detach().clone() for name, parameter in model.named_parameters()}


def changed(before: dict[str, torch.Tensor], after: dict[str, torch.Tensor]) -> set[str]:
    """Return the names of the parameters that differ in any bit."""
    assert before.keys() == after.keys()
    return {name for name in before if not torch.equal(before[name], after[name])}
