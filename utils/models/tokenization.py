"""Texts to token ids: templates, start and end tokens, truncation, and fast encoding of many texts."""

import array
import hashlib
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from utils.errors import UserError
from utils.terminal.progress import progress_bar

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from torch.nn import Embedding
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

TEXTS_AT_ONCE = 10_000


def apply_template(template: str, prompt: str) -> str:
    """Return the prompt in its template. Braces in the prompt are text."""
    return template.replace("{prompt}", prompt)


def encode(
    tokenizer: "PreTrainedTokenizerBase", prompts: Sequence[str], completions: Sequence[str], each: Callable = map
) -> tuple[list[array.array], list[int]]:
    """Return (ids, loss_start) of the texts: start, prompt, completion, end.

    Prompt and completion are encoded separately; `loss_start` is the position of the completion's first token. `each`
    maps the encoder to chunks of texts, perhaps in other processes.
    """
    start, end = (_pack([token]) for token in start_and_end(tokenizer))
    packed_prompts = packed_token_ids(tokenizer, prompts, each) if any(prompts) else [b""] * len(prompts)
    ids = packed_token_ids(tokenizer, completions, each)
    for row, (prompt, completion) in enumerate(zip(packed_prompts, ids, strict=True)):
        ids[row] = _unpack(start + prompt + completion + end)  # in place, since both together take much memory
    return ids, [1 + len(prompt) // len(start) for prompt in packed_prompts]  # `start` is one id


def token_ids(tokenizer: "PreTrainedTokenizerBase", texts: Sequence[str]) -> list[list[int]]:
    """Return the ids of each text without special tokens; the name of a special token in a text is plain text."""
    return [_unpack(ids).tolist() for ids in packed_token_ids(tokenizer, texts)]


def start_and_end(tokenizer: "PreTrainedTokenizerBase") -> tuple[int, int]:
    """Return the ids of the tokens that every text starts and ends with.

    They are the tokenizer's own, since the embeddings of new ones would never be trained. Without a
    beginning-of-text token, texts start with end-of-text, as GPT-2 does.
    """
    end = tokenizer.eos_token_id
    if end is None:
        problem = f"the tokenizer of {tokenizer.name_or_path} has no end-of-text token, so its model would never stop"
        raise UserError(problem, "choose a base model with an eos_token")
    start = tokenizer.bos_token_id
    return (end if start is None else start), end


def padding_id(tokenizer: "PreTrainedTokenizerBase") -> int | None:
    """Return the id of the padding token, or of end-of-text, with which no text to classify ends."""
    ids = tokenizer.pad_token_id, tokenizer.eos_token_id, tokenizer.sep_token_id
    return next((id for id in ids if id is not None), None)


def context_length(model: "PreTrainedModel") -> int:
    """Return the maximum number of tokens of a text; sys.maxsize without position embeddings (BLOOM, Mamba, XLNet).

    RoBERTa and its relatives count positions from their padding index on, so that two of the rows that the
    configuration states are never used.
    """
    config = model.config.get_text_config()
    stated = [getattr(config, name, None) for name in ("max_position_embeddings", "max_seq_len")]  # MPT has the latter
    lengths = [length for length in stated if isinstance(length, int) and length > 0]
    lengths += [len(module.weight) - module.padding_idx - 1 for module in positions_after_padding(model)]
    return min(lengths, default=sys.maxsize)


def positions_after_padding(model: "PreTrainedModel") -> list["Embedding"]:
    """Return the embeddings of positions that are counted from the padding index on: RoBERTa's and its relatives'."""
    return [
        module
        for name, module in model.named_modules()
        if name.endswith("position_embeddings") and getattr(module, "padding_idx", None) is not None
    ]


def longest_text(model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase") -> int:
    """Return the maximum number of tokens of a text to classify, to which other tools cut it: the tokenizer's too."""
    stated = int(tokenizer.model_max_length)
    return min(context_length(model), stated if stated > 0 else sys.maxsize)


def tokenizer_fingerprint(tokenizer: "PreTrainedTokenizerBase", *, with_surroundings: bool = False) -> str:
    """Return the SHA-256 of all that determines a text's ids: vocabulary, merges, normalization, special tokens.

    What the tokenizer itself does around a text, and before texts that are not the first, does not count: in a trained
    model that differs from the base (`generation_settings`). Earlier versions counted it (`with_surroundings`).
    """
    state = json.loads(fast_backend(tokenizer).to_str())
    if not with_surroundings:
        del state["post_processor"]
        state["pre_tokenizer"] = json.dumps(state["pre_tokenizer"]).replace('"first"', '"always"')
    state.pop("padding", None)
    state.pop("truncation", None)
    state["around"] = [getattr(tokenizer, f"{name}_token_id") for name in ("bos", "eos", "cls", "sep")]
    state["chat_template"] = tokenizer.chat_template
    return hashlib.sha256(json.dumps(state, sort_keys=True).encode()).hexdigest()


def packed_token_ids(tokenizer: "PreTrainedTokenizerBase", texts: Sequence[str], each: Callable = map) -> list[bytes]:
    """Return the ids of `token_ids` as the bytes of `array.array("I")`, which join faster than arrays or lists.

    The Rust backend is called directly: transformers' own call takes half as long again in Python, and keeps the masks
    and offsets of all texts at once.
    """
    from utils.compute.word_ids import encodes_words  # late, with numpy: usage errors show up sooner

    backend = fast_backend(tokenizer)
    backend.no_padding()
    backend.no_truncation()
    before, backend.encode_special_tokens = backend.encode_special_tokens, True
    normalizer = backend.normalizer
    if _is_space(normalizer) and encodes_words(backend):
        # A normalizer that only puts a space before a text, which can be done here, and words can be looked up then.
        backend.normalizer, texts = None, [f" {text}" if text else "" for text in texts]
    ids = packed_ids(backend, texts, each)
    if _is_space(normalizer):
        backend.normalizer = normalizer
    backend.encode_special_tokens = before
    return ids


def _is_space(normalizer) -> bool:
    from tokenizers import normalizers

    return isinstance(normalizer, normalizers.Prepend) and normalizer.prepend == " "


def fast_backend(tokenizer: "PreTrainedTokenizerBase") -> "Tokenizer":
    if not tokenizer.is_fast:
        problem = f"the tokenizer of {tokenizer.name_or_path} has no fast version (tokenizer.json)"
        raise UserError(problem, "choose another base model")
    return tokenizer.backend_tokenizer


def packed_ids(backend: "Tokenizer", texts: Sequence[str], each: Callable = map) -> list[bytes]:
    """Return the ids of each text without special tokens, encoding each different word once where that is the same.

    `backend` must neither pad nor truncate, and must encode the names of special tokens as text. `each` maps the
    encoder to chunks of texts, perhaps in other processes.
    """
    from utils.compute.word_ids import Encoder

    chunks = [texts[start : start + TEXTS_AT_ONCE] for start in range(0, len(texts), TEXTS_AT_ONCE)]
    ids = []
    with progress_bar("encoding", len(texts)) as bar:
        for part in each(Encoder(backend), chunks):
            ids += part
            bar.update(len(part))
    return ids


def _pack(ids: Iterable[int]) -> bytes:
    return array.array("I", ids).tobytes()


def _unpack(ids: bytes) -> array.array:
    return array.array("I", ids)
