"""A tokenizer with merges, as llama.cpp's formats need, and trained models to export."""

from transformers import PreTrainedTokenizerFast

from utils.models.checkpoint import Trained

TEXTS = ["The cats sat on the mat.", "Where are the cats? At 12:45 they're here 😀", "été, cœur, 你好 – the end"]

CHAT = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "<|im_start|>system\nBe kind.<|im_end|>\n{% endif %}<|im_start|>{{ message['role'] }}\n"
    "{{ message['content'] }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def merging_tokenizer(pre_tokenizer=None, **options) -> PreTrainedTokenizerFast:
    """Return a tokenizer of bytes, some merges, end-of-text and two tokens of a chat; as GPT-2's by default."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE(**options))
    tokenizer.pre_tokenizer = pre_tokenizer or pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=300, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(TEXTS * 2, trainer)
    ends = dict.fromkeys(("bos_token", "eos_token", "pad_token"), "<|endoftext|>")
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, name_or_path="merging", model_max_length=128, **ends)


def trained_writer(model, tokenizer=None, kind: str = "generate", template: str = "{prompt}") -> Trained:
    """Return the model as fine_tune.py would have trained it for this kind of task."""
    return Trained(model, tokenizer or merging_tokenizer(), {"kind": kind, "template": template})
