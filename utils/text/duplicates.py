"""Find exact and near duplicates among texts, the latter by MinHash and banding, in numpy.

Broder 1997; Leskovec, Rajaraman and Ullman, "Mining of Massive Datasets", chapter 3.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np

from utils.text.links import remove_urls
from utils.text.words import bare_words, text_key

SHINGLE = 5  # characters
HASHES = 96  # MinHash values of each text
MISSED_AT_THRESHOLD = 1e-3  # the probability that a pair of exactly the threshold's similarity is not compared
LEADERS = 16  # of a bucket, with which its other texts are compared; bounds the time on thousands of similar texts


def duplicated(keys: Sequence[str]) -> np.ndarray:
    """Return True for every key that equals an earlier one; bool, shape (keys,)."""
    first: dict[str, int] = {}
    return np.array([first.setdefault(key, row) != row for row, key in enumerate(keys)], dtype=bool)


def exact_duplicates(texts: Sequence[str]) -> np.ndarray:
    """Return True for every text that equals an earlier one but for case, blanks and punctuation; bool, shape (texts,).

    A text of nothing but punctuation is compared unchanged.
    """
    return duplicated(list(map(text_key, texts)))


def near_duplicates(texts: Sequence[str], threshold: float = 0.8, words: Sequence[str] | None = None) -> np.ndarray:
    """Return True for every text that is almost the same as an earlier one that is kept; bool, shape (texts,).

    Similarity is the Jaccard index of the sets of 5-character shingles (a shorter text is one shingle), ignoring URLs,
    case, punctuation and runs of blanks. `words` are the texts' bare words, if known. Nothing below `threshold`
    (0 < threshold <= 1) is reported: MinHash and banding only propose pairs. They miss one in a thousand right at the
    threshold and hardly any above; more if thousands share a template.

    At 0.8, of 2,111 tweets with a typo, a changed word, an added word or without their last 15 %, these recognize .98,
    .84, .95 and 1.0. Shingles of 3 characters or of words recognize more, but also merge different short tweets.
    """
    words = map(bare_words, texts) if words is None else words
    forms = [_comparable_form(*each) for each in zip(texts, words, strict=True)]
    duplicate = duplicated(forms)
    distinct = np.flatnonzero(~duplicate)
    kept = [True] * len(distinct)
    shingles = lru_cache(maxsize=4096)(_shingles)
    for earlier, later in _candidate_pairs(_signatures([forms[row] for row in distinct]), threshold):
        if kept[earlier] and kept[later]:
            similarity = _jaccard(shingles(forms[distinct[earlier]]), shingles(forms[distinct[later]]))
            kept[later] = similarity < threshold
    duplicate[distinct] = ~np.array(kept, dtype=bool)
    return duplicate


def _comparable_form(text: str, words: str) -> str:
    without_urls = remove_urls(text)
    return (words if without_urls == text else bare_words(without_urls)) or text


def _shingles(form: str) -> frozenset[str]:
    return frozenset([form[start : start + SHINGLE] for start in range(max(1, len(form) - SHINGLE + 1))])


def _jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    common = len(one & other)
    return common / (len(one) + len(other) - common)


def _signatures(texts: Sequence[str], block: int = 1000) -> np.ndarray:
    """Return MinHash values, uint32, shape (HASHES, texts); by blocks of texts, so that their hashes fit the cache."""
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


def _hashed_shingles(forms: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return the hash of every shingle of every text, uint32, one after another, and where each text's hashes start."""
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
        inside[np.cumsum(lengths) - back] = False  # such a shingle would run into the next text
    shingles = lengths - SHINGLE + 1
    return hashes[inside], np.cumsum(shingles) - shingles


def _candidate_pairs(values: np.ndarray, threshold: float, block: int = 20_000) -> Iterator[tuple[int, int]]:
    """Yield pairs (earlier, later) of texts that may be similar enough, in the order of the later one.

    Texts that agree in a whole band of their values share a bucket, where each is paired with the first `LEADERS`.
    """
    texts = values.shape[1]
    width = _band_width(threshold)
    codes = [np.arange(0)]  # later * number of texts + earlier: sorting these also removes repeated pairs
    for first in range(0, HASHES - width + 1, width):
        keys = np.zeros(texts, dtype=np.uint64)
        for row in values[first : first + width]:
            keys *= np.uint64(0x9E3779B97F4A7C15)
            keys ^= keys >> np.uint64(29)
            keys += row
        codes += [later * texts + earlier for later, earlier in _pairs_in_buckets(keys)]
    codes = np.unique(np.concatenate(codes))
    error = 3 * (threshold * (1 - threshold) / HASHES) ** 0.5  # three standard deviations of the estimate
    for first in range(0, len(codes), block):
        later, earlier = np.divmod(codes[first : first + block], texts)
        estimates = np.mean(values[:, later] == values[:, earlier], axis=0)
        likely = estimates >= threshold - error
        yield from zip(earlier[likely].tolist(), later[likely].tolist(), strict=True)


def _band_width(threshold: float) -> int:
    """Return the widest band, which proposes the fewest needless pairs, that misses few enough at the threshold."""
    widths = range(2, 13)
    return max((n for n in widths if (1 - threshold**n) ** (HASHES // n) <= MISSED_AT_THRESHOLD), default=1)


def _pairs_in_buckets(keys: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield (later, earlier): the texts of each key that several have, with the first, the second, … of them."""
    order = np.argsort(keys)
    keys = keys[order]
    same = np.zeros(len(keys) + 1, dtype=bool)  # as the one before
    same[1:-1] = keys[1:] == keys[:-1]
    shared = same[1:] | same[:-1]  # few, so that the arrays below are short
    order, keys = order[shared], keys[shared]
    order = order[np.lexsort((order, keys))]
    texts = np.arange(len(order))
    first = np.maximum.accumulate(np.where(same[:-1][shared], 0, texts))
    for place in range(LEADERS):
        later = np.flatnonzero(first + place < texts)
        yield order[later], order[first[later] + place]
