"""The share of the generated texts that is copied from the training texts."""

from array import array
from collections.abc import Iterable
from itertools import chain
from unicodedata import normalize

import datasets
import evaluate
import numpy as np
import regex

LONG_RUN = 8
LONGEST_NGRAM = 10  # words, for novelty
_CJK = r"[\p{Han}\p{Hiragana}\p{Katakana}]"
# A combining mark that follows no letter, such as the variation selector of an emoji, does not start a word.
WORD = regex.compile(rf"(?V1){_CJK}|[\p{{L}}\p{{N}}][[\p{{L}}\p{{M}}\p{{N}}]--{_CJK}]*|(?=\p{{So}})\X")
_NOT_SHARED = -1


class Copying(evaluate.Metric):
    """Exact copies, and the longest run of consecutive words that each generated text shares with any training text.

    Case, spaces, apostrophes and punctuation don't count: a word is a run of letters and digits, one Chinese or
    Japanese character, or one complete emoji. (Thai, Lao, Khmer and Burmese are written without spaces, so a phrase
    counts as one word: look at the exact copies there.)

    Args:
        predictions: the generated texts.
        training_texts: all training texts, of any number (`references` would have to be as many as predictions).
    Returns:
        exact_copies: share of generated texts that equal a training text; a text without any word equals none.
        longest_copied_words, median_copied_words, mean_copied_words: words in the longest copied runs of the texts.
        copied_8: share of generated texts with a copied run of 8 words or more.
        texts, training_texts: number of texts.
        per_text: one dict per generated text: "exact_copy", "words" (how many it has), "copied_words", "copied_run"
            (its words, case-folded, joined by spaces), "training_index" (the first training text with this run; None
            without one) and "shared_ngrams" (how many of its n-grams of words occur in a training text, n = 1 to 10).
    Raises:
        ValueError: no generated text, or no training text.
    """

    def _info(self):
        features = datasets.Features({"predictions": datasets.Value("string")})
        return evaluate.MetricInfo(description=self.__doc__, citation="", features=features)

    def _compute(self, predictions, training_texts: Iterable[str]):
        generated = [folded_words(text) for text in predictions]
        vocabulary = {word: number for number, word in enumerate(dict.fromkeys(chain.from_iterable(generated)))}
        copyable = {" ".join(words) for words in generated if words}
        training, ends, copied = _read_training_texts(training_texts, vocabulary, copyable)
        if not generated or not ends:
            raise ValueError(f"{len(generated)} generated and {len(ends)} training texts: nothing to compare")

        lengths, starts, sources, shared = _longest_copied_runs(generated, vocabulary, training)
        indices = np.searchsorted(ends, sources)
        per_text = [
            {
                "exact_copy": " ".join(words) in copied,
                "words": len(words),
                "copied_words": int(length),
                "copied_run": " ".join(words[start : start + length]),
                "training_index": int(index) if length else None,
                "shared_ngrams": ngrams,
            }
            for words, length, start, index, ngrams in zip(
                generated, lengths, starts, indices, shared.tolist(), strict=True
            )
        ]
        return {
            "exact_copies": float(np.mean([text["exact_copy"] for text in per_text])),
            "longest_copied_words": int(lengths.max()),
            "median_copied_words": float(np.median(lengths)),
            "mean_copied_words": float(lengths.mean()),
            f"copied_{LONG_RUN}": float(np.mean(lengths >= LONG_RUN)),
            "texts": len(generated),
            "training_texts": len(ends),
            "per_text": per_text,
        }


def folded_words(text: str) -> list[str]:
    """Return the words of a text as they are compared: without case, apostrophes and punctuation."""
    return WORD.findall(fold(text))


def fold(text: str) -> str:
    """Return a text folded for comparisons: without case, apostrophes and the spelling of accents."""
    return normalize("NFC", text).casefold().replace("'", "").replace("’", "")


def _read_training_texts(texts: Iterable[str], vocabulary: dict[str, int], copyable: set[str]):
    """Return (word numbers of all texts, position of each text's end, which of the `copyable` texts occur).

    The numbers are one int64 array, with `_NOT_SHARED` after each text and for words outside the vocabulary.
    """
    numbers, ends, copied = array("q"), array("q"), set()
    for text in texts:
        words = folded_words(text)
        folded = " ".join(words)
        if folded in copyable:
            copied.add(folded)
        numbers.extend([vocabulary.get(word, _NOT_SHARED) for word in words])
        ends.append(len(numbers))
        numbers.append(_NOT_SHARED)
    return np.frombuffer(numbers, dtype=np.int64), ends, copied


def _longest_copied_runs(generated: list[list[str]], vocabulary: dict[str, int], training: np.ndarray):
    """The longest run of words of each generated text that occurs in `training`: (length, start, start in `training`).

    The fourth array says how many of its n-grams occur there: (texts, LONGEST_NGRAM), for n from 1.

    Runs grow by one word per iteration, on both sides at once. Equal runs have the same number, which follows from the
    number of the run without its last word and from that word (the naming technique of Karp, Miller and Rosenberg
    1972). Runs that only one side has are dropped, so an iteration costs no more than the runs that are still shared.
    """
    words = np.array([number for text in generated for number in [*map(vocabulary.get, text), _NOT_SHARED]])
    text_of = np.repeat(np.arange(len(generated)), [len(text) + 1 for text in generated])
    first_word = np.searchsorted(text_of, np.arange(len(generated)))
    lengths, starts, sources = (np.zeros(len(generated), dtype=np.int64) for _ in range(3))
    ngrams = np.zeros((len(generated), LONGEST_NGRAM), dtype=np.int64)

    ours, theirs = np.flatnonzero(words >= 0), np.flatnonzero(training >= 0)  # where runs start
    our_runs, their_runs = words[ours], training[theirs]  # the number of the run that starts there
    length = 0
    while len(theirs):
        length += 1
        first_start = np.full(our_runs.max() + 1, -1)
        first_start[their_runs[::-1]] = theirs[::-1]  # the last assignment wins: the first position in training
        shared = first_start[our_runs] >= 0
        ours, our_runs = ours[shared], our_runs[shared]
        if length <= LONGEST_NGRAM:
            ngrams[:, length - 1] = np.bincount(text_of[ours], minlength=len(generated))
        texts, first = np.unique(text_of[ours], return_index=True)
        lengths[texts] = length
        starts[texts] = ours[first] - first_word[texts]
        sources[texts] = first_start[our_runs[first]]

        ours, our_runs = _longer_by_one(ours, our_runs, words, length, len(vocabulary))
        theirs, their_runs = _longer_by_one(theirs, their_runs, training, length, len(vocabulary))
        unique, our_runs = np.unique(our_runs, return_inverse=True)
        number = np.searchsorted(unique, their_runs)
        shared = np.append(unique, -1)[number] == their_runs
        theirs, their_runs = theirs[shared], number[shared]
    return lengths, starts, sources, ngrams


def _longer_by_one(starts: np.ndarray, runs: np.ndarray, words: np.ndarray, length: int, vocabulary_size: int):
    """Starts and new numbers of those runs of `length` words that are followed by a shared word."""
    following = words[starts + length]
    shared = following >= 0
    return starts[shared], runs[shared] * vocabulary_size + following[shared]
