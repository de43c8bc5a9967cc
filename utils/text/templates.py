"""Templates: passages that many rows share; and what a text has of its own besides its template.

A passage that stands in place of what most rows have that share the text around it is a mistake of this row: a typo, a
changed or an added word. What fills a template has no such counterpart, and is the text's own.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise, starmap

import numpy as np

from utils.text.shingles import PASSAGE, SHINGLE, STEPS, Hashed, at_least, blocks, in_order

LONGEST_MISTAKE, LONGEST_AT_END = 16, 10  # letters of a mistake, of one with which a text starts or ends
MISTAKEN = 1 / 16  # of the rows of a template can make the same mistake
AT_ONCE = 2**20  # passages; a million tweets can share 50 million
_CONTEXT = PASSAGE - SHINGLE  # characters beside what is the same in most rows
_CONTEXT_STEPS = _CONTEXT - SHINGLE + 1  # shingles of a context


@dataclass(frozen=True)
class Text:
    """The shingles of a text but for numbers. Many rows share those of the template and the variants."""

    template: set[str]  # of more than half of the rows that share the template
    variants: set[str]  # of fewer rows
    own: dict[str, int]  # all others, and their places
    mistakes: set[str]
    times: dict[str, int]  # how often the text has a shingle, if that is more than once


class Templates:
    """The templates of some rows, which are passages of at least so many of them."""

    def __init__(self, hashed: Hashed, least: int):
        self._hashes, self._has_digit = hashed.hashes, hashed.has_digit
        passages, does = hashed.passages()
        places, rows = _rows_of_passages(hashed, passages, at_least(passages, least, does), least)
        del passages, does  # like all arrays of this length, these are large
        self._usual_after = _most(_contexts(self._hashes, places), rows)
        self._usual_before = _most(_contexts(self._hashes, places + SHINGLE), rows)
        self.shared = np.zeros(len(self._hashes), dtype=np.uint32)  # rows that share a passage around each shingle
        self.shared[places] = rows
        _spread(self.shared)
        self._add_beginnings_and_ends(hashed, least)
        self._most_of_shingle = _most_of_shingle(self._hashes, self.shared)

    def _add_beginnings_and_ends(self, hashed: Hashed, least: int) -> None:
        """Count the rows that share the beginning or the end of a text, which may be shorter than a passage."""
        long = hashed.text_counts >= _CONTEXT_STEPS
        ends = np.cumsum(hashed.text_counts)
        for starts in ((ends - hashed.text_counts)[long], (ends - _CONTEXT_STEPS)[long]):
            _, which, numbers = np.unique(_contexts(self._hashes, starts), return_inverse=True, return_counts=True)
            numbers = numbers[which].astype(np.uint32)
            starts, numbers = starts[numbers >= least], numbers[numbers >= least]
            for step in range(_CONTEXT_STEPS):
                self.shared[starts + step] = np.maximum(self.shared[starts + step], numbers)

    def texts(self, places: Sequence[int], rows: Sequence[Sequence[str]]) -> list[list[Text]]:
        """Return the texts of rows whose shingles start at these places."""
        shingles = [in_order(form) for forms in rows for form in forms]
        lengths = np.array(list(map(len, shingles)))
        ends = np.cumsum(lengths)
        parts = np.array(list(map(len, rows)))
        first = np.cumsum(parts) - parts
        # How much further away in the arrays of all rows these shingles are
        offsets = np.repeat(np.asarray(places) - (ends - lengths)[first], np.add.reduceat(lengths, first))
        where = np.arange(ends[-1]) + offsets
        shared, has_digit = self.shared[where].astype(np.int64), self._has_digit[where]
        usual = _medians(shared, lengths)
        is_mistake = self._mistakes(self._hashes[where], shared, lengths, usual)
        counts, is_template = ~is_mistake & ~has_digit, 2 * shared > np.repeat(usual, lengths)
        kinds = (counts & is_template, counts & ~is_template & (shared > 0), counts & (shared == 0), is_mistake)
        places_of_kinds = [_by_text(kind, ends) for kind in kinds]
        texts = iter(list(starmap(_text, zip(shingles, *places_of_kinds, strict=True))))
        return [list(islice(texts, count)) for count in parts.tolist()]

    def _mistakes(self, hashes: np.ndarray, shared: np.ndarray, lengths: np.ndarray, usual: np.ndarray) -> np.ndarray:
        """Return which shingles of some texts are mistakes; `usual` is how many rows share most of each text.

        In place of a mistake, most rows that share the text before or after it have the same other shingles.
        """
        starts, ends, text_start, text_end = _runs(
            [shared == 0, shared <= np.repeat(MISTAKEN * usual, lengths)], lengths
        )
        usual = np.zeros(len(starts), dtype=np.int64)
        before, after = starts + SHINGLE - 1 - _CONTEXT, ends + _CONTEXT_STEPS
        for runs, around, beside, end, table in (
            (np.flatnonzero(before >= text_start), before, starts - 1, starts, self._usual_after),
            (np.flatnonzero(after <= text_end), ends, ends, ends - 1, self._usual_before),
        ):
            around, beside, end = around[runs], shared[beside[runs]], shared[end[runs]]
            others = _look_up(table, _contexts(hashes, around))
            most = shared[around[:, None] + np.arange(_CONTEXT_STEPS)].max(axis=1, initial=0)
            is_usual = (2 * np.minimum(others, beside) > most) & (most >= end / MISTAKEN)
            usual[runs[is_usual]] = np.maximum(usual[runs[is_usual]], beside[is_usual])
        found = np.zeros(len(shared), dtype=bool)
        starts, ends, text_start, text_end, usual = (
            column[usual > 0] for column in (starts, ends, text_start, text_end, usual)
        )
        if not len(starts):
            return found
        places, first = _ranges(starts, ends)
        is_usual = 2 * _look_up(self._most_of_shingle, hashes[places]) > np.repeat(usual, ends - starts)
        last = first + ends - starts - 1
        goes_back = ((starts > text_start) | is_usual[first]) & ((ends < text_end) | is_usual[last])
        letters = np.add.reduceat(~is_usual, first, dtype=np.int64) - (SHINGLE - 1) * goes_back
        is_mistake = letters <= np.where(goes_back, LONGEST_MISTAKE, LONGEST_AT_END)
        found[places[np.repeat(is_mistake, ends - starts)]] = True
        return found


def _text(shingles: list[str], template: list[int], variants: list[int], own: list[int], mistakes: list[int]) -> Text:
    """Return a text; all but its shingles are places of these."""
    times = Counter(shingles) if len(set(shingles)) < len(shingles) else {}
    return Text(
        template={shingles[place] for place in template},
        variants={shingles[place] for place in variants},
        own={shingles[place]: place for place in own},
        mistakes={shingles[place] for place in mistakes},
        times={shingle: number for shingle, number in times.items() if number > 1},
    )


def _medians(shared: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Return the median of the numbers above 0 of each text, or 0; of two in the middle, the lower one."""
    text, present = np.repeat(np.arange(len(lengths)), lengths), shared > 0
    ordered = shared[present][np.lexsort((shared[present], text[present]))]
    counts = np.bincount(text[present], minlength=len(lengths))
    medians = np.zeros(len(lengths), dtype=np.int64)
    middle = np.cumsum(counts) - counts + (counts - 1) // 2
    medians[counts > 0] = ordered[middle[counts > 0]]
    return medians


def _by_text(chosen: np.ndarray, ends: np.ndarray) -> list[list[int]]:
    """Return the chosen places of each text, counted from its start."""
    places = np.flatnonzero(chosen)
    text = np.searchsorted(ends, places, "right")
    starts = np.append(0, ends[:-1])
    bounds = np.searchsorted(text, np.arange(len(ends) + 1)).tolist()
    places = (places - starts[text]).tolist()
    return [places[first:last] for first, last in pairwise(bounds)]


def _runs(masks: Sequence[np.ndarray], lengths: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return where each run of true values in some texts starts and ends, and where its text does."""
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


def _rows_of_passages(
    hashed: Hashed, passages: np.ndarray, places: np.ndarray, least: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the places of passages that enough rows have, and in how many rows each is; uint32."""
    starts, found = hashed.starts, []
    for part in _parts(passages[places]):
        of_part = places[part]
        codes = passages[of_part].astype(np.uint64) << np.uint64(32) | of_part.astype(np.uint64)
        codes.sort()
        of_part, hashes = (codes & np.uint64(2**32 - 1)).astype(np.int64), codes >> np.uint64(32)
        row = np.searchsorted(starts, of_part, "right")
        is_first, is_new_row = np.ones((2, len(codes)), dtype=bool)
        is_first[1:] = hashes[1:] != hashes[:-1]
        is_new_row[1:] = is_first[1:] | (row[1:] != row[:-1])
        first = np.flatnonzero(is_first)
        rows = np.add.reduceat(is_new_row, first, dtype=np.uint32)
        rows = np.repeat(rows, np.diff(np.append(first, len(codes))))
        found.append((of_part[rows >= least], rows[rows >= least]))
    return _joined(found, np.int64)


def _parts(values: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the places of values in ascending ranges: sorting takes much memory, and only for one range at a time."""
    shift = values.dtype.type(8 * values.itemsize - 4)
    ranges = np.empty(len(values), dtype=np.uint8)
    np.right_shift(values, shift, out=ranges, casting="unsafe")
    for part in range(16):
        if len(places := np.flatnonzero(ranges == part)):
            yield places


def _joined(parts: list[tuple[np.ndarray, np.ndarray]], dtype: type) -> tuple[np.ndarray, np.ndarray]:
    """Return the arrays of all parts, one after another: those of `dtype`, and numbers of rows."""
    if not parts:
        return np.zeros(0, dtype), np.zeros(0, np.uint32)
    return tuple(np.concatenate([part[side] for part in parts]) for side in (0, 1))


def _contexts(hashes: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Return the hashes of the contexts that start with these shingles; they must be whole."""
    contexts = np.empty(len(starts), dtype=np.uint64)
    for block in blocks(len(starts), AT_ONCE):
        some = contexts[block]
        some[:] = hashes[starts[block]]
        for place in range(SHINGLE, _CONTEXT, SHINGLE):
            some *= np.uint64(0x9E3779B97F4A7C15)
            some ^= hashes[starts[block] + place]
    return contexts


def _most(contexts: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct contexts, sorted, and for each the rows that go on in the most usual way."""
    found = []
    for part in _parts(contexts):
        part = part[np.argsort(contexts[part])]
        some = contexts[part]
        first = np.flatnonzero(np.append(True, some[1:] != some[:-1]))
        found.append((some[first], np.maximum.reduceat(rows[part], first)))
    return _joined(found, np.uint64)


def _most_of_shingle(hashes: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return what `_most` does, of those that rows share; that both are 32 bits long saves time and memory."""
    found = []
    for part in _parts(hashes):
        part = part[rows[part] > 0]
        codes = hashes[part].astype(np.uint64)
        codes <<= np.uint64(32)
        codes |= rows[part]
        codes.sort()
        some = (codes >> np.uint64(32)).astype(np.uint32)
        last = np.flatnonzero(np.append(some[1:] != some[:-1], True)[: len(some)])
        found.append((some[last], codes[last].astype(np.uint32)))
    return _joined(found, np.uint32)


def _look_up(table: tuple[np.ndarray, np.ndarray], wanted: np.ndarray) -> np.ndarray:
    """Return the rows of each wanted hash, or 0."""
    hashes, rows = table
    if not len(hashes) or not len(wanted):
        return np.zeros(len(wanted), dtype=np.int64)
    place = np.minimum(np.searchsorted(hashes, wanted), len(hashes) - 1)
    return np.where(hashes[place] == wanted, rows[place], 0).astype(np.int64)


def _spread(rows: np.ndarray) -> None:
    """Give every shingle of a passage its number of rows, or the largest if it is in several passages."""
    width = 1
    while width < STEPS:
        step = min(width, STEPS - width)
        rows[step:] = np.maximum(rows[step:], rows[:-step])
        width += step
