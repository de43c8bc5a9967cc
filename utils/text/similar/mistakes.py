"""Find shingles that are mistakes: most rows that share the text beside them have others in their place."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from utils.text.similar.shared_passages import CONTEXT, CONTEXT_STEPS, contexts
from utils.text.similar.shingles import AT_ONCE, BITS, SHINGLE, Hashed, among, blocks

LONGEST_MISTAKE, LONGEST_AT_END = 16, 10  # letters of a mistake, of one with which a text starts or ends
MISTAKEN = 1 / 16  # of the rows of a template can make the same mistake
_TEXTS_AT_ONCE = 20_000


class WantedTexts:
    """The shingles of the texts of some rows, one after another."""

    def __init__(self, hashed: Hashed, shared: np.ndarray, wanted: np.ndarray):
        chosen = np.repeat(wanted, hashed.counts)
        self.hashes, self.shared, self.has_digit = hashed.hashes[chosen], shared[chosen], hashed.has_digit[chosen]
        self.lengths = hashed.text_counts[chosen[np.cumsum(hashed.text_counts) - hashed.text_counts]]
        self._rows, counts = np.flatnonzero(wanted), hashed.counts[wanted]
        self._starts = np.cumsum(counts) - counts

    def starts_of(self, rows: Sequence[int]) -> np.ndarray:
        """Return the starts of the shingles of these rows."""
        return self._starts[np.searchsorted(self._rows, rows)]


def mistakes(
    texts: WantedTexts, hashed: Hashed, shared: np.ndarray, passages: tuple[np.ndarray, np.ndarray]
) -> np.ndarray:
    """Return which shingles of the texts are mistakes, bool; `shared` and the counted `passages` are of all rows."""
    found = np.zeros(len(texts.hashes), dtype=bool)
    starts, ends, text_start, text_end = _runs_of_texts(texts)
    usual = np.zeros(len(starts), dtype=np.int64)  # how many rows share the text beside a run that have something else
    before, after = starts + SHINGLE - 1 - CONTEXT, ends + CONTEXT_STEPS
    for runs, around, beside, end, offset in (
        (np.flatnonzero(before >= text_start), before, starts - 1, starts, 0),
        (np.flatnonzero(after <= text_end), ends, ends, ends - 1, SHINGLE),
    ):
        around, beside, end = (around[runs], *(texts.shared[places[runs]].astype(np.int64) for places in (beside, end)))
        most = texts.shared[around[:, None] + np.arange(CONTEXT_STEPS)].max(axis=1, initial=0)
        likely = (2 * beside > most) & (most >= end / MISTAKEN)
        runs, around, beside, most = runs[likely], around[likely], beside[likely], most[likely]
        wanted = contexts(texts.hashes, around)
        others = _most_after(wanted, texts.hashes[around], hashed.hashes, passages, offset)
        is_usual = 2 * others > most
        usual[runs[is_usual]] = np.maximum(usual[runs[is_usual]], beside[is_usual])
    starts, ends, text_start, text_end, usual = (
        column[usual > 0] for column in (starts, ends, text_start, text_end, usual)
    )
    if not len(starts):
        return found
    places, first = _ranges(starts, ends)
    is_usual = 2 * _most_of_shingle(texts.hashes[places], hashed.hashes, shared) > np.repeat(usual, ends - starts)
    last = first + ends - starts - 1
    goes_back = ((starts > text_start) | is_usual[first]) & ((ends < text_end) | is_usual[last])
    letters = np.add.reduceat(~is_usual, first, dtype=np.int64) - (SHINGLE - 1) * goes_back
    is_mistake = letters <= np.where(goes_back, LONGEST_MISTAKE, LONGEST_AT_END)
    found[places[np.repeat(is_mistake, ends - starts)]] = True
    return found


def medians(shared: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Return the median of the numbers above 0 of each text, or 0; of two in the middle, the lower one."""
    text, present = np.repeat(np.arange(len(lengths)), lengths), shared > 0
    ordered = shared[present][np.lexsort((shared[present], text[present]))]
    counts = np.bincount(text[present], minlength=len(lengths))
    found = np.zeros(len(lengths), dtype=np.int64)
    middle = np.cumsum(counts) - counts + (counts - 1) // 2
    found[counts > 0] = ordered[middle[counts > 0]]
    return found


def _runs_of_texts(texts: WantedTexts) -> tuple[np.ndarray, ...]:
    """Return the `_runs` of shingles that no row shares, or far fewer rows than most of the text."""
    found, start = [], 0
    for block in blocks(len(texts.lengths), _TEXTS_AT_ONCE):
        lengths = texts.lengths[block]
        shared = texts.shared[start : start + lengths.sum()].astype(np.int64)
        limits = np.repeat(MISTAKEN * medians(shared, lengths), lengths)
        found.append([start + column for column in _runs([shared == 0, shared <= limits], lengths)])
        start += len(shared)
    return tuple(map(np.concatenate, zip(*found, strict=True)))


def _runs(masks: Sequence[np.ndarray], lengths: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return the start and end of each run of true values in some texts, and of its text."""
    text_ends = np.cumsum(lengths)
    starts, ends = [], []
    for mask in masks:
        starts_text, ends_text = np.zeros((2, len(mask)), dtype=bool)
        starts_text[text_ends - lengths] = ends_text[text_ends - 1] = True
        starts.append(np.flatnonzero(mask & (starts_text | ~np.roll(mask, 1))))
        ends.append(np.flatnonzero(mask & (ends_text | ~np.roll(mask, -1))) + 1)
    starts, ends = np.concatenate(starts), np.concatenate(ends)
    text = np.searchsorted(text_ends, starts, "right")
    return starts, ends, (text_ends - lengths)[text], text_ends[text]


def _ranges(starts: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the places of all ranges, one after another, and where in these each range begins."""
    lengths = ends - starts
    first = np.cumsum(lengths) - lengths
    return np.repeat(starts - first, lengths) + np.arange(lengths.sum()), first


def _most_after(wanted: np.ndarray, firsts: np.ndarray, hashes: np.ndarray, passages: tuple, offset: int) -> np.ndarray:
    """Return the largest count of a passage that has each wanted context so many shingles after its start, or 0.

    `firsts` are the contexts' first shingles, which most passages do not have there.
    """

    def pieces() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for block in blocks(len(passages[0]), AT_ONCE):
            places, counts = (column[block] for column in passages)
            chosen = among(hashes[places + offset], firsts)
            yield contexts(hashes, places[chosen] + offset), counts[chosen]

    return _largest(wanted, pieces())


def _most_of_shingle(wanted: np.ndarray, hashes: np.ndarray, shared: np.ndarray) -> np.ndarray:
    """Return the largest number of rows that share one of the places where each wanted shingle is, or 0."""
    return _largest(wanted, ((hashes[block], shared[block]) for block in blocks(len(hashes), AT_ONCE)))


def _largest(wanted: np.ndarray, pieces: Iterable[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Return the largest value of each wanted hash, or 0; a piece is hashes, and their values."""
    distinct, which = np.unique(wanted, return_inverse=True)
    shift = distinct.dtype.type(8 * distinct.itemsize - BITS)
    alike = np.bincount((distinct >> shift).astype(np.intp), minlength=2**BITS)  # hashes that start like this
    starts, most = (np.cumsum(alike) - alike).astype(np.int32), int(alike.max())
    padded = np.append(distinct, np.repeat(distinct[-1:], most))
    largest = np.zeros(len(padded), dtype=np.uint32)  # like the values: `maximum.at` is fast for equal types
    for hashes, values in pieces:
        place = starts[hashes >> shift]
        for _ in range(most):
            same = np.flatnonzero(padded[place] == hashes)
            np.maximum.at(largest, place[same].astype(np.intp), values[same])
            place += 1
    return largest[which].astype(np.int64)
