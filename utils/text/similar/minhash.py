"""MinHash and banding in numpy: which rows may have many pieces (hashes) in common.

Broder 1997; Leskovec, Rajaraman and Ullman, "Mining of Massive Datasets", chapter 3.
"""

from collections.abc import Iterator

import numpy as np

from utils.text.similar.shingles import among

HASHES = 96  # MinHash values of each row
MISSED_AT_THRESHOLD = 1e-3  # the probability that a pair of exactly the threshold's similarity is not compared
LEADERS = 16  # of a bucket, with which its other rows are compared; bounds the time on thousands of similar rows
_RANDOM = np.random.default_rng(0)
_OFFSETS = _RANDOM.integers(2**32, size=HASHES, dtype=np.uint32)
_FACTORS = _RANDOM.integers(2**32, size=HASHES, dtype=np.uint32) | np.uint32(1)  # odd: each is a permutation


def write_signatures(hashes: np.ndarray, starts: np.ndarray, values: np.ndarray) -> None:
    """Write the MinHash values of rows, uint32, shape (HASHES, rows), whose hashes start at `starts`.

    A thousand rows at a time are best, so that their hashes fit the processor's cache.
    """
    permuted = np.empty_like(hashes)
    for row, offset, factor in zip(values, _OFFSETS, _FACTORS, strict=True):
        np.bitwise_xor(hashes, offset, out=permuted)
        np.multiply(permuted, factor, out=permuted)
        np.minimum.reduceat(permuted, starts, out=row)


def candidate_pairs(
    values: np.ndarray, apart: np.ndarray | None, threshold: float, block: int = 20_000
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (later, earlier), pairs of rows that may be similar enough, and the rows with omitted pairs.

    Rows that agree in a whole band of their values share a bucket, where each is paired with the first `LEADERS`. Rows
    with different numbers in `apart` share none.
    """
    rows = values.shape[1]
    width = _band_width(threshold)
    crowded = np.zeros(rows, dtype=bool)
    codes = [np.arange(0)]  # later * number of rows + earlier
    for first in range(0, HASHES - width + 1, width):
        keys = np.zeros(rows, dtype=np.uint64) if apart is None else apart.astype(np.uint64)
        for row in values[first : first + width]:
            keys *= np.uint64(0x9E3779B97F4A7C15)
            keys ^= keys >> np.uint64(29)
            keys += row
        for later, earlier in _pairs_in_buckets(keys, crowded):
            codes.append(later * rows + earlier)
    codes = np.sort(np.concatenate(codes))
    codes = codes[np.append(True, codes[1:] != codes[:-1])[: len(codes)]]  # much faster than np.unique
    error = 3 * (threshold * (1 - threshold) / HASHES) ** 0.5  # three standard deviations of the estimate
    likely = np.ones(len(codes), dtype=bool)
    for first in range(0, len(codes), block):
        later, earlier = np.divmod(codes[first : first + block], rows)
        estimates = np.mean(values[:, later] == values[:, earlier], axis=0)
        likely[first : first + block] = estimates >= threshold - error
    return *np.divmod(codes[likely], max(1, rows)), np.flatnonzero(crowded)


def _band_width(threshold: float) -> int:
    """Return the widest band, which proposes the fewest needless pairs, that misses few enough at the threshold."""
    widths = range(2, 13)
    return max((n for n in widths if (1 - threshold**n) ** (HASHES // n) <= MISSED_AT_THRESHOLD), default=1)


def _pairs_in_buckets(keys: np.ndarray, crowded: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield (later, earlier): the rows of each key that several have, with the first, the second, … of them.

    Set `crowded` for the rows of a key that too many have for all of their pairs.
    """
    # Most rows share their key with no other. To sort the keys alone and to look up which of them occur again takes a
    # third of the time of sorting all rows by their keys.
    ordered = np.sort(keys)
    again = among(keys, ordered[1:][ordered[1:] == ordered[:-1]])
    order = again[np.argsort(keys[again])]
    keys = keys[order]
    same = np.zeros(len(keys) + 1, dtype=bool)  # as the one before
    same[1:-1] = keys[1:] == keys[:-1]
    shared = same[1:] | same[:-1]  # few, so that the arrays below are short
    order, keys = order[shared], keys[shared]
    order = order[np.lexsort((order, keys))]
    rows = np.arange(len(order))
    first = np.maximum.accumulate(np.where(same[:-1][shared], 0, rows))
    late = rows - first > LEADERS
    crowded[order[late]] = crowded[order[first[late] + np.arange(LEADERS + 1)[:, None]]] = True
    for place in range(LEADERS):
        later = np.flatnonzero(first + place < rows)
        yield order[later], order[first[later] + place]
