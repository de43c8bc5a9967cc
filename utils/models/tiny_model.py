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
    end = "<|endoftext|>"
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=end,
        eos_token=end,
        pad_token=end,
        name_or_path="tiny",
        model_max_length=1024,
    )


def tiny_model() -> "PreTrainedModel":
    """Return a random GPT-2 of two blocks, the same at every call."""
    from transformers import GPT2LMHeadModel

    return _seeded(GPT2LMHeadModel)


def tiny_classifier(labels: Sequence[str]) -> "PreTrainedModel":
    """Return the same blocks with a random classification head."""
    from transformers import GPT2ForSequenceClassification

    numbers = {label: number for number, label in enumerate(labels)}
    return _seeded(GPT2ForSequenceClassification, id2label=dict(enumerate(labels)), label2id=numbers)


def _seeded(model_class, **options) -> "PreTrainedModel":
    import torch
    from transformers import GPT2Config

    end = 256
    config = GPT2Config(
        vocab_size=end + 1,
        n_positions=1024,
        n_embd=32,
        n_layer=2,
        n_head=2,
        bos_token_id=end,
        eos_token_id=end,
        pad_token_id=end,
        **options,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return model_class(config).eval()
