"""Evaluate models that write texts: likelihood of the test split, variety, and copying from the training texts."""

from collections.abc import Mapping
from dataclasses import replace

from utils.evaluation.likelihood import compare_likelihood, describe_parts, likelihood_table, measure_likelihood
from utils.evaluation.single_texts import measure_single_texts, per_text
from utils.evaluation.written import measure_written
from utils.inference.generation import generate_texts
from utils.inference.sampling import Sampling
from utils.metrics.compute import compute_metric
from utils.metrics.copying import Copying
from utils.metrics.distinct import Distinct
from utils.metrics.figures import FIGURES
from utils.models.checkpoint import Trained
from utils.models.tokenization import context_length, start_and_end
from utils.processed import Processed
from utils.terminal.tables import NO_FIGURE, format_table, with_interval
from utils.training.rows import training_rows

SHOWN = 5  # texts of each model
TEST_TEXTS = "test texts"


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
        written[name] = [replace(text, text=text.text.strip()) for text in texts]
    train, test = data.splits["train"], data.splits["test"]
    texts = {name: [text.text for text in of_model] for name, of_model in written.items()}
    samples = {**texts, TEST_TEXTS: test.completion[:num_samples]}
    copying = {
        name: compute_metric(Copying, predictions=some, training_texts=train.completion)
        for name, some in samples.items()
    }
    evaluation = {
        **likelihood,
        "distinct": {name: compute_metric(Distinct, predictions=some) for name, some in samples.items()},
        "copying": copying,
        **measure_written(written, copying, TEST_TEXTS, test, train),
        "single_texts": measure_single_texts(models["tuned"], data, rows, scores, precision=precision, seed=seed),
        "written": texts,
        "per_text": per_text(rows, scores["tuned"], groups),
    }
    if "base" in models:
        # Both models have the same tokenizer and context length, so the same texts are cut.
        ends = {name: start_and_end(trained.tokenizer)[1] for name, trained in models.items()}
        evaluation |= compare_likelihood(scores, dict.fromkeys(models, rows), groups, ends)
    return evaluation


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
        f"test split: {tuned['texts']:,} texts, {tuned['tokens']:,} tokens; 95% intervals in brackets",
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
