"""`--model tiny`: a random GPT-2 of two blocks over bytes, for smoke tests that take seconds."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def tiny_tokenizer() -> "PreTrainedTokenizerBase":
    """Return a tokenizer with one token per byte, and end-of-text."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {character: number for number, character in enumerate(alphabet)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    ends = dict.fromkeys(("bos_token", "eos_token", "pad_token"), "<|endoftext|>")
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, name_or_path="tiny", model_max_length=1024, **ends)


def tiny_model(labels: Sequence[str] | None = None) -> "PreTrainedModel":
    """Return a random GPT-2 of two blocks, the same at every call; with `labels`, it has a classification head."""
    import torch
    from transformers import GPT2Config, GPT2ForSequenceClassification, GPT2LMHeadModel

    options = dict.fromkeys(("bos_token_id", "eos_token_id", "pad_token_id"), 256)
    if labels is not None:
        options |= {"id2label": dict(enumerate(labels)), "label2id": {label: id for id, label in enumerate(labels)}}
    config = GPT2Config(vocab_size=257, n_positions=1024, n_embd=32, n_layer=2, n_head=2, **options)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return (GPT2LMHeadModel if labels is None else GPT2ForSequenceClassification)(config).eval()
