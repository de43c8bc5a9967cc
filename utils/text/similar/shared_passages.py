"""The number of rows that share each passage, and the passages around each shingle."""

from collections.abc import Iterator

import numpy as np

from utils.text.similar.shingles import AT_ONCE, PASSAGE, SHINGLE, STEPS, Hashed, at_least, blocks

CONTEXT = PASSAGE - SHINGLE  # characters beside what is the same in most rows
CONTEXT_STEPS = CONTEXT - SHINGLE + 1  # shingles of a context


def count_passages(hashed: Hashed, least: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the places of passages that at least so many rows have, and in how many rows each is; uint32."""
    passages, does = hashed.passages()
    places = at_least(passages, least, does)
    passages = passages[places]
    row_of = np.searchsorted(hashed.starts, places, "right").astype(np.uint32)  # fast, since they are in order
    counts = np.zeros(len(places), dtype=np.uint32)
    for part in _parts(passages):
        codes = passages[part].astype(np.uint64) << np.uint64(32) | part
        codes.sort()
        hashes = (codes >> np.uint64(32)).astype(np.uint32)
        first = np.flatnonzero(np.append(True, hashes[1:] != hashes[:-1])[: len(hashes)])
        times = np.diff(np.append(first, len(hashes)))
        part = (codes & np.uint64(2**32 - 1)).astype(np.intp)
        row = row_of[part]
        is_new_row = np.append(True, row[1:] != row[:-1])[: len(row)]
        is_new_row[first] = True
        if len(part):
            counts[part] = np.repeat(np.add.reduceat(is_new_row, first, dtype=np.uint32), times)
    return places[counts >= least], counts[counts >= least]


def shared_by_shingle(places: np.ndarray, counts: np.ndarray, hashed: Hashed, least: int) -> np.ndarray:
    """Return how many rows share a passage around each shingle, or a beginning or an end of 15 characters; uint32."""
    shared = np.zeros(len(hashed.hashes), dtype=np.uint32)
    shared[places] = counts
    width = 1
    while width < STEPS:  # the largest number if a shingle is in several passages
        step = min(width, STEPS - width)
        for block in reversed(list(blocks(len(shared) - step, AT_ONCE))):
            after = shared[block.start + step : block.stop + step]
            np.maximum(after, shared[block], out=after)
        width += step
    long = hashed.text_counts >= CONTEXT_STEPS
    ends = np.cumsum(hashed.text_counts)
    for starts in ((ends - hashed.text_counts)[long], (ends - CONTEXT_STEPS)[long]):
        _, which, numbers = np.unique(contexts(hashed.hashes, starts), return_inverse=True, return_counts=True)
        numbers = numbers[which].astype(np.uint32)
        starts, numbers = starts[numbers >= least], numbers[numbers >= least]
        for step in range(CONTEXT_STEPS):
            shared[starts + step] = np.maximum(shared[starts + step], numbers)
    return shared


def contexts(hashes: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Return the hashes of the contexts that start with these shingles, uint64; they must be whole."""
    found = np.empty(len(starts), dtype=np.uint64)
    for block in blocks(len(starts), AT_ONCE):
        some = found[block]
        some[:] = hashes[starts[block]]
        for place in range(SHINGLE, CONTEXT, SHINGLE):
            some *= np.uint64(0x9E3779B97F4A7C15)
            some ^= hashes[starts[block] + place]
    return found


def _parts(hashes: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the places, uint64, of hashes in ranges: sorting takes much memory, and only for one range at a time."""
    bits = max(0, len(hashes).bit_length() - 22)
    if not bits:
        yield np.arange(len(hashes), dtype=np.uint64)
        return
    ranges = np.empty(len(hashes), dtype=np.uint16)
    np.right_shift(hashes, np.uint32(32 - bits), out=ranges, casting="unsafe")
    for part in range(2**bits):
        yield np.flatnonzero(ranges == part).astype(np.uint64)
