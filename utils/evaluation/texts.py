"""The evaluation of models that write: likelihood on the test split, variety, and copying from the training texts."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from utils.compute.likelihood import score_texts
from utils.inference.generation import generate_texts
from utils.inference.sampling import Sampling
from utils.metrics.compute import compute_metric
from utils.metrics.copying import Copying
from utils.metrics.distinct import Distinct
from utils.metrics.likelihood import Likelihood, bits_per_byte_difference
from utils.models.tokenization import context_length
from utils.text_tables import format_table, with_interval
from utils.training.rows import training_rows

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from utils.models.checkpoint import Trained
    from utils.processed import Processed

TEST_TEXTS = "test texts"  # the measure of what people repeat of themselves and of each other


def evaluate_texts(
    models: Mapping[str, "Trained"],
    data: "Processed",
    num_samples: int,
    max_new_tokens: int,
    seed: int,
    device: str,
    precision: str,
) -> dict:
    """Every figure of `models` ("tuned", and "base" if wanted) on the test split, as plain JSON values.

    The texts of the test split are measured beside the written ones: they too repeat words and copy.
    """
    likelihood, nats, written = {}, {}, {}
    for name, trained in models.items():
        model = trained.model.to(device)
        rows = training_rows(data, trained.tokenizer, context_length(model), ["test"])["test"]
        likelihood[name], nats[name] = likelihood_of(model, rows, precision, progress=f"scoring, {name}")
        sampling = Sampling(num_return_sequences=num_samples, max_new_tokens=max_new_tokens, seed=seed)
        texts = generate_texts(model, trained.tokenizer, [""], sampling, progress=f"writing, {name}")[0]
        written[name] = [text.text.strip() for text in texts]
    compared = {**written, TEST_TEXTS: data.splits["test"].completion[:num_samples]}
    evaluation = {
        **likelihood,
        "distinct": {name: compute_metric(Distinct, predictions=texts) for name, texts in compared.items()},
        "copying": {
            name: compute_metric(Copying, predictions=texts, training_texts=data.splits["train"].completion)
            for name, texts in compared.items()
        },
        "written": written,
    }
    if "base" in models:
        sizes = [row["bytes"] for row in rows]  # both have the same tokenizer and context, so the same texts are cut
        evaluation["bits_per_byte_difference"] = bits_per_byte_difference(nats["tuned"], nats["base"], sizes)
    return evaluation


def likelihood_of(
    model: "PreTrainedModel", rows: Sequence[dict], precision: str, progress: str
) -> tuple[dict, list[float]]:
    """(the figures of `metrics.likelihood`, the nats of each row) of rows {"input_ids", "loss_start", "bytes"}."""
    scores = score_texts(model, rows, bfloat16=precision == "bf16", progress=progress)
    references = [
        {"tokens": tokens, "bytes": row["bytes"], "correct": right}
        for row, tokens, right in zip(rows, scores.tokens, scores.correct, strict=True)
    ]
    return compute_metric(Likelihood, predictions=scores.nll, references=references), scores.nll


def likelihood_table(evaluation: dict, models: Sequence[str]) -> str:
    """The likelihood of each model, in columns."""
    rows = [
        ["perplexity", *(with_interval(evaluation[name]["perplexity"], "{:.1f}") for name in models)],
        ["bits per byte", *(with_interval(evaluation[name]["bits_per_byte"], "{:.3f}") for name in models)],
        ["token accuracy", *(with_interval(evaluation[name]["token_accuracy"], "{:.3f}") for name in models)],
    ]
    return format_table(["", *models], rows)


def format_report_of_texts(evaluation: dict, models: Sequence[str], shown: int) -> str:
    """The evaluation as text for a terminal: two tables, the difference, and texts of each model."""
    first = evaluation[models[0]]
    parts = [
        f"test split: {first['texts']:,} texts, {first['tokens']:,} tokens; 95 % intervals in brackets",
        likelihood_table(evaluation, models),
    ]
    if "bits_per_byte_difference" in evaluation:
        difference = with_interval(evaluation["bits_per_byte_difference"], "{:+.3f}")
        parts.append(f"bits per byte, tuned less base on the same texts: {difference}")
    columns = [*models, TEST_TEXTS]
    distinct, copying = evaluation["distinct"], evaluation["copying"]
    variety = [
        ["distinct-1", *(_share(distinct[name]["distinct_1"]) for name in columns)],
        ["distinct-2", *(_share(distinct[name]["distinct_2"]) for name in columns)],
        ["exact copies of a training text", *(_share(copying[name]["exact_copies"]) for name in columns)],
        ["copying 8 words or more in a row", *(_share(copying[name]["copied_8"]) for name in columns)],
        ["longest copied run, words", *(str(copying[name]["longest_copied_words"]) for name in columns)],
    ]
    parts += [f"{copying[models[0]]['texts']} texts of each", format_table(["", *columns], variety)]
    for name in models:
        texts = [
            f"  {number}. {' '.join(text.split())}"
            for number, text in enumerate(evaluation["written"][name][:shown], 1)
        ]
        parts.append("\n".join([f"{name} model writes:", *texts]))
    return "\n\n".join(parts)


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
