"""Metrics of language models: perplexity, bits per byte and token accuracy, with bootstrap intervals."""

import math
from collections.abc import Hashable, Mapping, Sequence

import datasets
import evaluate
import numpy as np

from utils.metrics.bootstrap import bootstrap_totals, ratio


class Likelihood(evaluate.Metric):
    """Perplexity, bits per byte and token accuracy of a split: totals divided by totals, never a mean of means.

    Perplexities of models with different tokenizers cannot be compared; bits per byte can.

    Args:
        predictions: one float per text, the negative log likelihood of its supervised tokens, summed, in nats.
        references: one dict per text: "tokens" (supervised tokens, at least 1), "bytes" (UTF-8 bytes of the text
            that these tokens encode) and "correct" (supervised tokens that the model ranked first).
        clusters: the cluster of each text, for texts of one source; without it, every text is its own.
        seed: seed of the bootstrap over clusters.
    Returns:
        {"perplexity", "bits_per_byte", "token_accuracy": {"value", "low", "high"}, "texts": int, "tokens": int}
    Raises:
        ValueError: no text, a text without a supervised token, a likelihood that is not finite, or no bytes at all.
    """

    def _info(self):
        counts = dict.fromkeys(("tokens", "bytes", "correct"), datasets.Value("int64"))
        features = datasets.Features({"predictions": datasets.Value("float64"), "references": counts})
        return evaluate.MetricInfo(description=self.__doc__, citation="", features=features)

    def _compute(self, predictions, references, clusters=None, seed: int = 0):
        nll = np.array(predictions, dtype=np.float64)
        tokens, text_bytes, correct = (
            np.array([row[name] for row in references], dtype=np.float64) for name in ("tokens", "bytes", "correct")
        )
        _check(nll, tokens=tokens, text_bytes=text_bytes)
        columns = np.stack([nll, tokens, text_bytes, correct], axis=1)
        figures = bootstrap_totals(_figures, columns, seed, clusters)
        return {**figures, "texts": len(nll), "tokens": int(tokens.sum())}


def bits_per_byte_difference(
    tuned: Sequence[float],
    base: Sequence[float],
    text_bytes: Sequence[int],
    clusters: Sequence[Hashable] | None = None,
    seed: int = 0,
) -> dict[str, float]:
    """Return bits per byte of `tuned` minus that of `base` on the same texts: {"value", "low", "high"}.

    `tuned` and `base` hold the negative log likelihood of each text in nats, `text_bytes` its UTF-8 bytes. Both models
    share every resample, so the 95% interval does not depend on how difficult the texts are. `clusters` and
    ValueError as for the metric; ValueError too where the lengths differ.
    """
    columns = [np.array(column, dtype=np.float64) for column in (tuned, base, text_bytes)]
    if len({len(column) for column in columns}) > 1:
        raise ValueError(f"paired values of different lengths: {[len(column) for column in columns]}")
    for nll in columns[:2]:
        _check(nll, text_bytes=columns[2])
    nll, base_nll, text_bytes = columns
    columns = np.stack([nll - base_nll, text_bytes], axis=1)

    def difference(totals):
        return {"difference": _bits_per_byte(*totals.T)}

    return bootstrap_totals(difference, columns, seed, clusters)["difference"]


def difference_by_part(
    tuned: Mapping[str, Sequence[float]],
    base: Mapping[str, Sequence[float]],
    text_bytes: Sequence[int],
    clusters: Sequence[Hashable] | None = None,
    seed: int = 0,
) -> dict[str, dict[str, float]]:
    """Return the difference in bits per byte of each part of the texts; the values add up to that of whole texts.

    `tuned` and `base` hold the negative log likelihood of each part of each text, `text_bytes` the bytes of whole
    texts. The rest is as for `bits_per_byte_difference`.
    """
    return {part: bits_per_byte_difference(tuned[part], base[part], text_bytes, clusters, seed) for part in tuned}


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


def _figures(totals: np.ndarray) -> dict[str, np.ndarray]:
    nll, tokens, text_bytes, correct = totals.T
    return {
        "perplexity": np.exp(nll / tokens),
        "bits_per_byte": _bits_per_byte(nll, text_bytes),
        "token_accuracy": correct / tokens,
    }


def _bits_per_byte(nll: np.ndarray, text_bytes: np.ndarray) -> np.ndarray:
    # A completion may be empty but for its end-of-text token, so a resample may have no bytes: NaN.
    return ratio(nll / math.log(2), text_bytes)
