"""Evaluate models that write texts: likelihood of the test split, variety, and copying from the training texts."""

from collections.abc import Mapping, Sequence

from transformers import PreTrainedModel

from utils.compute.likelihood import TokenScores, score_texts
from utils.inference.generation import generate_texts
from utils.inference.sampling import Sampling
from utils.metrics.compute import compute_metric
from utils.metrics.copying import Copying
from utils.metrics.distinct import Distinct
from utils.metrics.figures import FIGURES, LIKELIHOOD
from utils.metrics.likelihood import Likelihood, bits_per_byte_difference, difference_by_part
from utils.models.checkpoint import Trained
from utils.models.tokenization import context_length, start_and_end
from utils.processed import Processed
from utils.terminal.tables import NO_FIGURE, figure_rows, format_table, with_interval
from utils.training.rows import training_rows

SHOWN = 5  # texts of each model
TEST_TEXTS = "test texts"
PARTS = {"end_token": "the end token", "first_token": "the first token", "between": "the text between"}


def evaluate_texts(
    models: Mapping[str, Trained], data: Processed, *, num_samples: int, max_new_tokens: int, seed: int, precision: str
) -> dict:
    """Return every figure of `models` ("tuned", and "base" to compare it with) on the test split, as plain JSON values.

    Variety and copying are also measured on the test texts, since people repeat words and copy too.
    """
    likelihood, scores, written = {}, {}, {}
    for name, trained in models.items():
        rows = training_rows(data, trained.tokenizer, context_length(trained.model), ["test"])["test"]
        groups = [data.splits["test"].group[row["number"]] for row in rows]
        progress = f"scoring, {name}"
        likelihood[name], scores[name] = measure_likelihood(trained.model, rows, precision, progress, groups)
        sampling = Sampling(num_return_sequences=num_samples, max_new_tokens=max_new_tokens, seed=seed)
        [texts] = generate_texts(trained.model, trained.tokenizer, [""], sampling, progress=f"writing, {name}")
        written[name] = [text.text.strip() for text in texts]
    samples = {**written, TEST_TEXTS: data.splits["test"].completion[:num_samples]}
    evaluation = {
        **likelihood,
        "distinct": {name: compute_metric(Distinct, predictions=texts) for name, texts in samples.items()},
        "copying": {
            name: compute_metric(Copying, predictions=texts, training_texts=data.splits["train"].completion)
            for name, texts in samples.items()
        },
        "written": written,
    }
    if "base" in models:
        # Both models have the same tokenizer and context length, so the same texts are cut.
        ends = {name: start_and_end(trained.tokenizer)[1] for name, trained in models.items()}
        evaluation |= compare_likelihood(scores, dict.fromkeys(models, rows), groups, ends)
    return evaluation


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


def likelihood_table(evaluation: dict, models: Sequence[str]) -> str:
    """Return the likelihood of each model in a table with one column per model."""
    return format_table(["", *models], figure_rows(LIKELIHOOD, [evaluation[name] for name in models]))


def format_texts_report(evaluation: dict) -> str:
    """Return the evaluation as text for a terminal: two tables, the difference, and texts of each model."""
    models = [name for name in ("base", "tuned") if name in evaluation]
    tuned, columns = evaluation["tuned"], [*models, TEST_TEXTS]
    distinct, copying = ([evaluation[metric][name] for name in columns] for metric in ("distinct", "copying"))
    variety = [
        ["distinct-1", *(_share(column["distinct_1"]) for column in distinct)],
        ["distinct-2", *(_share(column["distinct_2"]) for column in distinct)],
        ["exact copies of a training text", *(_share(column["exact_copies"]) for column in copying)],
        ["copying 8 words or more in a row", *(_share(column["copied_8"]) for column in copying)],
        ["longest copied run, words", *(str(column["longest_copied_words"]) for column in copying)],
    ]
    parts = [
        f"test split: {tuned['texts']:,} texts, {tuned['tokens']:,} tokens; 95 % intervals in brackets",
        likelihood_table(evaluation, models),
    ]
    if "bits_per_byte_difference" in evaluation:
        pattern = FIGURES["bits_per_byte"].difference_pattern
        difference = with_interval(evaluation["bits_per_byte_difference"], pattern)
        by_part = describe_parts(evaluation["bits_per_byte_difference_by_part"])
        parts.append(f"bits per byte, tuned minus base on the same texts: {difference}\nof which {by_part}")
    parts += [f"{copying[0]['texts']} texts of each", format_table(["", *columns], variety)]
    for name in models:
        texts = [" ".join(text.split()) for text in evaluation["written"][name][:SHOWN]]
        lines = (f"\n  {number}. {text}" for number, text in enumerate(texts, 1))
        parts.append(f"{name} model writes:{''.join(lines)}")
    return "\n\n".join(parts)


def _share(value: float | None) -> str:
    return NO_FIGURE if value is None else f"{value:.3f}"
