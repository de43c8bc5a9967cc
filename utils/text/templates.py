"""Templates: passages that many rows share; and what a text has of its own besides its template.

A passage that stands in place of what most rows have that share the text around it is a mistake of this row: a typo, a
changed or an added word. What fills a template has no such counterpart, and is the text's own.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

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

    def texts(self, start: int, forms: Sequence[str]) -> Iterator[Text]:
        """Yield the texts of the row whose shingles start there."""
        for form in forms:
            shingles = in_order(form)
            yield self._text(shingles, slice(start, start + len(shingles)))
            start += len(shingles)

    def _text(self, shingles: list[str], where: slice) -> Text:
        rows, hashes = self.shared[where], self._hashes[where]
        shared = np.sort(rows[rows > 0])
        usual = int(shared[(len(shared) - 1) // 2]) if len(shared) else 0
        numbers, around = rows.tolist(), _contexts(hashes, np.arange(len(hashes) - _CONTEXT + SHINGLE))
        is_mistake = np.zeros(len(rows), dtype=bool)
        for start, end in {*_runs(rows == 0), *_runs(rows <= MISTAKEN * usual)}:
            is_mistake[start:end] |= self._is_mistake(start, end, numbers, hashes, around)
        counts = ~is_mistake & ~self._has_digit[where]
        is_template = 2 * rows > usual
        is_own = counts & (rows == 0)
        times = Counter(shingles) if len(set(shingles)) < len(shingles) else {}
        return Text(
            template=_chosen(shingles, counts & is_template),
            variants=_chosen(shingles, counts & ~is_template & (rows > 0)),
            own={shingles[place]: place for place in np.flatnonzero(is_own).tolist()},
            mistakes=_chosen(shingles, is_mistake),
            times={shingle: number for shingle, number in times.items() if number > 1},
        )

    def _is_mistake(self, start: int, end: int, rows: list[int], hashes: np.ndarray, around: np.ndarray) -> bool:
        """Whether most rows that share the text before or after these shingles have the same others in their place."""
        usual = 0
        if start > 0 and (before := start + SHINGLE - 1 - _CONTEXT) >= 0:
            others = _look_up(self._usual_after, around[before : before + 1])
            if 2 * min(others[0], rows[start - 1]) > max(rows[before:start]) >= rows[start] / MISTAKEN:
                usual = rows[start - 1]
        if end < len(around):
            others = _look_up(self._usual_before, around[end : end + 1])
            if 2 * min(others[0], rows[end]) > max(rows[end : end + _CONTEXT_STEPS]) >= rows[end - 1] / MISTAKEN:
                usual = max(usual, rows[end])
        if not usual:
            return False
        is_usual = 2 * _look_up(self._most_of_shingle, hashes[start:end]) > usual
        goes_back = (start > 0 or is_usual[0]) and (end < len(rows) or is_usual[-1])
        letters = np.count_nonzero(~is_usual) - (SHINGLE - 1) * goes_back
        return letters <= (LONGEST_MISTAKE if goes_back else LONGEST_AT_END)


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


def _runs(chosen: np.ndarray) -> Iterator[tuple[int, int]]:
    """Return where each run of true values starts and ends."""
    around = np.zeros(len(chosen) + 2, dtype=bool)
    around[1:-1] = chosen
    edges = np.flatnonzero(around[1:] != around[:-1]).tolist()
    return zip(edges[::2], edges[1::2], strict=True)


def _chosen(shingles: list[str], chosen: np.ndarray) -> set[str]:
    return {shingles[place] for place in np.flatnonzero(chosen).tolist()}
