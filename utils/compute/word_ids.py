"""Token ids of many texts by their words.

Texts repeat their words: 180,000 tweets have 3 million words, but only 80,000 different ones. If the tokenizer encodes
word by word, each different word is encoded once, and the ids of all texts are looked up together.
"""

import array
import json
from collections.abc import Iterator, Sequence
from itertools import chain, compress, islice
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from tokenizers import Tokenizer

MAX_CACHED_WORDS = 300_000  # a word with its ids takes 0.2 kB of memory
FIRST = "\n"  # marks the first word of a text, which has no space before it; no word has one


class Encoder:
    """Encodes chunks of texts, and remembers the words of those before. Pickled, it forgets them."""

    def __init__(self, backend: "Tokenizer"):
        backend.encode_special_tokens = True  # which is lost where a backend is pickled
        self._backend = backend
        self._by_words = encodes_word_by_word(backend)
        self._forget()

    def __reduce__(self) -> tuple:
        return Encoder, (self._backend,)

    def __call__(self, texts: Sequence[str]) -> list[bytes]:
        by_words = [self._by_words and _has_single_spaces(text) for text in texts]
        joined = self._join_words(list(compress(texts, by_words)))
        others = iter(self._encode([text for text, by_word in zip(texts, by_words, strict=True) if not by_word]))
        return [next(joined) if by_word else array.array("I", next(others)).tobytes() for by_word in by_words]

    def _join_words(self, texts: list[str]) -> Iterator[bytes]:
        """Yield the ids of each text, all looked up at once; the words that are not yet known are encoded first."""
        if not texts:
            return
        if len(self._numbers) > MAX_CACHED_WORDS:
            self._forget()
        known = len(self._numbers)
        words = (FIRST + f" {FIRST}".join(texts)).split(" ")
        numbers = np.fromiter(map(self._numbers.__getitem__, words), np.intp, len(words))
        self._learn(list(islice(self._numbers, known, None)))
        lengths = self._lengths[numbers]
        ends = np.cumsum(lengths)
        places = np.repeat(self._starts[numbers] - (ends - lengths), lengths) + np.arange(ends[-1])
        ids = self._ids[places].tobytes()
        last_words = np.cumsum([text.count(" ") + 1 for text in texts]) - 1
        start = 0
        for end in (ends[last_words] * self._ids.itemsize).tolist():
            yield ids[start:end]
            start = end

    def _learn(self, words: list[str]) -> None:
        encoded = self._encode([word[1:] if word.startswith(FIRST) else " " + word for word in words])
        lengths = np.array(list(map(len, encoded)), dtype=np.intp)
        self._starts = np.append(self._starts, len(self._ids) + np.cumsum(lengths) - lengths)
        self._lengths = np.append(self._lengths, lengths)
        self._ids = np.append(self._ids, np.fromiter(chain.from_iterable(encoded), np.uintc, lengths.sum()))

    def _forget(self) -> None:
        self._numbers = _Numbers()
        self._ids = np.empty(0, np.uintc)  # of all words, one after another
        self._starts, self._lengths = np.empty((2, 0), np.intp)  # where those of each word are

    def _encode(self, texts: list[str]) -> list[list[int]]:
        return [encoding.ids for encoding in self._backend.encode_batch_fast(texts, add_special_tokens=False)]


class _Numbers(dict):
    """The number of each word, in the order in which they were first looked up."""

    def __missing__(self, word: str) -> int:
        self[word] = number = len(self)
        return number


def encodes_word_by_word(backend: "Tokenizer") -> bool:
    """Return whether the ids of a text are those of its words, each with the space before it, one after the other.

    That holds for GPT-2's regular expression (`pre_tokenizers.ByteLevel`): no match has a space inside, and the
    text before a space does not change the matches after it. Nothing else may depend on more than one word: there is
    no normalizer, no added token that is searched for in the text, and no dropout.
    """
    return backend.normalizer is None and encodes_words(backend)


def encodes_words(backend: "Tokenizer") -> bool:
    """Return whether `encodes_word_by_word`, but for the normalizer."""
    from tokenizers import models

    if backend.pre_tokenizer is None or not isinstance(backend.model, models.BPE):
        return False
    pre_tokenizer = json.loads(backend.pre_tokenizer.__getstate__())
    return (
        pre_tokenizer["type"] == "ByteLevel"
        and pre_tokenizer["use_regex"]
        and not backend.model.dropout
        and all(token.special for token in backend.get_added_tokens_decoder().values())
    )


def _has_single_spaces(text: str) -> bool:
    """Return whether single spaces are the only whitespace (no other is printable), with none at the end."""
    return text.isprintable() and "  " not in text and not text.endswith(" ")
