"""Token ids of many texts from a tokenizer's Rust core: of each different word once, where texts are made of words.

Tweets repeat their words: 180,000 of them have 80,000 different ones among 3 million. Asked once for each of those, the
core has a tenth of the work, and the rest is looking up and joining bytes.


MERGED: Text to token ids: where a text starts and ends, where its loss starts, and how a batch is padded."""

import array
import hashlib
import json
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from utils.errors import UserError

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

TEXTS_AT_ONCE = 10_000
WORDS_KEPT = 300_000  # bounds the memory: a word with its ids takes 0.2 kB


def packed_ids(core, texts: Sequence[str]) -> list[bytes]:
    """The ids of each text alone as bytes (native unsigned int), without special tokens, whose names are text here.

    `core` is a `tokenizers.Tokenizer`; it must neither pad nor truncate, and take special tokens for text.
    """
    if not encodes_word_by_word(core):
        return [
            ids
            for start in range(0, len(texts), TEXTS_AT_ONCE)
            for ids in _encode_packed(core, texts[start:][:TEXTS_AT_ONCE])
        ]
    first, later = {}, {}  # the ids of a word that starts a text, and of one behind a blank
    ids = []
    for start in range(0, len(texts), TEXTS_AT_ONCE):
        chunk = texts[start : start + TEXTS_AT_ONCE]
        words = [text.split(" ") if _has_plain_blanks(text) else None for text in chunk]
        _learn(core, first, {split[0] for split in words if split}, "")
        _learn(core, later, set().union(*(split[1:] for split in words if split)), " ")
        others = iter(_encode_packed(core, [text for text, split in zip(chunk, words, strict=True) if not split]))
        ids += [
            first[split[0]] + b"".join(map(later.__getitem__, split[1:])) if split else next(others) for split in words
        ]
    return ids


def encodes_word_by_word(core) -> bool:
    """Whether the ids of a text are those of its words, one after the other, each with the blank before it.

    So it is where GPT-2's expression parts a text (`pre_tokenizers.ByteLevel`): no match of it has a blank inside, and
    what stands before a blank does not change how what follows is parted. Nothing else may look at more than a word:
    no normaliser, no token of the vocabulary that is searched for in the text, no dropout.
    """
    from tokenizers import models

    if core.normalizer is not None or core.pre_tokenizer is None or not isinstance(core.model, models.BPE):
        return False
    parted_by = json.loads(core.pre_tokenizer.__getstate__())
    return (
        parted_by["type"] == "ByteLevel"
        and parted_by["use_regex"]
        and not core.model.dropout
        and all(token.special for token in core.get_added_tokens_decoder().values())
    )


def _has_plain_blanks(text: str) -> bool:
    """Whether all white space is single blanks: no other is printable. One before the first word is fine."""
    return text.isprintable() and "  " not in text and not text.endswith(" ")


def _learn(core, known: dict[str, bytes], words: set[str], before: str) -> None:
    if len(known) > WORDS_KEPT:
        known.clear()
    new = sorted(words - known.keys())
    known.update(zip(new, _encode_packed(core, [before + word for word in new]), strict=True))


def _encode_packed(core, texts: Iterable[str]) -> list[bytes]:
    encodings = core.encode_batch_fast(list(texts), add_special_tokens=False)
    return [array.array("I", encoding.ids).tobytes() for encoding in encodings]


def start_and_end(tokenizer: "PreTrainedTokenizerBase") -> tuple[int, int]:
    """The ids that every text starts from and ends in: the tokenizer's own, since a new one would never learn.

    A model without a beginning-of-text token (GPT-2 has the same one for both) starts from end-of-text.
    """
    end = tokenizer.eos_token_id
    if end is None:
        raise UserError(
            f"the tokenizer of {tokenizer.name_or_path} has no end-of-text token, so its model would never stop",
            "choose a base model with an eos_token",
        )
    start = tokenizer.bos_token_id
    return (end if start is None else start), end


def padding_id(tokenizer: "PreTrainedTokenizerBase") -> int:
    """The id that pads: the tokenizer's own, or else end-of-text, which no text to classify ends in."""
    return tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id


def tokenizer_fingerprint(tokenizer: "PreTrainedTokenizerBase") -> str:
    """SHA-256 of all that decides the ids of a text: vocabulary, merges, normalisation, and what stands around it."""
    state = json.loads(_core(tokenizer).to_str())
    state.pop("padding", None)
    state.pop("truncation", None)
    state["around"] = [getattr(tokenizer, f"{name}_token_id") for name in ("bos", "eos", "cls", "sep")]
    state["chat_template"] = tokenizer.chat_template
    return hashlib.sha256(json.dumps(state, sort_keys=True).encode()).hexdigest()


def token_ids(tokenizer: "PreTrainedTokenizerBase", texts: Sequence[str]) -> list[list[int]]:
    """The ids of each text alone, without special tokens, whose names are text here.

    Asks the tokenizer's Rust core itself: transformers' own call costs half as much again in Python, and keeps
    masks and offsets of all texts at once.
    """
    return [array.array("I", ids).tolist() for ids in _packed_ids(tokenizer, texts)]


def _packed_ids(tokenizer: "PreTrainedTokenizerBase", texts: Sequence[str]) -> list[bytes]:
    """`token_ids` as bytes, which `array.array("I")` takes: joining bytes is faster than joining lists."""
    core = _core(tokenizer)
    core.no_padding()
    core.no_truncation()
    before, core.encode_special_tokens = core.encode_special_tokens, True
    ids = packed_ids(core, texts)
    core.encode_special_tokens = before
    return ids


def _core(tokenizer: "PreTrainedTokenizerBase"):
    if not tokenizer.is_fast:
        raise UserError(
            f"the tokenizer of {tokenizer.name_or_path} has no fast version (tokenizer.json)",
            "choose another base model",
        )
    return tokenizer.backend_tokenizer


def encode(
    tokenizer: "PreTrainedTokenizerBase", prompts: Sequence[str], completions: Sequence[str]
) -> tuple[list[array.array], list[int]]:
    """(ids, loss_start) of each text: start, prompt, completion, end; prompt and completion encoded apart."""
    start, end = start_and_end(tokenizer)
    start, end = _packed_ids_of([start]), _packed_ids_of([end])
    encoded_prompts = _packed_ids(tokenizer, prompts) if any(prompts) else [b""] * len(prompts)
    encoded = zip(encoded_prompts, _packed_ids(tokenizer, completions), strict=True)
    ids = [array.array("I", start + prompt + completion + end) for prompt, completion in encoded]
    return ids, [1 + len(prompt) // ids[0].itemsize for prompt in encoded_prompts]


def encode_for_classification(
    tokenizer: "PreTrainedTokenizerBase", texts: Sequence[str], template: str
) -> tuple[list[array.array], int]:
    """(ids of each text in its template, how many of the last ones belong to the template and stay in any cut).

    An encoder (BERT) has its own tokens around: [CLS] … [SEP]. A model that writes reads what it needs off the last
    token, which is the template's or the text's: with an end-of-text there it would read off what many of these models
    have for padding. It starts with the template or, where that has nothing in front of the text, as it always does
    (docs/results.md has both).
    """
    before, _, after = template.partition("{prompt}")
    if before.endswith(" "):  # tokens of most vocabularies begin with the blank before a word, and none is one alone
        before, texts = before[:-1], [f" {text}" for text in texts]
    if tokenizer.cls_token_id is not None:
        head, tail = [tokenizer.cls_token_id], [tokenizer.sep_token_id]
    else:
        head, tail = [] if before else [start_and_end(tokenizer)[0]], []
    head, tail = head + token_ids(tokenizer, [before])[0], token_ids(tokenizer, [after])[0] + tail
    first, last = _packed_ids_of(head), _packed_ids_of(tail)
    return [array.array("I", first + ids + last) for ids in _packed_ids(tokenizer, texts)], len(tail)


def _packed_ids_of(ids: list[int]) -> bytes:
    return array.array("I", ids).tobytes()


def truncate(ids: array.array, length: int, tail: int) -> array.array:
    """At most `length` ids: what is too many goes from before the last `tail` ones."""
    return ids if len(ids) <= length else ids[: length - tail] + ids[len(ids) - tail :]


def context_length(model: "PreTrainedModel") -> int:
    """The most tokens that the model takes at once; one without position embeddings (BLOOM, Mamba) takes any number."""
    return getattr(model.config.get_text_config(), "max_position_embeddings", None) or sys.maxsize


def apply_template(template: str, prompt: str) -> str:
    """The prompt as the model sees it. Braces in the prompt are text."""
    return template.replace("{prompt}", prompt)
