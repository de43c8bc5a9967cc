"""Evaluate models that answer instructions: likelihood of the reference answers, and the models' own answers."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median

from utils.errors import DataError
from utils.evaluation import length_hints
from utils.evaluation.answer_points import answer_points
from utils.evaluation.draw import draw_rows
from utils.evaluation.likelihood import compare_likelihood, describe_parts, likelihood_table, measure_likelihood
from utils.files import atomic_write
from utils.inference.generation import Generated, generate_from_ids
from utils.inference.sampling import Sampling
from utils.metrics.answers import Answers, answers_difference
from utils.metrics.compute import compute_metric
from utils.metrics.figures import ANSWERS, FIGURES
from utils.models.chat_templates import LENGTHS, borrow_template, open_chat_template, with_length
from utils.models.checkpoint import Trained
from utils.models.tokenization import context_length
from utils.processed import Processed
from utils.terminal.tables import figure_rows, format_table, one_line, with_interval
from utils.text.words import count_words
from utils.training.rows import training_rows

DECODING = ("do_sample", "max_new_tokens", "repetition_penalty", "no_repeat_ngram_size")
LENGTH_ROWS = 50  # at most, to answer with a short, a medium and a long hint each
SHOWN = 3  # rows with the answers of each model


def evaluate_answers(
    models: Mapping[str, Trained], data: Processed, sampling: Sampling, *, limit: int | None, seed: int, precision: str
) -> tuple[dict, list[dict]]:
    """Return (every figure of `models` ("tuned", and "base" to compare it with) as plain JSON values, rows of answers).

    `limit` is the maximum number of rows of the test split, drawn with the seed. Each model is prompted in its own
    chat template, a base model without one in that of the tuned model. All models are measured on the same tokens of
    the same answers: a row whose prompt fills the context of one model is left out for all, and an answer that is too
    long for one is cut for all. A row is {"row", "prompt", "messages", "reference"} and {"text", "tokens", "finished"}
    of each model.
    """
    for trained in models.values():
        borrow_template(trained.tokenizer, models["tuned"].tokenizer)
    templates = {name: open_chat_template(trained.tokenizer) for name, trained in models.items()}
    drawn = draw_rows(len(data.splits["test"]), limit, seed)
    test = data.splits["test"].take(drawn)
    fitting, encoded = _encode_for_all(models, replace(data, splits={"test": test}))
    test = test.take(fitting)

    evaluation = {
        "limit": limit,
        "rows": len(fitting),
        "rows_left_out": len(drawn) - len(fitting),
        "decoding": {name: getattr(sampling, name) for name in DECODING},
    }
    scores, answers = {}, {}
    for name, trained in models.items():
        likelihood, scores[name] = measure_likelihood(
            trained.model, encoded[name], precision, f"scoring, {name}", test.group
        )
        prompts = [list(row["input_ids"][: row["loss_start"]]) for row in encoded[name]]
        answers[name] = _generate_answers(trained, prompts, sampling, templates[name].end, f"answering, {name}")
        figures = compute_metric(
            Answers,
            predictions=[answer.text for answer in answers[name]],
            references=test.completion,
            finished=[answer.finished for answer in answers[name]],
            clusters=test.group,
        )
        evaluation["signatures"] = figures.pop("signatures")
        evaluation[name] = likelihood | figures
    if "base" in models:
        tuned, base = ([answer.text for answer in answers[name]] for name in ("tuned", "base"))
        # Where the two templates end an answer in different tokens, the end is that of each.
        compared = compare_likelihood(scores, encoded, test.group, {name: one.end for name, one in templates.items()})
        evaluation["difference"] = {
            "bits_per_byte": compared["bits_per_byte_difference"],
            **answers_difference(test.completion, tuned, base, test.group),
        }
        evaluation["bits_per_byte_difference_by_part"] = compared["bits_per_byte_difference_by_part"]
    numbers = [drawn[index] for index in fitting]
    evaluation |= answer_points(answers, test, encoded["tuned"], scores["tuned"], numbers)
    if models["tuned"].run.get("lengths"):
        evaluation["lengths"] = _measure_length_hints(models["tuned"], test.metadata["messages"], sampling, seed)
    rows = [
        {
            "row": row,
            "prompt": templates["tuned"].render(messages),
            "messages": messages,
            "reference": reference,
            **{name: vars(own[position]) for name, own in answers.items()},
        }
        for position, (row, messages, reference) in enumerate(
            zip(numbers, test.metadata["messages"], test.completion, strict=True)
        )
    ]
    return evaluation, rows


def format_answers_report(evaluation: dict, rows: Sequence[dict]) -> str:
    """Return the evaluation as text for a terminal: two tables, the differences, and some answers of each model."""
    models = [name for name in ("base", "tuned") if name in evaluation]
    left_out, signatures = evaluation["rows_left_out"], evaluation["signatures"]
    note = f" ({left_out:,} more left out: their prompts fill a model's context)" if left_out else ""
    parts = [
        f"test split: {evaluation['rows']:,} answers{note}; 95% intervals in brackets",
        f"the reference answers ({evaluation['tuned']['tokens']:,} tokens):",
        likelihood_table(evaluation, models),
        f"the models' own answers ({_describe_decoding(evaluation['decoding'])}):",
        format_table(["", *models], figure_rows(ANSWERS, [evaluation[name] for name in models])),
        f"BLEU: {signatures['bleu']}\nchrF: {signatures['chrf']}",
    ]
    if "difference" in evaluation:
        differences = [
            [FIGURES[name].title, with_interval(difference, FIGURES[name].difference_pattern)]
            for name, difference in evaluation["difference"].items()
        ]
        parts.append(format_table(["", "tuned minus base on the same rows"], differences))
        by_part = evaluation["bits_per_byte_difference_by_part"]
        parts.append(f"bits per byte of the answers, of which {describe_parts(by_part)}")
    if evaluation.get("lengths"):
        parts.append(_lengths_table(evaluation["lengths"]))
    parts += [_describe_row(number, row, models) for number, row in enumerate(rows[:SHOWN], start=1)]
    return "\n\n".join(parts)


def write_answers(path: Path, rows: Sequence[dict]) -> None:
    """Write the rows that `evaluate_answers` returned, one JSON object per line."""
    with atomic_write(path, "w") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def _encode_for_all(models: Mapping[str, Trained], data: Processed) -> tuple[list[int], dict[str, list[dict]]]:
    """Return (indices of the test rows that fit every model, the encoded rows of each model).

    A base model and its tuned model have the same tokenizer, but their prompts, and so the room for the answer, may
    differ: answers are cut to the tokens that fit all models.
    """
    by_index = {}
    for name, trained in models.items():
        rows = training_rows(data, trained.tokenizer, context_length(trained.model), ["test"])["test"]
        by_index[name] = {row["number"]: row for row in rows}
    fitting = sorted(set.intersection(*(set(rows) for rows in by_index.values())))
    if not fitting:
        raise DataError(
            "no test row leaves room for an answer in the model's context",
            "use a model with a longer context, or preprocess shorter rows",
        )
    encoded = {name: [] for name in models}
    for index in fitting:
        rows = {name: by_index[name][index] for name in models}
        length = min(len(row["input_ids"]) - row["loss_start"] for row in rows.values())
        text_bytes = min(row["bytes"] for row in rows.values())
        for name, row in rows.items():
            ids = row["input_ids"][: row["loss_start"] + length]
            encoded[name].append({**row, "input_ids": ids, "bytes": text_bytes})
    return fitting, encoded


def _generate_answers(
    trained: Trained, prompts: Sequence[list[int]], sampling: Sampling, end: int, progress: str
) -> list[Generated]:
    texts = generate_from_ids(trained.model, trained.tokenizer, prompts, sampling, progress=progress, end=end)
    return [replace(text, text=text.text.strip()) for (text,) in texts]


def _measure_length_hints(
    trained: Trained, conversations: Sequence[list[dict]], sampling: Sampling, seed: int
) -> dict | None:
    """Return the number of words in the model's answers when a short, a medium and a long answer is requested."""
    template, context = open_chat_template(trained.tokenizer), context_length(trained.model)
    drawn = [conversations[index] for index in draw_rows(len(conversations), LENGTH_ROWS, seed)]
    prompts = {length: template.encode([with_length(one, length) for one in drawn]) for length in LENGTHS}
    fitting = [row for row in range(len(drawn)) if all(len(prompts[length][row]) < context for length in LENGTHS)]
    if not fitting:
        return None
    measured = {"rows": len(fitting), "most_words_in_training": trained.run["lengths"]}
    for length in LENGTHS:
        of_length = [prompts[length][row] for row in fitting]
        answers = _generate_answers(trained, of_length, sampling, template.end, f"answering, {length}")
        measured[length] = {
            "median_words": median(count_words(answer.text) for answer in answers),
            "finished": sum(answer.finished for answer in answers) / len(answers),
        }
    return measured


def _describe_decoding(decoding: dict) -> str:
    parts = ["greedy", f"at most {decoding['max_new_tokens']:,} tokens"]
    if decoding["repetition_penalty"] != 1:
        parts.append(f"repetition penalty {decoding['repetition_penalty']:g}")
    if decoding["no_repeat_ngram_size"]:
        parts.append(f"no {decoding['no_repeat_ngram_size']}-gram of tokens twice")
    return ", ".join(parts)


def _lengths_table(lengths: dict) -> str:
    table = format_table(length_hints.HEADER, length_hints.rows(lengths))
    return f"length hints, on {lengths['rows']} rows:\n\n{table}"


def _describe_row(number: int, row: dict, models: Sequence[str]) -> str:
    message = row["messages"][-1]
    lines = [
        f"{number}. {one_line(' · '.join(filter(None, (message['content'], message.get('input')))))}",
        f"   data: {one_line(row['reference'])}",
    ]
    for name in models:
        cut = "" if row[name]["finished"] else f" (cut after {row[name]['tokens']:,} tokens)"
        lines.append(f"   {name}: {one_line(row[name]['text'])}{cut}")
    return "\n".join(lines)
