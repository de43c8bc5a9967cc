"""What evaluate_model.py shows of a model that answers instructions: tables, differences, and answers side by side."""

from collections.abc import Sequence

from utils.formatting import format_table, one_line, with_interval
from utils.judging import likelihood_table
from utils.templates import LENGTHS

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


def report(evaluation: dict, rows: Sequence[dict]) -> str:
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
