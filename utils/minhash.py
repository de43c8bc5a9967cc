"""Which pairs of texts may be almost the same: MinHash and banding, in numpy.

Broder 1997; Leskovec, Rajaraman and Ullman, "Mining of Massive Datasets", chapter 3.
"""

from collections.abc import Iterator, Sequence

import numpy as np

SHINGLE = 5  # characters
HASHES = 96  # MinHash values of each text
MISSED_AT_THRESHOLD = 1e-3  # the chance that a pair of exactly the threshold's similarity is not looked at
LEADERS = 16  # of a bucket, which the others are compared with; bounds the time on thousands of look-alikes


def signatures(texts: Sequence[str], block: int = 1000) -> np.ndarray:
    """MinHash values, uint32, shape (HASHES, texts). `block` texts at a time, so that their hashes fit the cache."""
    random = np.random.default_rng(0)
    offsets = random.integers(2**32, size=HASHES, dtype=np.uint32)
    factors = random.integers(2**32, size=HASHES, dtype=np.uint32) | np.uint32(1)  # odd: each is a permutation
    values = np.empty((HASHES, len(texts)), dtype=np.uint32)
    for first in range(0, len(texts), block):
        hashes, starts = _hashed_shingles(texts[first : first + block])
        permuted = np.empty_like(hashes)
        for row, offset, factor in zip(values, offsets, factors, strict=True):
            np.bitwise_xor(hashes, offset, out=permuted)
            np.multiply(permuted, factor, out=permuted)
            np.minimum.reduceat(permuted, starts, out=row[first : first + block])
    return values


def candidate_pairs(values: np.ndarray, threshold: float, block: int = 20_000) -> Iterator[tuple[int, int]]:
    """Pairs (earlier, later) of texts that may be similar enough, in the order of the later.

    Texts that agree in a whole band of their values meet in a bucket, where each is paired with the first `LEADERS`.
    """
    texts = values.shape[1]
    width = _band_width(threshold)
    codes = [np.arange(0)]  # later * number of texts + earlier: sorts and weeds out in one go
    for first in range(0, HASHES - width + 1, width):
        keys = np.zeros(texts, dtype=np.uint64)
        for row in values[first : first + width]:
            keys *= np.uint64(0x9E3779B97F4A7C15)
            keys ^= keys >> np.uint64(29)
            keys += row
        codes += [later * texts + earlier for later, earlier in _meetings(keys)]
    codes = np.unique(np.concatenate(codes))
    error = 3 * (threshold * (1 - threshold) / HASHES) ** 0.5  # three standard deviations of the estimate
    for first in range(0, len(codes), block):
        later, earlier = np.divmod(codes[first : first + block], texts)
        estimates = np.mean(values[:, later] == values[:, earlier], axis=0)
        likely = estimates >= threshold - error
        yield from zip(earlier[likely].tolist(), later[likely].tolist(), strict=True)


def _meetings(keys: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(later, earlier): the texts of each key that several have, with the first, the second, … of them."""
    order = np.argsort(keys)
    keys = keys[order]
    same = np.zeros(len(keys) + 1, dtype=bool)  # as the one before
    same[1:-1] = keys[1:] == keys[:-1]
    shared = same[1:] | same[:-1]  # few: all that follows is short
    order, keys = order[shared], keys[shared]
    order = order[np.lexsort((order, keys))]
    texts = np.arange(len(order))
    first = np.maximum.accumulate(np.where(same[:-1][shared], 0, texts))
    for place in range(LEADERS):
        later = np.flatnonzero(first + place < texts)
        yield order[later], order[first[later] + place]


def _hashed_shingles(forms: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """The hash of every piece of every text, uint32, one after the other; and where each text's pieces start."""
    padded = [form.ljust(SHINGLE, "\0") for form in forms]
    characters = np.frombuffer("".join(padded).encode("utf-32-le", "surrogatepass"), dtype="<u4")
    hashes = np.zeros(len(characters), dtype=np.uint32)
    for place in range(SHINGLE):
        hashes *= np.uint32(0x01000193)
        hashes[: len(hashes) - place] += characters[place:]
    hashes ^= hashes >> np.uint32(16)
    hashes *= np.uint32(0x85EBCA6B)
    hashes ^= hashes >> np.uint32(13)
    lengths = np.array([len(form) for form in padded])
    inside = np.ones(len(characters), dtype=bool)
    for back in range(1, SHINGLE):
        inside[np.cumsum(lengths) - back] = False  # such a piece would run into the next text
    pieces = lengths - SHINGLE + 1
    return hashes[inside], np.cumsum(pieces) - pieces


def _band_width(threshold: float) -> int:
    """The widest band, hence the fewest needless pairs, that still misses few enough pairs at the threshold."""
    widths = range(2, 13)
    return max((n for n in widths if (1 - threshold**n) ** (HASHES // n) <= MISSED_AT_THRESHOLD), default=1)
