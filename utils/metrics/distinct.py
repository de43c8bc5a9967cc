"""The variety of a set of generated texts: distinct-1 to distinct-4."""

from itertools import chain

import datasets
import evaluate
import regex

LONGEST = 4
_CJK = r"[\p{Han}\p{Hiragana}\p{Katakana}]"
_LETTERS = rf"[[\p{{L}}\p{{M}}\p{{N}}]--{_CJK}]+"
_TOKEN = regex.compile(rf"(?V1){_CJK}|{_LETTERS}(?:['’]{_LETTERS})*|(?!\s)\X")


class Distinct(evaluate.Metric):
    """distinct-n (Li et al. 2016, https://aclanthology.org/N16-1014): the share of n-grams that are different.

    1.0 means that no n-gram occurs twice. Case is folded. A token is a word with its inner apostrophes, one Chinese or
    Japanese character, one punctuation mark or one complete emoji; n-grams don't cross from one text into the next.
    The value falls as texts are added, since common words recur: compare only samples with the same number of texts of
    about the same length, for instance a model's texts with as many training texts.

    Args:
        predictions: list of texts.
    Returns:
        {"distinct_1": float, …, "distinct_4": float}, each None if the texts have no n-gram of that length.
    """

    def _info(self):
        features = datasets.Features({"predictions": datasets.Value("string")})
        return evaluate.MetricInfo(description=self.__doc__, citation="", features=features)

    def _compute(self, predictions):
        texts = [_TOKEN.findall(text.casefold()) for text in predictions]
        return {f"distinct_{n}": _share_distinct(texts, n) for n in range(1, LONGEST + 1)}


def _share_distinct(texts: list[list[str]], n: int) -> float | None:
    ngrams = list(chain.from_iterable(ngrams_of(tokens, n) for tokens in texts))
    return len(set(ngrams)) / len(ngrams) if ngrams else None


def ngrams_of(words: list[str], n: int) -> list[tuple[str, ...]]:
    """Return the runs of n consecutive words, from the first on."""
    return list(zip(*(words[start:] for start in range(n)), strict=False))
