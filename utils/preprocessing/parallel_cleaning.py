"""Cleaning raw texts, and counting and normalizing their words, in one process or in several."""

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from utils.compute.workers import Workers
from utils.terminal.progress import progress_bar
from utils.text.cleaning import Cleaning, clean_all
from utils.text.words import bare_words, count_words

TEXTS_AT_ONCE = 2_000  # per task of a worker process, which finishes its task after Ctrl-C


@dataclass(frozen=True)
class CleanedTexts:
    """Cleaned texts in their order, with the data of each for filters and the search for duplicates."""

    texts: list[str]
    word_counts: list[int]
    bare_words: list[str]
    noise_counts: dict[str, int]  # kind of noise → number of texts that had it


def clean_texts(texts: Sequence[str], cleaning: Cleaning, workers: Workers | None = None) -> CleanedTexts:
    """Clean the texts, in the processes of `workers`; the result does not depend on their number."""
    clean_chunk = partial(_clean_chunk, cleaning)
    if len(texts) <= TEXTS_AT_ONCE:
        return clean_chunk(texts)
    chunks = [texts[start : start + TEXTS_AT_ONCE] for start in range(0, len(texts), TEXTS_AT_ONCE)]
    joined = CleanedTexts([], [], [], Counter())
    with progress_bar("cleaning", len(texts)) as bar:
        for part in (workers or Workers()).map(clean_chunk, chunks, "cleaning"):
            joined.texts.extend(part.texts)
            joined.word_counts.extend(part.word_counts)
            joined.bare_words.extend(part.bare_words)
            joined.noise_counts.update(part.noise_counts)
            bar.update(len(part.texts))
    # Interned like the constants that a single process returns, so that the pickle has the same bytes.
    return replace(joined, noise_counts={sys.intern(kind): count for kind, count in joined.noise_counts.items()})


def _clean_chunk(cleaning: Cleaning, texts: Sequence[str]) -> CleanedTexts:
    texts, noise_counts = clean_all(texts, cleaning)
    return CleanedTexts(texts, list(map(count_words, texts)), list(map(bare_words, texts)), noise_counts)
