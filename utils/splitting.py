"""What keeps a test split honest: duplicates and near duplicates found, and groups of rows kept on one side."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

import numpy as np

from utils.cleaning import remove_urls
from utils.words import bare_words, text_key

SHINGLE = 5  # characters
HASHES = 96  # MinHash values of each text
MISSED_AT_THRESHOLD = 1e-3  # the chance that a pair of exactly the threshold's similarity is not looked at
LEADERS = (
    16  # with how many texts of a bucket the others are compared, which bounds the time on thousands of look-alikes
)


def exact_duplicates(texts: Sequence[str]) -> np.ndarray:
    """True for every text that an earlier one equals but for case, blanks and punctuation; bool, shape (texts,).

    A text of nothing but punctuation is compared as it is.
    """
    return repeated([text_key(text) for text in texts])


def near_duplicates(texts: Sequence[str], threshold: float = 0.8, words: Sequence[str] | None = None) -> np.ndarray:
    """True for every text that is almost the same as an earlier one that is kept; bool, shape (texts,).

    Similarity is the Jaccard index of the sets of 5-character pieces (a shorter text is one piece), ignoring links,
    case, punctuation and runs of blanks. Nothing below `threshold` (0 < threshold <= 1) is reported: MinHash and
    banding (Broder 1997; Leskovec, Rajaraman and Ullman, "Mining of Massive Datasets", chapter 3) only propose pairs.
    They miss one in a thousand right at the threshold and hardly any above; more where thousands share a template.

    Of 2,111 tweets of at least 8 words, at 0.8, these shares are recognised after
    a typo / a changed word / an added word / cutting the last 15 %:
    5 characters with blanks .98 .84 .95 1.0, without .96 .76 .90 .98, 3 characters without 1.0 .87 .97 .99,
    words .97 .97 1.0 .77, pairs of words .72 .72 .86 .69. Words and 3 characters also merge different short tweets,
    such as "Thank you . So true!" and "Thank you David, so true!"; 5 characters merged only "Congratulations !" and
    "Congratulations to !", and texts that differ in one digit.
    """
    words = map(bare_words, texts) if words is None else words
    forms = [_compared_by(*each) for each in zip(texts, words, strict=True)]
    duplicate = repeated(forms)
    left = np.flatnonzero(~duplicate)
    kept = [True] * len(left)
    shingles = lru_cache(maxsize=4096)(_shingles)
    for earlier, later in _candidate_pairs(_signatures([forms[row] for row in left]), threshold):
        if kept[earlier] and kept[later]:
            similarity = _jaccard(shingles(forms[left[earlier]]), shingles(forms[left[later]]))
            kept[later] = similarity < threshold
    duplicate[left] = ~np.array(kept, dtype=bool)
    return duplicate


def split_by_group(
    groups: Sequence[str], shares: Sequence[float], seed: int, labels: Sequence[str | None] | None = None
) -> list[np.ndarray]:
    """Row numbers of each split, sorted; rows of one group stay together, and every label gets its shares.

    Groups come in an order drawn with `seed`, and each goes to the split that lacks the most rows of its label, so that
    a split misses its share of a label by less than the largest group. A group of several labels counts each by its
    part of that label's rows. Groups too large for the smallest split come first, to land where there is room. Every
    split with a share gets at least one group of each label, whatever its share, the larger shares first where there
    are fewer groups than splits (of two rows under .8/.1/.1 one trains, one validates and none tests); only where
    groups hold several labels can it miss one.
    """
    labels = [None] * len(groups) if labels is None else list(labels)
    members: dict[str, list[int]] = {}
    for row, group in enumerate(groups):
        members.setdefault(group, []).append(row)
    lists = list(members.values())
    parts = [Counter([labels[row] for row in rows]) if len(rows) > 1 else {labels[rows[0]]: 1} for rows in lists]
    totals = Counter(labels)
    lacking = {label: [share / sum(shares) * total for share in shares] for label, total in totals.items()}
    smallest = {label: min((rows for rows in wanted if rows > 0), default=0) for label, wanted in lacking.items()}
    empty = {label: [split for split, share in enumerate(shares) if share > 0] for label in totals}
    left = Counter(label for part in parts for label in part)  # groups
    order = np.random.default_rng(seed).permutation(len(lists)).tolist()
    order.sort(
        key=lambda group: (
            -len(lists[group]) if any(rows > smallest[label] for label, rows in parts[group].items()) else 0
        )
    )

    splits: list[list[int]] = [[] for _ in shares]
    for group in order:
        part = parts[group]
        last_chances = [split for label in part if left[label] <= len(empty[label]) for split in empty[label]]
        split = max(last_chances or range(len(splits)), key=_lack(part, totals, lacking))
        splits[split] += lists[group]
        for label, rows in part.items():
            lacking[label][split] -= rows
            left[label] -= 1
            if split in empty[label]:
                empty[label].remove(split)
    return [np.array(sorted(rows), dtype=np.intp) for rows in splits]


def _lack(
    part: dict[str | None, int], totals: Counter, lacking: dict[str | None, list[float]]
) -> Callable[[int], float]:
    """How much a split lacks rows of the labels of a group, each weighted by the group's part of its rows."""
    if len(part) == 1:
        (label,) = part
        return lacking[label].__getitem__
    parts = {label: rows / totals[label] for label, rows in part.items()}
    whole = sum(parts.values())
    weights = {label: rows / whole for label, rows in parts.items()}
    return lambda split: sum(weight * lacking[label][split] for label, weight in weights.items())


# Comparing ------------------------------------------------------------------------------------------------------------


def _compared_by(text: str, words: str) -> str:
    without = remove_urls(text)
    return (words if without == text else bare_words(without)) or text


def repeated(keys: list[str]) -> np.ndarray:
    """True where an earlier key is the same."""
    first: dict[str, int] = {}
    return np.array([first.setdefault(key, row) != row for row, key in enumerate(keys)], dtype=bool)


def _shingles(form: str) -> frozenset[str]:
    return frozenset([form[start : start + SHINGLE] for start in range(max(1, len(form) - SHINGLE + 1))])


def _jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    common = len(one & other)
    return common / (len(one) + len(other) - common)


# MinHash and banding --------------------------------------------------------------------------------------------------


def _signatures(forms: list[str], block: int = 1000) -> np.ndarray:
    """MinHash values, uint32, shape (texts, HASHES). `block` texts at a time, so that their hashes fit the cache."""
    random = np.random.default_rng(0)
    offsets = random.integers(2**32, size=HASHES, dtype=np.uint32)
    factors = random.integers(2**32, size=HASHES, dtype=np.uint32) | np.uint32(1)  # odd: each is a permutation
    signatures = np.empty((HASHES, len(forms)), dtype=np.uint32)
    for first in range(0, len(forms), block):
        hashes, starts = _hashed_shingles(forms[first : first + block])
        permuted = np.empty_like(hashes)
        for row, offset, factor in zip(signatures, offsets, factors, strict=True):
            np.bitwise_xor(hashes, offset, out=permuted)
            np.multiply(permuted, factor, out=permuted)
            np.minimum.reduceat(permuted, starts, out=row[first : first + block])
    return np.ascontiguousarray(signatures.T)


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


def _candidate_pairs(signatures: np.ndarray, threshold: float, block: int = 20_000) -> Iterator[tuple[int, int]]:
    """Pairs (earlier, later) of texts that may be similar enough, in the order of the later.

    Texts that agree in a whole band of their values meet in a bucket, where each is paired with the first `LEADERS`.
    """
    texts = np.arange(len(signatures))
    width = _band_width(threshold)
    codes = [texts[:0]]  # later * number of texts + earlier: sorts and weeds out in one go
    for first in range(0, HASHES - width + 1, width):
        keys = np.zeros(len(texts), dtype=np.uint64)
        for column in range(first, first + width):
            keys *= np.uint64(0x9E3779B97F4A7C15)
            keys ^= keys >> np.uint64(29)
            keys += signatures[:, column]
        order = np.argsort(keys, kind="stable")
        keys = keys[order]
        starts = np.concatenate((texts[:1], np.where(keys[1:] != keys[:-1], texts[1:], 0)))
        leaders = np.maximum.accumulate(starts)
        for place in range(LEADERS):
            later = np.flatnonzero(leaders + place < texts)
            codes.append(order[later] * len(texts) + order[leaders[later] + place])
    codes = np.unique(np.concatenate(codes))
    error = 3 * (threshold * (1 - threshold) / HASHES) ** 0.5  # three standard deviations of the estimate
    for first in range(0, len(codes), block):
        later, earlier = np.divmod(codes[first : first + block], len(texts))
        estimates = np.mean(signatures[later] == signatures[earlier], axis=1)
        likely = estimates >= threshold - error
        yield from zip(earlier[likely].tolist(), later[likely].tolist(), strict=True)


def _band_width(threshold: float) -> int:
    """The widest band, hence the fewest needless pairs, that still misses few enough pairs at the threshold."""
    widths = range(2, 13)
    return max((n for n in widths if (1 - threshold**n) ** (HASHES // n) <= MISSED_AT_THRESHOLD), default=1)
