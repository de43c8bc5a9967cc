"""Find exact and near duplicates among texts.

A near duplicate is a text again, with a typo, a changed word or another end; texts that only share a template are not:

- Pieces are the shingles of 5 characters, ignoring URLs, case, punctuation and runs of blanks. The Jaccard index of two
  texts' pieces must reach the threshold.
- A passage of 20 characters that `SHARED` rows have (in a small file: more than half of the rows), or such a beginning
  or end of 15, is a template: an instruction, a context, a signature. It counts nothing, as in a weighted Jaccard index
  with the weights 0 and 1, so that what is the texts' own must be as similar.
- Neither do mistakes and numbers count there (see similar/templates.py): 2,000 copies of an advertisement with changing
  typos and numbers are one text.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from functools import lru_cache

import numpy as np

from utils.text.links import remove_urls
from utils.text.similar.minhash import HASHES, candidate_pairs, write_signatures
from utils.text.similar.own_similarity import own_similarity
from utils.text.similar.shingles import (
    Hashed,
    SharedPassages,
    blocks,
    hash_many,
    hash_rows,
    in_order,
    without_digits,
)
from utils.text.similar.templates import Templates, Text
from utils.text.words import bare_words

SHARED = 8  # rows with the same passage make it a template
SHARED_AT_LEAST = 5  # in a small file, where more than half of the rows do
ROWS_AT_ONCE = 8_000  # to hash, by one process
_LEVELS = 8  # each level of candidates ignores what so many times as many rows share as in the level below
_PATIENCE = 4  # comparisons of a row with texts of the same template that turn out to be different
_OWN_THRESHOLD = 0.6  # of the threshold, for candidates without their template, which may have typos in it
_OWN_PART = 0.5  # of a row; if more of it is its own, rows of the same template are not similar as a whole
_PAIRS_AHEAD = 1_000


def duplicated(keys: Sequence[Hashable]) -> np.ndarray:
    """Return True for every key that equals an earlier one; bool, shape (keys,)."""
    first: dict[Hashable, int] = {}
    return np.array([first.setdefault(key, row) != row for row, key in enumerate(keys)], dtype=bool)


def near_duplicates(
    texts: Sequence[str | Sequence[str]],
    threshold: float = 0.8,
    words: Sequence[str] | None = None,
    apart: Sequence[Hashable] | None = None,
    each: Callable = map,
) -> np.ndarray:
    """Return, for every text, the earlier kept one that it nearly repeats, or -1 if it is to be kept; shape (texts,).

    A text can be several parts, each of which must then be similar. Texts with different values in `apart` are never
    duplicates of each other. `words` are the texts' bare words, if known. `each` maps a function to chunks of rows,
    perhaps in other processes.

    MinHash and banding only propose pairs: they miss one in a thousand of the similarity `threshold` and hardly any
    above. At 0.8, of 2,111 tweets with a typo, a changed word, an added word or without their last 15%, these
    recognize .98, .84, .95 and 1.0. Shingles of 3 characters or of words recognize more, but also merge different
    short tweets.
    """
    if words is None:
        parts = ((text,) if isinstance(text, str) else text for text in texts)
        forms = [tuple(_comparable_form(part, bare_words(part)) for part in row) for row in parts]
    else:
        forms = [(_comparable_form(text, bare),) for text, bare in zip(texts, words, strict=True)]
    keys = list(zip(forms, apart, strict=True)) if apart is not None else forms
    first: dict[Hashable, int] = {}
    original = np.array([first.setdefault(key, row) for row, key in enumerate(keys)], dtype=np.int64)
    distinct = np.flatnonzero(original == np.arange(len(forms)))
    original[distinct] = -1
    del first, keys
    codes: dict[Hashable, int] = {}
    numbers = None if apart is None else np.array([codes.setdefault(apart[row], len(codes)) for row in distinct])
    for later, earlier in _near_pairs([forms[row] for row in distinct], numbers, threshold, each):
        original[distinct[later]] = distinct[earlier]
    # A copy of a near duplicate is a near duplicate of the same original.
    repeated = np.flatnonzero(original >= 0)
    earlier = original[repeated]
    original[repeated] = np.where(original[earlier] >= 0, original[earlier], earlier)
    return original


def _comparable_form(text: str, words: str) -> str:
    without_urls = remove_urls(text)
    return (words if without_urls == text else bare_words(without_urls)) or text


def _near_pairs(
    forms: list[tuple[str, ...]], apart: np.ndarray | None, threshold: float, each: Callable
) -> Iterator[tuple[int, int]]:
    """Yield (later, earlier) for every row of forms that nearly repeats an earlier one that repeats none."""
    later, earlier, is_whole, templates, places = _candidates(forms, apart, threshold, each)
    shingles = lru_cache(maxsize=4096)(lambda row: [frozenset(in_order(form)) for form in forms[row]])
    numberless = lru_cache(maxsize=4096)(lambda row: [frozenset(in_order(without_digits(form))) for form in forms[row]])
    texts: dict[int, list[Text]] = {}
    is_kept, tried = [True] * len(forms), Counter()
    pairs = list(zip(later.tolist(), earlier.tolist(), is_whole.tolist(), strict=True))
    for number, (row, other, whole) in enumerate(pairs):
        if not is_kept[row] or not is_kept[other] or (whole and tried[row] == _PATIENCE):
            continue
        sets = shingles
        if row in places and other in places:
            if row not in texts or other not in texts:
                # Those of many rows at once, since each takes a multiple of the time alone.
                ahead = [pair[:2] for pair in pairs[number : number + _PAIRS_AHEAD]]
                wanted = {one for pair in ahead if all(map(is_kept.__getitem__, pair)) for one in pair} & places.keys()
                texts = {one: texts[one] for one in wanted & texts.keys()}
                new = sorted(wanted - texts.keys())
                found = templates.texts([places[one] for one in new], [forms[one] for one in new])
                texts.update(zip(new, found, strict=True))
            both = list(zip(texts[row], texts[other], strict=True))
            if not all(one.template.isdisjoint(another.template) for one, another in both):
                sets = numberless
                all_sets = zip(sets(row), sets(other), strict=True)
                if any(own_similarity(*pair, each) < threshold for pair, each in zip(both, all_sets, strict=True)):
                    tried[row] += whole
                    continue
        if any(_jaccard(*pair) < threshold for pair in zip(sets(row), sets(other), strict=True)):
            continue
        is_kept[row] = False
        yield row, other


def _jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    common = len(one & other)
    return common / (len(one) + len(other) - common)


def _candidates(
    forms: list[tuple[str, ...]], apart: np.ndarray | None, threshold: float, each: Callable
) -> tuple[np.ndarray, np.ndarray, np.ndarray, Templates | None, dict[int, int]]:
    """Return pairs of rows that may be similar: later, earlier, and whether that is as a whole.

    Also the templates, and the numbers in them of the compared rows that have one. Where too many rows are similar as a
    whole to compare all, which may be by their template alone, the candidates are those that are similar without what
    many rows share, for several numbers of rows. The pairs are in the order of the later row; those found as a whole
    come last.
    """
    least = min(SHARED, max(SHARED_AT_LEAST, len(forms) // 2 + 1))
    values = np.empty((HASHES, len(forms)), dtype=np.uint32)
    passages = SharedPassages()
    chunks = list(blocks(len(forms), ROWS_AT_ONCE))
    for chunk, (signatures, sampled) in zip(chunks, each(_hash, [forms[chunk] for chunk in chunks]), strict=True):
        values[:, chunk] = signatures
        for block in sampled:
            passages.add(*block)
    later, earlier, crowded = candidate_pairs(values, apart, threshold)
    del values
    pairs = [(later, earlier, True)]
    templates, places = None, {}
    compared = np.concatenate([later, earlier, crowded])
    rows = passages.rows(least, compared)
    del passages
    if len(rows):
        hashed = hash_many([forms[row] for row in rows], digits=True)
        wanted = np.isin(rows, compared)
        templates = Templates(hashed, least, wanted)
        places = {row: number for number, row in enumerate(rows.tolist()) if wanted[number]}
        for chosen, values in _own_signatures(hashed, templates.shared, np.isin(rows, crowded), least):
            numbers = None if apart is None else apart[rows[chosen]]
            later, earlier, _ = candidate_pairs(values, numbers, _OWN_THRESHOLD * threshold)
            pairs.append((rows[chosen[later]], rows[chosen[earlier]], False))
    later, earlier = (np.concatenate([pair[side] for pair in pairs]) for side in (0, 1))
    is_whole = np.repeat([pair[2] for pair in pairs], [len(pair[0]) for pair in pairs])
    order = np.lexsort((earlier, is_whole, later))
    return later[order], earlier[order], is_whole[order], templates, places


def _hash(forms: Sequence[tuple[str, ...]]) -> tuple[np.ndarray, list[tuple[np.ndarray, np.ndarray, int]]]:
    """Return the MinHash values of some rows, and their passages for `SharedPassages`."""
    values, sampled = np.empty((HASHES, len(forms)), dtype=np.uint32), []
    for block in blocks(len(forms)):
        hashed = hash_rows(forms[block])
        write_signatures(hashed.hashes, hashed.starts, values[:, block])
        sampled.append((*hashed.sampled_passages(), len(hashed.counts)))
    return values, sampled


def _own_signatures(
    hashed: Hashed, shared: np.ndarray, is_wanted: np.ndarray, least: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield (wanted rows, MinHash values) of shingles that fewer than `least` rows share, then of more; no numbers."""
    before = np.zeros(len(hashed.counts), dtype=np.int64)
    while is_wanted.any() and least <= _LEVELS * shared.max():
        is_own = (shared < least) & ~hashed.has_digit
        counts = _count_by_row(is_own, hashed.starts)
        rows = np.flatnonzero(is_wanted & (counts > before) & (counts <= _OWN_PART * hashed.counts))
        chosen = is_own & np.repeat(np.isin(np.arange(len(counts)), rows), hashed.counts)
        hashes, counts_chosen = hashed.hashes[chosen], counts[rows]
        starts = np.cumsum(counts_chosen) - counts_chosen
        values = np.empty((HASHES, len(rows)), dtype=np.uint32)
        for block in blocks(len(rows)):
            end = starts[block.stop] if block.stop < len(rows) else len(hashes)
            first = starts[block.start]
            write_signatures(hashes[first:end], starts[block] - first, values[:, block])
        yield rows, values
        before, least = counts, least * _LEVELS


def _count_by_row(chosen: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Return how many shingles of each row are chosen; block by block, since `reduceat` makes eight bytes of each."""
    counts, ends = np.empty(len(starts), dtype=np.int64), np.append(starts[1:], len(chosen))
    for block in blocks(len(starts)):
        first, end = starts[block.start], ends[block.stop - 1]
        counts[block] = np.add.reduceat(chosen[first:end], starts[block] - first, dtype=np.int64)
    return counts
