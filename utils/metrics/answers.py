"""Metrics of generated answers: closeness to the references, endings, repetition and length, with intervals."""

from collections.abc import Hashable, Sequence

import datasets
import evaluate
import numpy as np
import regex
from sacrebleu.metrics import BLEU, CHRF

from utils.metrics.bootstrap import Intervals, bootstrap_totals, ratio
from utils.metrics.shares import ratio_interval, share_interval

NGRAM = 4  # words of a repetition
COMPARED = ("bleu", "chrf", "rouge_l")
_CJK = r"[\p{Han}\p{Hiragana}\p{Katakana}]"
_WORD = regex.compile(rf"(?V1){_CJK}|[[\p{{L}}\p{{M}}\p{{N}}]--{_CJK}]+")
# The columns of each row's statistics: BLEU has two lengths, then matches and totals of 1- to 4-grams; chrF has
# three counts for each of 1- to 6-grams.
_BLEU, _CHRF = slice(0, 10), slice(10, 28)
_ROUGE_L, _FINISHED, _REPEATS, _NGRAMS, _WORDS, _REFERENCE_WORDS, _ROWS = range(28, 35)


class Answers(evaluate.Metric):
    """Metrics of generated answers: closeness to the references, endings, repetition and length.

    Corpus BLEU and chrF with sacrebleu's defaults (0 to 100; Post 2018, https://aclanthology.org/W18-6319) and their
    signatures. In the other figures, a word is a run of letters and digits, or one Chinese or Japanese character, and
    case is folded. ROUGE-L (Lin 2004, https://aclanthology.org/W04-1013) is the mean over answers of the F1 of the
    longest common subsequence of words. "repetition" is the share of 4-grams of words that occurred earlier in the same
    answer (seq-rep-4 of Welleck et al. 2019, who count tokens, https://arxiv.org/abs/1908.04319), total over total.
    "length_ratio" is all words of the answers over all words of the references.

    Args:
        predictions, references: the generated answers, and the reference answer of each.
        finished: whether each generated answer ended by itself.
        clusters: the cluster of each row, for rows of one source; without it, every row is its own.
        seed: seed of the bootstrap over clusters.
    Returns:
        {"bleu", "chrf", "rouge_l", "finished", "repetition", "length_ratio": {"value", "low", "high"},
        "signatures": {"bleu": str, "chrf": str}, "answers": int, "words": int of the generated answers}
        "repetition" is None if no answer is that long, "length_ratio" if the references have no words.
    Raises:
        ValueError: no answer, or lists of different lengths.
    """

    def _info(self):
        features = datasets.Features(dict.fromkeys(("predictions", "references"), datasets.Value("string")))
        return evaluate.MetricInfo(description=self.__doc__, citation="", features=features)

    def _compute(self, predictions, references, finished, clusters=None, seed: int = 0):
        columns = answer_statistics(predictions, references, finished)
        signatures = {}
        for name, metric in (("bleu", BLEU()), ("chrf", CHRF())):
            metric.corpus_score([""], [[""]])  # else it does not know the number of references
            signatures[name] = str(metric.get_signature())
        return {
            **answer_intervals(columns, clusters, seed),
            "signatures": signatures,
            "answers": len(columns),
            "words": int(columns[:, _WORDS].sum()),
        }


def answers_difference(
    references: Sequence[str],
    tuned: Sequence[str],
    base: Sequence[str],
    clusters: Sequence[Hashable] | None = None,
    seed: int = 0,
) -> dict[str, dict[str, float]]:
    """Return BLEU, chrF and ROUGE-L of the answers `tuned` minus those of `base`: {"value", "low", "high"} of each.

    A positive difference means that the tuned model is better. Both models share every resample, so the 95% interval
    does not depend on how difficult the rows are. `clusters` and ValueError as for the metric.
    """
    finished = [True] * len(references)  # not compared
    columns = [answer_statistics(texts, references, finished) for texts in (tuned, base)]
    return difference_intervals(*columns, clusters, seed)


def answer_intervals(columns: np.ndarray, clusters: Sequence[Hashable] | None = None, seed: int = 0) -> Intervals:
    """Return the figures of answers, with their intervals, from the statistics of each."""
    bleu, chrf = BLEU(), CHRF()
    return {
        **bootstrap_totals(lambda totals: _figures(bleu, chrf, totals), columns, seed, clusters),
        "finished": share_interval(columns[:, _FINISHED], clusters),
        "repetition": ratio_interval(columns[:, _REPEATS], columns[:, _NGRAMS], clusters),
    }


def difference_intervals(
    tuned: np.ndarray, base: np.ndarray, clusters: Sequence[Hashable] | None = None, seed: int = 0
) -> Intervals:
    """Return the differences of two models, with their intervals, from the statistics of their answers."""
    bleu, chrf = BLEU(), CHRF()

    def differences(totals):
        of_tuned, of_base = (_figures(bleu, chrf, half) for half in np.split(totals, 2, axis=1))
        return {name: of_tuned[name] - of_base[name] for name in COMPARED}

    return bootstrap_totals(differences, np.hstack([tuned, base]), seed, clusters)


def answer_statistics(predictions: Sequence[str], references: Sequence[str], finished: Sequence[bool]) -> np.ndarray:
    """Return the statistics of each answer behind the figures: (answers, 35). ValueError as for the metric."""
    predictions, references, finished = map(list, (predictions, references, finished))
    lengths = [len(predictions), len(references), len(finished)]
    if not all(lengths):
        raise ValueError("no answers to measure")
    if len(set(lengths)) > 1:
        raise ValueError(f"answers, references and finished have different lengths: {lengths}")
    # sacrebleu's own bootstrap calls this, too. Its public sentence_score returns the counts of BLEU, but not of chrF.
    counts = [metric._extract_corpus_statistics(predictions, [references]) for metric in (BLEU(), CHRF())]
    rows = [
        _word_statistics(_WORD.findall(answer.casefold()), _WORD.findall(reference.casefold()), ended)
        for answer, reference, ended in zip(predictions, references, finished, strict=True)
    ]
    return np.hstack([*counts, rows]).astype(np.float64)


def _word_statistics(answer: list[str], reference: list[str], finished: bool) -> list[float]:
    common = _longest_common_subsequence(answer, reference)
    rouge_l = 2 * common / (len(answer) + len(reference)) if common else 0.0
    ngrams = list(zip(*(answer[start:] for start in range(NGRAM)), strict=False))
    return [rouge_l, finished, len(ngrams) - len(set(ngrams)), len(ngrams), len(answer), len(reference), 1]


def _longest_common_subsequence(first: Sequence[str], second: Sequence[str]) -> int:
    """The length of the longest common subsequence; an int holds one row of the usual table, one bit per word.

    Hyyrö, "Bit-parallel LCS-length computation revisited", 2004: a 0 bit is where the length grows by 1 in the row.
    """
    positions = {}
    for position, word in enumerate(first):
        positions[word] = positions.get(word, 0) | 1 << position
    all_bits = row = (1 << len(first)) - 1
    for word in second:
        matches = row & positions.get(word, 0)
        row = (row + matches | row - matches) & all_bits
    return len(first) - row.bit_count()


def _figures(bleu: BLEU, chrf: CHRF, totals: np.ndarray) -> dict[str, np.ndarray]:
    """Each figure of each draw from its totals (draws, 35); NaN where it is undefined."""

    def scores(metric: BLEU | CHRF, columns: slice) -> np.ndarray:
        return np.array(
            [metric._compute_score_from_stats(draw).score for draw in totals[:, columns].astype(int).tolist()]
        )

    return {
        "bleu": scores(bleu, _BLEU),
        "chrf": scores(chrf, _CHRF),
        "rouge_l": totals[:, _ROUGE_L] / totals[:, _ROWS],
        "length_ratio": ratio(totals[:, _WORDS], totals[:, _REFERENCE_WORDS]),
    }
