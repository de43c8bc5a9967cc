"""The novelty of texts: the share of n-grams that no training text has, and of texts that repeat themselves."""

from collections.abc import Hashable, Mapping, Sequence

import numpy as np

from utils.metrics.copying import LONGEST_NGRAM, folded_words
from utils.metrics.distinct import ngrams_of
from utils.metrics.shares import Interval, ratio_interval, share_interval

REPEATED = (2, 3, 4)  # words of an n-gram


def novelty(per_text: Sequence[Mapping], clusters: Sequence[Hashable] | None = None) -> list[Interval | None]:
    """Return the share of n-grams of words that occur in no training text, for n from 1 to 10.

    All n-grams of all texts count, each as often as it occurs (R. T. McCoy et al., "How Much Do Language Models Copy
    From Their Training Data?", TACL 2023). `per_text` is what `Copying` returned of each text. The intervals are over
    texts (`ratio_interval`), or their clusters. None where no text has n words.
    """
    words = np.array([text["words"] for text in per_text])
    shared = np.array([text["shared_ngrams"] for text in per_text])
    shares = []
    for n in range(1, LONGEST_NGRAM + 1):
        ngrams = np.maximum(words - n + 1, 0).astype(np.float64)
        shares.append(ratio_interval(ngrams - shared[:, n - 1], ngrams, clusters))
    return shares


def repeating_texts(texts: Sequence[str], clusters: Sequence[Hashable] | None = None) -> dict[str, Interval | None]:
    """Return the share of texts in which an n-gram of words occurs twice: {"2": …, "3": …, "4": …}.

    Those are the texts whose seq-rep-n is above 0 (S. Welleck et al., "Neural Text Generation with Unlikelihood
    Training", 2019, who count tokens). Only texts of n words or more count; None without any.
    """
    words = [folded_words(text) for text in texts]
    clusters = range(len(texts)) if clusters is None else clusters
    shares = {}
    for n in REPEATED:
        counted = [(ngrams_of(one, n), cluster) for one, cluster in zip(words, clusters, strict=True) if len(one) >= n]
        outcomes = [len(set(ngrams)) < len(ngrams) for ngrams, _ in counted]
        shares[str(n)] = share_interval(outcomes, [cluster for _, cluster in counted])
    return shares
