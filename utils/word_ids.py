"""Token ids of many texts from a tokenizer's Rust core: of each different word once, where texts are made of words.

Tweets repeat their words: 180,000 of them have 80,000 different ones among 3 million. Asked once for each of those, the
core has a tenth of the work, and the rest is looking up and joining bytes.
"""

import array
import json
from collections.abc import Iterable, Sequence

TEXTS_AT_ONCE = 10_000
WORDS_KEPT = 300_000  # bounds the memory: a word with its ids takes 0.2 kB


def packed_ids(core, texts: Sequence[str]) -> list[bytes]:
    """The ids of each text alone as bytes (native unsigned int), without special tokens, whose names are text here.

    `core` is a `tokenizers.Tokenizer`; it must neither pad nor truncate, and take special tokens for text.
    """
    if not joins_words(core):
        return [
            ids for start in range(0, len(texts), TEXTS_AT_ONCE) for ids in _packed(core, texts[start:][:TEXTS_AT_ONCE])
        ]
    first, later = {}, {}  # the ids of a word that starts a text, and of one behind a blank
    ids = []
    for start in range(0, len(texts), TEXTS_AT_ONCE):
        chunk = texts[start : start + TEXTS_AT_ONCE]
        words = [text.split(" ") if _has_plain_blanks(text) else None for text in chunk]
        _learn(core, first, {split[0] for split in words if split}, "")
        _learn(core, later, set().union(*(split[1:] for split in words if split)), " ")
        others = iter(_packed(core, [text for text, split in zip(chunk, words, strict=True) if not split]))
        ids += [
            first[split[0]] + b"".join(map(later.__getitem__, split[1:])) if split else next(others) for split in words
        ]
    return ids


def joins_words(core) -> bool:
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
    known.update(zip(new, _packed(core, [before + word for word in new]), strict=True))


def _packed(core, texts: Iterable[str]) -> list[bytes]:
    encodings = core.encode_batch_fast(list(texts), add_special_tokens=False)
    return [array.array("I", encoding.ids).tobytes() for encoding in encodings]
