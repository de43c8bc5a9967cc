"""The evaluation of models that answer instructions: likelihood of the test answers, and answers of their own.

MERGED: What evaluate_model.py shows of a model that answers instructions: tables, differences, and answers side by side."""

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from utils.errors import DataError
from utils.evaluation.texts import likelihood_of, likelihood_table
from utils.files import atomic_write
from utils.inference.generation import Generated, generate_from_ids
from utils.inference.sampling import Sampling
from utils.metrics.answers import Answers, answers_difference
from utils.metrics.compute import compute_metric
from utils.metrics.likelihood import bits_per_byte_difference
from utils.models.chat_templates import LENGTHS, borrow_template, open_chat_template, with_length
from utils.models.tokenization import context_length
from utils.text.words import count_words
from utils.text_tables import format_table, one_line, with_interval
from utils.training.rows import training_rows

if TYPE_CHECKING:
    from utils.models.checkpoint import Trained
    from utils.processed import Processed

DECODING = ("do_sample", "max_new_tokens", "repetition_penalty", "no_repeat_ngram_size")
MOST_HINTED = 50  # rows that are asked for a short, a medium and a long answer


def evaluate_answers(
    models: Mapping[str, "Trained"],
    data: "Processed",
    sampling: Sampling,
    *,
    limit: int | None,
    seed: int,
    device: str,
    precision: str,
) -> tuple[dict, list[dict]]:
    """(every figure of `models` ("tuned", and "base" if wanted) as plain JSON values, the rows behind them).

    `limit` is the most rows of the test split that are taken, drawn with the seed. Each model is asked in its own
    chat template, a base model without one in that of the tuned model. All are measured on the same tokens of the
    same answers: a row whose prompt fills the context of one is left out for all, and an answer is cut for all.
    A row is {"row", "prompt", "messages", "reference"} and {"text", "tokens", "finished"} of each model.
    """
    for trained in models.values():
        borrow_template(trained.tokenizer, models["tuned"].tokenizer)
    forms = {name: open_chat_template(trained.tokenizer) for name, trained in models.items()}
    places = _drawn(len(data.splits["test"]), limit, seed)
    test = data.splits["test"].take(places)
    numbers, encoded = _same_answers(models, replace(data, splits={"test": test}))
    test = test.take(numbers)

    evaluation = {
        "limit": limit,
        "rows": len(numbers),
        "rows_left_out": len(places) - len(numbers),
        "decoding": {name: getattr(sampling, name) for name in DECODING},
    }
    nats, written = {}, {}
    for name, trained in models.items():
        model = trained.model.to(device)
        likelihood, nats[name] = likelihood_of(model, encoded[name], precision, progress=f"scoring, {name}")
        prompts = [list(row["input_ids"][: row["loss_start"]]) for row in encoded[name]]
        written[name] = _generate_answers(trained, prompts, sampling, forms[name].end, f"answering, {name}")
        answers = compute_metric(
            Answers,
            predictions=[answer.text for answer in written[name]],
            references=test.completion,
            finished=[answer.finished for answer in written[name]],
        )
        evaluation["signatures"] = answers.pop("signatures")
        evaluation[name] = likelihood | answers
    if "base" in models:
        sizes = [row["bytes"] for row in encoded["base"]]
        tuned, base = ([answer.text for answer in written[name]] for name in ("tuned", "base"))
        evaluation["difference"] = {
            "bits_per_byte": bits_per_byte_difference(nats["tuned"], nats["base"], sizes),
            **answers_difference(test.completion, tuned, base),
        }
    if models["tuned"].run.get("lengths"):
        evaluation["lengths"] = _by_length(models["tuned"], test.metadata["messages"], sampling, seed)
    rows = [
        {
            "row": places[number],
            "prompt": forms["tuned"].render(messages),
            "messages": messages,
            "reference": reference,
            **{name: vars(answers[place]) for name, answers in written.items()},
        }
        for place, (number, messages, reference) in enumerate(
            zip(numbers, test.metadata["messages"], test.completion, strict=True)
        )
    ]
    return evaluation, rows


def write_answers(path: Path, rows: Sequence[dict]) -> None:
    """The rows that `judge` returned, as one JSON object a line."""
    with atomic_write(path, "w") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def _drawn(total: int, limit: int | None, seed: int) -> list[int]:
    """At most `limit` of the numbers below `total`, in ascending order."""
    return sorted(random.Random(seed).sample(range(total), min(limit or total, total)))


def _same_answers(models: Mapping[str, "Trained"], data: "Processed") -> tuple[list[int], dict[str, list[dict]]]:
    """(numbers of the test rows that fit every model, the encoded rows of each), the answers cut to the same tokens.

    A base model and what was made of it have one tokenizer; their prompts, and so the room they leave, may differ.
    """
    encoded = {}
    for name, trained in models.items():
        rows = training_rows(data, trained.tokenizer, context_length(trained.model), ["test"])["test"]
        encoded[name] = {row["number"]: row for row in rows}
    numbers = sorted(set.intersection(*(set(rows) for rows in encoded.values())))
    if not numbers:
        raise DataError(
            "no test row leaves room for an answer in the model's context",
            "use a model with a longer context, or preprocess shorter rows",
        )
    same = {name: [] for name in models}
    for number in numbers:
        rows = {name: encoded[name][number] for name in models}
        length = min(len(row["input_ids"]) - row["loss_start"] for row in rows.values())
        size = min(row["bytes"] for row in rows.values())
        for name, row in rows.items():
            same[name].append({**row, "input_ids": row["input_ids"][: row["loss_start"] + length], "bytes": size})
    return numbers, same


def _generate_answers(
    trained: "Trained", prompts: Sequence[list[int]], sampling: Sampling, end: int, progress: str
) -> list[Generated]:
    texts = generate_from_ids(trained.model, trained.tokenizer, prompts, sampling, progress=progress, end=end)
    return [replace(text, text=text.text.strip()) for (text,) in texts]


def _by_length(trained: "Trained", conversations: Sequence[list[dict]], sampling: Sampling, seed: int) -> dict | None:
    """How many words the model writes where it is asked for a short, a medium and a long answer."""
    form, context = open_chat_template(trained.tokenizer), context_length(trained.model)
    asked = [conversations[number] for number in _drawn(len(conversations), MOST_HINTED, seed)]
    prompts = {length: form.encode([with_length(one, length) for one in asked]) for length in LENGTHS}
    fitting = [place for place in range(len(asked)) if all(len(prompts[length][place]) < context for length in LENGTHS)]
    if not fitting:
        return None
    found = {"rows": len(fitting), "most_words_in_training": trained.run["lengths"]}
    for length in LENGTHS:
        chosen = [prompts[length][place] for place in fitting]
        answers = _generate_answers(trained, chosen, sampling, form.end, f"answering, {length}")
        found[length] = {
            "median_words": median(count_words(answer.text) for answer in answers),
            "finished": sum(answer.finished for answer in answers) / len(answers),
        }
    return found


SHOWN = 3  # answers of each model
ANSWERS = {
    "bleu": ("BLEU", "{:.2f}"),
    "chrf": ("chrF", "{:.2f}"),
    "rouge_l": ("ROUGE-L", "{:.3f}"),
    "finished": ("ended by themselves", "{:.1%}"),
    "repetition": ("repeated 4-grams", "{:.1%}"),
    "length_ratio": ("words per word of the references", "{:.2f}"),
}
DIFFERENCES = {
    "bits_per_byte": ("bits per byte", "{:+.3f}"),
    "bleu": ("BLEU", "{:+.2f}"),
    "chrf": ("chrF", "{:+.2f}"),
    "rouge_l": ("ROUGE-L", "{:+.3f}"),
}


def format_report_of_answers(evaluation: dict, rows: Sequence[dict]) -> str:
    """The evaluation as text for a terminal: two tables, the differences, and some answers of each model."""
    models = [name for name in ("base", "tuned") if name in evaluation]
    answers = [
        [title, *(with_interval(evaluation[model][name], pattern) for model in models)]
        for name, (title, pattern) in ANSWERS.items()
    ]
    left_out = evaluation["rows_left_out"]
    asides = f" ({left_out:,} more left out: their prompts fill a model's context)" if left_out else ""
    signatures = evaluation["signatures"]
    parts = [
        f"test split: {evaluation['rows']:,} answers{asides}; 95 % intervals in brackets",
        f"the data's answers ({evaluation['tuned']['tokens']:,} tokens):",
        likelihood_table(evaluation, models),
        f"the models' own answers ({_decoding(evaluation['decoding'])}):",
        format_table(["", *models], answers),
        f"BLEU: {signatures['bleu']}\nchrF: {signatures['chrf']}",
    ]
    if "difference" in evaluation:
        differences = [
            [title, with_interval(evaluation["difference"][name], pattern)]
            for name, (title, pattern) in DIFFERENCES.items()
        ]
        parts.append(format_table(["", "tuned less base on the same rows"], differences))
    if evaluation.get("lengths"):
        parts.append(_lengths_table(evaluation["lengths"]))
    parts += [_shown(number, row, models) for number, row in enumerate(rows[:SHOWN], start=1)]
    return "\n\n".join(parts)


def _decoding(decoding: dict) -> str:
    parts = ["greedy", f"at most {decoding['max_new_tokens']:,} tokens"]
    if decoding["repetition_penalty"] != 1:
        parts.append(f"repetition penalty {decoding['repetition_penalty']:g}")
    if decoding["no_repeat_ngram_size"]:
        parts.append(f"no {decoding['no_repeat_ngram_size']} tokens in a row twice")
    return ", ".join(parts)


def _lengths_table(lengths: dict) -> str:
    most = lengths["most_words_in_training"]
    rows = [
        [
            length,
            f"{lengths[length]['median_words']:g}",
            f"at most {most[length]}" if length in most else "more",
            f"{lengths[length]['finished']:.0%}",
        ]
        for length in LENGTHS
    ]
    header = ["asked for", "median words", "words in training", "ended"]
    return f"the length hints, on {lengths['rows']} rows:\n\n{format_table(header, rows)}"


def _shown(number: int, row: dict, models: Sequence[str]) -> str:
    asked = row["messages"][-1]
    lines = [
        f"{number}. {one_line(' · '.join(filter(None, (asked['content'], asked.get('input')))))}",
        f"   data: {one_line(row['reference'])}",
    ]
    for name in models:
        cut = "" if row[name]["finished"] else f" (cut after {row[name]['tokens']:,} tokens)"
        lines.append(f"   {name}: {one_line(row[name]['text'])}{cut}")
    return "\n".join(lines)
