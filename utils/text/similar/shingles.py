"""Rows of texts as hashed shingles (runs of 5 characters), and the number of rows that share passages around them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from itertools import chain

import numpy as np

SHINGLE = 5  # characters
PASSAGE = 20  # characters, whose rows are counted: longer than phrases, shorter than any template that matters
STEPS = PASSAGE - SHINGLE + 1  # shingles of a passage
AT_ONCE = 2**20  # hashes; a million tweets have 60 million
BITS = 22  # of hashes, in a table that fits the processor's cache
_ZEROS = str.maketrans("123456789", "0" * 9)
_SAMPLED = np.uint32(3)  # a passage in four, chosen by its hash, is enough to notice the rows that share passages


@dataclass(frozen=True)
class Hashed:
    """The hashed shingles of some rows, one after another."""

    hashes: np.ndarray  # uint32
    counts: np.ndarray  # shingles of each row
    text_counts: np.ndarray  # shingles of each text; a row can have several texts
    has_digit: np.ndarray | None

    @property
    def starts(self) -> np.ndarray:
        """The start of each row's shingles."""
        return np.cumsum(self.counts) - self.counts

    def passages(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the hash of the passage that starts with each shingle, uint32, and whether one does."""
        passages = self.hashes.copy()
        for place in range(SHINGLE, PASSAGE, SHINGLE):
            passages *= np.uint32(0x9E3779B1)
            passages[: max(0, len(passages) - place)] ^= self.hashes[place:]
        for block in blocks(len(passages), AT_ONCE):
            passages[block] ^= passages[block] >> np.uint32(15)
        does = np.ones(len(passages), dtype=bool)
        ends = np.cumsum(self.text_counts)
        for back in range(1, STEPS):
            does[ends - np.minimum(back, self.text_counts)] = False
        return passages, does

    def sampled_passages(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the hashes of some passages, which are the same wherever they occur, and the row of each; uint32."""
        passages, does = self.passages()
        chosen = np.flatnonzero(does & (passages & _SAMPLED == 0))
        return passages[chosen], (np.searchsorted(self.starts, chosen, "right") - 1).astype(np.uint32)


def hash_rows(rows: Sequence[Sequence[str]], digits: bool = False) -> Hashed:
    """Return the hashed shingles of rows of texts, with `digits` also whether they have one.

    Shingles that differ only in digits have the same hash; the first text of a row has other hashes than the second, ….
    """
    padded = [text.ljust(SHINGLE, "\0") for text in chain.from_iterable(rows)]
    characters = np.frombuffer("".join(padded).encode("utf-32-le", "surrogatepass"), dtype="<u4").copy()
    is_digit = characters - np.uint32(ord("0")) < 10
    characters[is_digit] = ord("0")
    lengths = np.array([len(text) for text in padded])
    ends = np.cumsum(lengths)
    inside = np.ones(len(characters), dtype=bool)
    for back in range(1, SHINGLE):
        inside[ends - back] = False  # such a shingle would run into the next text
    hashes = np.zeros(len(characters), dtype=np.uint32)
    for place in range(SHINGLE):
        hashes *= np.uint32(0x01000193)
        hashes[: len(hashes) - place] += characters[place:]
    has_digit = None
    if digits:
        has_digit = is_digit.copy()
        for place in range(1, SHINGLE):
            has_digit[: len(hashes) - place] |= is_digit[place:]
        has_digit = has_digit[inside]
    hashes, text_counts = hashes[inside], lengths - SHINGLE + 1
    parts = np.array([len(row) for row in rows])
    counts = text_counts
    if len(parts) != len(padded):
        firsts = np.cumsum(parts) - parts
        places = np.arange(len(padded)) - np.repeat(firsts, parts)
        hashes += np.repeat(places.astype(np.uint32) * np.uint32(0x9E3779B1), text_counts)
        counts = np.add.reduceat(text_counts, firsts)
    hashes ^= hashes >> np.uint32(16)
    hashes *= np.uint32(0x85EBCA6B)
    hashes ^= hashes >> np.uint32(13)
    return Hashed(hashes, counts, text_counts, has_digit)


def hash_many(rows: Sequence[Sequence[str]], digits: bool = False) -> Hashed:
    """Return the same as `hash_rows`, block by block: that needs fifteen times the memory of its result."""
    hashed = [hash_rows(rows[block], digits) for block in blocks(len(rows))]
    columns = ([getattr(block, field.name) for block in hashed] for field in fields(Hashed))
    return Hashed(*(None if column[0] is None else np.concatenate(column) for column in columns))


class SharedPassages:
    """The passages that many rows share, and their rows. Blocks of rows are added, then all are counted."""

    def __init__(self):
        self._passages, self._rows, self._count = [], [], 0

    def add(self, passages: np.ndarray, rows: np.ndarray, count: int) -> None:
        """Add the `sampled_passages` of a block with so many rows."""
        self._passages.append(passages)
        self._rows.append(rows + np.uint32(self._count))
        self._count += count

    def rows(self, least: int, wanted: np.ndarray) -> np.ndarray:
        """Return the rows that share a passage, which at least so many rows have, with one of the wanted rows."""
        if not self._count:
            return np.arange(0)
        passages = np.concatenate(self._passages)
        self._passages = [passages]  # frees the parts
        rows = np.concatenate(self._rows)
        self._rows = [rows]
        places = at_least(passages, least)
        is_wanted = np.zeros(self._count, dtype=bool)
        is_wanted[wanted] = True
        passages, rows = passages[places], rows[places]
        return np.unique(rows[among(passages, passages[is_wanted[rows]])])


def at_least(passages: np.ndarray, least: int, does: np.ndarray | None = None) -> np.ndarray:
    """Return the places of all passages (where one `does` start) that occur so many times, and of a few others."""
    ordered = passages.copy() if does is None else passages[does]
    ordered.sort()
    frequent = ordered[least - 1 :][ordered[least - 1 :] == ordered[: max(0, len(ordered) - least + 1)]]
    del ordered
    return among(passages, frequent, does)


def among(values: np.ndarray, chosen: np.ndarray, where: np.ndarray | None = None) -> np.ndarray:
    """Return the places (`where` that is true) of all hashes, unsigned, among the chosen ones, and of a few others."""
    table = np.zeros(2**BITS, dtype=bool)
    shift = values.dtype.type(8 * values.itemsize - BITS)
    table[chosen >> shift] = True
    found = np.empty(len(values), dtype=bool)
    for block in blocks(len(values), AT_ONCE):
        np.take(table, values[block] >> shift, out=found[block])
    if where is not None:
        found &= where
    return np.flatnonzero(found)


def without_digits(form: str) -> str:
    """Return the text with 0 for every digit."""
    return form.translate(_ZEROS)


def in_order(form: str) -> list[str]:
    """Return the shingles of a text, which is one itself if it is shorter."""
    return [form[start : start + SHINGLE] for start in range(max(1, len(form) - SHINGLE + 1))]


def blocks(count: int, size: int = 1000) -> Iterator[slice]:
    """Yield slices of that many rows."""
    for first in range(0, count, size):
        yield slice(first, min(count, first + size))
