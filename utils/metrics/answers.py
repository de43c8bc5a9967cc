"""How close generated answers come to the reference answers, and how they end, repeat and spread, with intervals."""

from collections.abc import Callable, Sequence

import datasets
import evaluate
import numpy as np
import regex
from sacrebleu.metrics import BLEU, CHRF

RESAMPLES = 1000
PERCENTILES = (2.5, 97.5)
REPEATED = 4  # words of a run that counts as repeated
COMPARED = ("bleu", "chrf", "rouge_l")  # the figures of which more is better
_DESCRIPTION = f"""\
Corpus BLEU and chrF as sacrebleu has them by default (Post 2018; 0 to 100), with their signatures; ROUGE-L; the share
of answers that ended by themselves; the repetition rate; and the length ratio.

The words of the last three figures are runs of letters and digits, and single Chinese or Japanese characters, their
case folded: for English, the words of Google's rouge_score without its stemmer. ROUGE-L (Lin 2004) is the mean over
answers of the F1 of the longest common subsequence of words. The repetition rate is the share of {REPEATED}-grams of
words that occurred earlier in the same answer, all over all: seq-rep-{REPEATED} of Welleck et al. 2019, who count
tokens and take the mean over texts. The length ratio is all words of the answers over all words of the references."""
_CITATION = """\
@inproceedings{post-2018-call,
  title = {A Call for Clarity in Reporting BLEU Scores}, author = {Post, Matt},
  booktitle = {Proceedings of WMT}, year = {2018}, url = {https://aclanthology.org/W18-6319}
}
@inproceedings{lin-2004-rouge,
  title = {ROUGE: A Package for Automatic Evaluation of Summaries}, author = {Lin, Chin-Yew},
  booktitle = {Text Summarization Branches Out}, year = {2004}, url = {https://aclanthology.org/W04-1013}
}
@article{welleck-etal-2019-unlikelihood,
  title = {Neural Text Generation with Unlikelihood Training},
  author = {Welleck, Sean and Kulikov, Ilia and Roller, Stephen and Dinan, Emily and Cho, Kyunghyun and Weston, Jason},
  journal = {arXiv:1908.04319}, year = {2019}, url = {https://arxiv.org/abs/1908.04319}
}"""
_INPUTS = """
Args:
    predictions: the generated answers.
    references: the answer to each that the data has.
    finished: whether each generated answer ended by itself.
    seed: of the bootstrap.
Returns:
    {"bleu", "chrf", "rouge_l", "finished", "repetition", "length_ratio": {"value", "low", "high"},
    "signatures": {"bleu": str, "chrf": str}, "answers": int, "words": int of the generated answers}
    low and high are the ends of the 95 % percentile bootstrap interval over rows (Efron & Tibshirani 1993); the
    counts that BLEU and chrF are made of are drawn, not their values. "repetition" is None where no answer has as
    many words, "length_ratio" where the references have none; resamples like that are left out of the interval.
Raises:
    ValueError: no answer, or lists of different lengths.
"""
_CJK = r"[\p{Han}\p{Hiragana}\p{Katakana}]"
_WORD = regex.compile(rf"(?V1){_CJK}|[[\p{{L}}\p{{M}}\p{{N}}]--{_CJK}]+")
# Where each row's statistics stand among the columns: BLEU's are two lengths, then matches and totals of 1- to
# 4-grams; chrF's are three counts of each of 1- to 6-grams.
_BLEU, _CHRF = slice(0, 10), slice(10, 28)
_ROUGE_L, _FINISHED, _REPEATS, _RUNS, _WORDS, _REFERENCE_WORDS = range(28, 34)


class Answers(evaluate.Metric):
    def _info(self):
        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation=_CITATION,
            inputs_description=_INPUTS,
            features=datasets.Features({name: datasets.Value("string") for name in ("predictions", "references")}),
        )

    def _compute(self, predictions, references, finished, seed: int = 0):
        bleu, chrf = BLEU(), CHRF()
        columns = _columns(bleu, chrf, list(predictions), list(references), list(finished))

        def figures(totals):
            return _figures(bleu, chrf, totals, len(columns))

        return {
            **_with_intervals(figures, columns, seed),
            "signatures": {"bleu": str(bleu.get_signature()), "chrf": str(chrf.get_signature())},
            "answers": len(columns),
            "words": int(columns[:, _WORDS].sum()),
        }


def answers_difference(
    references: Sequence[str], tuned: Sequence[str], base: Sequence[str], seed: int = 0
) -> dict[str, dict[str, float]]:
    """BLEU, chrF and ROUGE-L of the answers `tuned` minus those of `base`: {"value", "low", "high"} of each.

    Above zero, the tuned model is better. Both models share every resample, so the 95 % interval is free of the
    difficulty of the rows. ValueError as for the metric.
    """
    bleu, chrf = BLEU(), CHRF()
    ended = [True] * len(references)  # it is not compared
    ours, theirs = (_columns(bleu, chrf, list(texts), list(references), ended) for texts in (tuned, base))

    def differences(totals):
        halves = np.split(totals, 2, axis=1)
        better, worse = (_figures(bleu, chrf, half, len(ours)) for half in halves)
        return {name: better[name] - worse[name] for name in COMPARED}

    return _with_intervals(differences, np.hstack([ours, theirs]), seed)


def _columns(bleu: BLEU, chrf: CHRF, predictions: list, references: list, finished: list) -> np.ndarray:
    """What each row adds to the figures: (rows, 34)."""
    lengths = [len(predictions), len(references), len(finished)]
    if not all(lengths):
        raise ValueError("no answers to measure")
    if len(set(lengths)) > 1:
        raise ValueError(f"answers, references and whether they ended are {lengths}")
    # What sacrebleu's own bootstrap calls, too. Its public sentence_score tells the counts of BLEU, but not of chrF.
    counts = [metric._extract_corpus_statistics(predictions, [references]) for metric in (bleu, chrf)]
    rows = [
        _of_words(_WORD.findall(answer.casefold()), _WORD.findall(reference.casefold()), ended)
        for answer, reference, ended in zip(predictions, references, finished, strict=True)
    ]
    return np.hstack([*counts, rows]).astype(np.float64)


def _of_words(answer: list[str], reference: list[str], ended: bool) -> list[float]:
    common = _common_subsequence(answer, reference)
    rouge_l = 2 * common / (len(answer) + len(reference)) if common else 0.0
    runs = list(zip(*(answer[start:] for start in range(REPEATED)), strict=False))
    return [rouge_l, ended, len(runs) - len(set(runs)), len(runs), len(answer), len(reference)]


def _common_subsequence(first: Sequence[str], second: Sequence[str]) -> int:
    """The length of the longest common subsequence, a row of the usual table at a time, in the bits of a number.

    Hyyrö, "Bit-parallel LCS-length computation revisited", 2004: a bit that is 0 is a step up in the row.
    """
    places = {}
    for place, word in enumerate(first):
        places[word] = places.get(word, 0) | 1 << place
    whole = row = (1 << len(first)) - 1
    for word in second:
        steps = row & places.get(word, 0)
        row = (row + steps | row - steps) & whole
    return len(first) - row.bit_count()


def _figures(bleu: BLEU, chrf: CHRF, totals: np.ndarray, rows: int) -> dict[str, np.ndarray]:
    """Each figure of each draw from its totals (draws, 34); nan where it cannot be told."""

    def score(metric, place):
        return np.array(
            [metric._compute_score_from_stats(draw).score for draw in totals[:, place].astype(int).tolist()]
        )

    return {
        "bleu": score(bleu, _BLEU),
        "chrf": score(chrf, _CHRF),
        "rouge_l": totals[:, _ROUGE_L] / rows,
        "finished": totals[:, _FINISHED] / rows,
        "repetition": _ratio(totals[:, _REPEATS], totals[:, _RUNS]),
        "length_ratio": _ratio(totals[:, _WORDS], totals[:, _REFERENCE_WORDS]),
    }


def _ratio(parts: np.ndarray, wholes: np.ndarray) -> np.ndarray:
    return np.divide(parts, wholes, out=np.full(len(parts), np.nan), where=wholes > 0)


def _with_intervals(figures: Callable, columns: np.ndarray, seed: int) -> dict[str, dict[str, float] | None]:
    resampled = figures(_resampled_totals(columns, seed))
    found = {}
    for name, (value,) in figures(columns.sum(axis=0, keepdims=True)).items():
        found[name] = None
        if not np.isnan(value):
            drawn = resampled[name]
            low, high = np.percentile(drawn[~np.isnan(drawn)], PERCENTILES)
            found[name] = {"value": float(value), "low": float(low), "high": float(high)}
    return found


def _resampled_totals(columns: np.ndarray, seed: int) -> np.ndarray:
    """Column sums of `RESAMPLES` draws of n rows with replacement: (n, columns) → (RESAMPLES, columns)."""
    generator = np.random.default_rng(seed)
    n = len(columns)
    totals = np.empty((RESAMPLES, columns.shape[1]))
    for resample in range(RESAMPLES):
        counts = np.bincount(generator.integers(n, size=n), minlength=n)
        totals[resample] = counts.astype(np.float64) @ columns
    return totals
