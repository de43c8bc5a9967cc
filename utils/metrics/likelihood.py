"""How well a model predicts texts: perplexity, bits per byte and token accuracy, with bootstrap intervals."""

import math
from collections.abc import Sequence

import datasets
import evaluate
import numpy as np

RESAMPLES = 1000
PERCENTILES = (2.5, 97.5)
_DESCRIPTION = """\
Perplexity, bits per byte and token accuracy of a whole split: totals divided by totals, never a mean of means.
Perplexities of models with different tokenizers don't compare; bits per byte do."""
_INPUTS = """
Args:
    predictions: one float per text, the sum of its supervised tokens' negative log likelihoods, in nats.
    references: one dict per text: "tokens" (supervised tokens, at least 1), "bytes" (UTF-8 bytes of the text
        that these tokens stand for) and "correct" (supervised tokens that the model ranked first).
    seed: of the bootstrap.
Returns:
    {"perplexity", "bits_per_byte", "token_accuracy": {"value", "low", "high"}, "texts": int, "tokens": int}
    low and high are the ends of the 95 % percentile bootstrap interval over texts (Efron & Tibshirani 1993).
Raises:
    ValueError: no text, a text without a supervised token, a likelihood that is not finite, or no byte at all.
"""


class Likelihood(evaluate.Metric):
    def _info(self):
        features = {
            "predictions": datasets.Value("float64"),
            "references": {name: datasets.Value("int64") for name in ("tokens", "bytes", "correct")},
        }
        return evaluate.MetricInfo(
            description=_DESCRIPTION, citation="", inputs_description=_INPUTS, features=datasets.Features(features)
        )

    def _compute(self, predictions, references, seed: int = 0):
        nll = np.array(predictions, dtype=np.float64)
        tokens, text_bytes, correct = (
            np.array([row[name] for row in references], dtype=np.float64) for name in ("tokens", "bytes", "correct")
        )
        _check(nll, tokens=tokens, text_bytes=text_bytes)
        columns = np.stack([nll, tokens, text_bytes, correct], axis=1)

        def perplexity(totals):
            return np.exp(totals[:, 0] / totals[:, 1])

        def token_accuracy(totals):
            return totals[:, 3] / totals[:, 1]

        def bits_per_byte(totals):
            return _per_byte(totals[:, 0] / math.log(2), totals[:, 2])

        total, resampled = columns.sum(axis=0, keepdims=True), _resampled_totals(columns, seed)
        return {
            "perplexity": _with_interval(perplexity, total, resampled),
            "bits_per_byte": _with_interval(bits_per_byte, total, resampled),
            "token_accuracy": _with_interval(token_accuracy, total, resampled),
            "texts": len(nll),
            "tokens": int(tokens.sum()),
        }


def bits_per_byte_difference(
    tuned: Sequence[float], base: Sequence[float], text_bytes: Sequence[int], seed: int = 0
) -> dict[str, float]:
    """Bits per byte of `tuned` minus that of `base` on the same texts: {"value", "low", "high"}.

    `tuned` and `base` hold each text's negative log likelihood in nats, `text_bytes` its UTF-8 bytes. Below zero,
    the tuned model is better. Both models share every resample, so the 95 % interval is free of the difficulty of
    the texts, which two separate intervals are not. ValueError as for the metric, or where the lengths differ.
    """
    columns = [np.array(column, dtype=np.float64) for column in (tuned, base, text_bytes)]
    if len({len(column) for column in columns}) > 1:
        raise ValueError(f"paired values of different lengths: {[len(column) for column in columns]}")
    for nll in columns[:2]:
        _check(nll, text_bytes=columns[2])
    values = np.stack(columns, axis=1)

    def difference(totals):
        return _per_byte((totals[:, 0] - totals[:, 1]) / math.log(2), totals[:, 2])

    return _with_interval(difference, values.sum(axis=0, keepdims=True), _resampled_totals(values, seed))


def _check(nll: np.ndarray, text_bytes: np.ndarray, tokens: np.ndarray | None = None) -> None:
    if len(nll) == 0:
        raise ValueError("no texts to measure")
    if not np.isfinite(nll).all():
        index = int(np.argmin(np.isfinite(nll)))
        raise ValueError(f"text {index}: the negative log likelihood is {nll[index]}, not a finite number")
    if tokens is not None and tokens.min() < 1:
        raise ValueError(f"text {int(np.argmin(tokens))}: no supervised token, so nothing to measure")
    if text_bytes.sum() == 0:
        raise ValueError("the texts have no bytes, so there are no bits per byte")


def _resampled_totals(columns: np.ndarray, seed: int) -> np.ndarray:
    """Column sums of `RESAMPLES` draws of n texts with replacement: (n, columns) → (RESAMPLES, columns)."""
    generator = np.random.default_rng(seed)
    n = len(columns)
    totals = np.empty((RESAMPLES, columns.shape[1]))
    for resample in range(RESAMPLES):
        counts = np.bincount(generator.integers(n, size=n), minlength=n)
        totals[resample] = counts.astype(np.float64) @ columns
    return totals


def _per_byte(bits: np.ndarray, text_bytes: np.ndarray) -> np.ndarray:
    # A completion may be empty but for its end-of-text token; a draw of nothing but such texts has no bytes.
    return bits[text_bytes > 0] / text_bytes[text_bytes > 0]


def _with_interval(statistic, total: np.ndarray, resampled: np.ndarray) -> dict[str, float]:
    low, high = np.percentile(statistic(resampled), PERCENTILES)
    return {"value": float(statistic(total)[0]), "low": float(low), "high": float(high)}
