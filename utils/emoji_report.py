"""What evaluate_model.py shows of a model that writes emoji: the figures in a table, differences, and mistakes."""

import csv
from collections.abc import Sequence
from pathlib import Path

from utils.emoji_tables.code_points import format_code_points
from utils.files import atomic_write
from utils.formatting import NO_FIGURE, format_table, one_line, with_interval
from utils.judging_emoji import ALONE, NEAREST

NAMES = {"base": "base", "tuned": "tuned", ALONE: "tuned, without memory", NEAREST: "nearest training description"}
FIGURES = {
    "top_1": "top-1",
    "top_5": "top-5",
    "mean_reciprocal_rank": "mean reciprocal rank",
    "concept_accuracy": "top-1, right concept",
    "group_accuracy": "top-1, right group",
    "valid_constrained": "real emoji",
    "valid_unconstrained": "real emoji, unconstrained",
}

COLUMNS = (
    *("description", "emoji", "codepoints", "group", "prediction", "prediction_codepoints", "prediction_group"),
    *("probability", "right_concept", "place"),
)


def report(evaluation: dict) -> str:
    """The evaluation as text for a terminal."""
    models = {name: evaluation[name] for name in ("base", "tuned", ALONE) if name in evaluation}
    columns = models | evaluation["baselines"]
    figures = [
        [title, *(with_interval(found.get(name), "{:.3f}") for found in columns.values())]
        for name, title in FIGURES.items()
    ]
    parts = [
        f"test split, {evaluation['measured_on']}: {evaluation['rows']:,} descriptions of {evaluation['concepts']:,} "
        f"concepts, {evaluation['targets']:,} emoji to choose from; 95 % intervals (over concepts) in brackets",
        format_table(["", *(NAMES[name] for name in columns)], figures),
        f"Ranks count among the first {evaluation['depth']}. A skin tone or gender that is not the one described is a "
        "mistake, and the right concept. Unconstrained is the likeliest token each time.",
        f"The nearest training description is that by TF-IDF of 2 to 5 characters. {_reach(evaluation)}"
        + (" Memory is a half share of it in each probability." if ALONE in evaluation else ""),
        f"{NAMES['tuned']} on the same descriptions: {evaluation['verdict']}",
    ]
    if "base" in evaluation["difference"]:
        difference = with_interval(evaluation["difference"]["base"]["top_1"], "{:+.3f}")
        parts.append(f"top-1, tuned less base on the same descriptions: {difference}")
    shown = evaluation["most_confident_mistakes"]
    if shown:
        rows = [
            [
                *(f"{one['probability']:.3f}", str(one["place"] or NO_FIGURE), one_line(one["description"], 60)),
                *(one["prediction"], one["emoji"]),  # last, since terminals don't agree on how wide an emoji is
            ]
            for one in shown
        ]
        parts += [
            f"the most confident {len(shown)} of {evaluation['mistakes']:,} mistakes:",
            format_table(["probability", "place of the right one", "description", "written", "right"], rows),
        ]
    return "\n\n".join(parts)


def write_mistakes(path: Path, mistakes: Sequence[dict]) -> None:
    """Every mistake that `judging_emoji.judge` returned as a row of a CSV; `place` is that of the right emoji."""
    with atomic_write(path, "w") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for one in mistakes:
            emoji, prediction = one["emoji"], one["prediction"]
            writer.writerow(
                [
                    *(one["description"], emoji, format_code_points(emoji), one["group"]),
                    *(prediction, format_code_points(prediction), one["prediction_group"], f"{one['probability']:.6f}"),
                    *("yes" if one["right_concept"] else "no", one["place"]),
                ]
            )


def _reach(evaluation: dict) -> str:
    known, rows = evaluation["rows_of_trained_emoji"], evaluation["rows"]
    if known == 0:
        return (
            "It can only name emoji that have one, and none of these have: it is right by a shared description alone."
        )
    return f"It can only name emoji that have one: those of {known:,} of these {rows:,} descriptions."
