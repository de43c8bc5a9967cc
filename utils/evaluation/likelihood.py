"""The likelihood of the test texts: figures of each model, and the gain over the base model by parts of the texts."""

from collections.abc import Mapping, Sequence

from transformers import PreTrainedModel

from utils.compute.likelihood import TokenScores, score_texts
from utils.metrics.compute import compute_metric
from utils.metrics.figures import FIGURES, LIKELIHOOD, PARTS
from utils.metrics.likelihood import Likelihood, bits_per_byte_difference, difference_by_part
from utils.terminal.tables import figure_rows, format_table


def measure_likelihood(
    model: PreTrainedModel,
    rows: Sequence[dict],
    precision: str,
    progress: str,
    clusters: Sequence[str],
) -> tuple[dict, TokenScores]:
    """Return (figures, scores of each row) of rows {"input_ids", "loss_start", "bytes"}.

    `clusters` has the cluster of each row, see `Likelihood`.
    """
    scores = score_texts(model, rows, bfloat16=precision == "bf16", progress=progress)
    references = [
        {"tokens": tokens, "bytes": row["bytes"], "correct": correct}
        for row, tokens, correct in zip(rows, scores.tokens, scores.correct, strict=True)
    ]
    figures = compute_metric(Likelihood, predictions=scores.nll, references=references, clusters=clusters)
    return figures, scores


def compare_likelihood(
    scores: Mapping[str, TokenScores],
    rows: Mapping[str, Sequence[dict]],
    clusters: Sequence[str],
    end: Mapping[str, int],
) -> dict:
    """Return how many bits per byte less "tuned" needs than "base" for the same rows: on the whole, and by part.

    The parts are the end token (of rows that end in a model's `end`), the first token, and the text between them.
    """
    text_bytes = [row["bytes"] for row in rows["tuned"]]
    whole = [scores[name].nll for name in ("tuned", "base")]
    parts = [_parts(scores[name], rows[name], end[name]) for name in ("tuned", "base")]
    return {
        "bits_per_byte_difference": bits_per_byte_difference(*whole, text_bytes, clusters),
        "bits_per_byte_difference_by_part": difference_by_part(*parts, text_bytes, clusters),
    }


def describe_parts(parts: dict) -> str:
    """Return the differences by part that `compare_likelihood` returned in words."""
    pattern = FIGURES["bits_per_byte"].difference_pattern
    return ", ".join(f"{PARTS[part]}: {pattern.format(figure['value'])}" for part, figure in parts.items())


def likelihood_table(evaluation: dict, models: Sequence[str]) -> str:
    """Return the likelihood of each model in a table with one column per model."""
    return format_table(["", *models], figure_rows(LIKELIHOOD, [evaluation[name] for name in models]))


def _parts(scores: TokenScores, rows: Sequence[dict], end: int) -> dict[str, list[float]]:
    """The negative log likelihood of each row, by part."""
    parts = {part: [] for part in PARTS}
    for row, nll, first, last, tokens in zip(rows, scores.nll, scores.first, scores.last, scores.tokens, strict=True):
        ends = row["input_ids"][-1] == end
        end_token = last if ends else 0.0
        first_token = first if tokens > ends else 0.0
        parts["end_token"].append(end_token)
        parts["first_token"].append(first_token)
        parts["between"].append(nll - end_token - first_token)
    return parts
