"""The evaluation of models that write emoji: where the right one stands, beside the nearest training description's.

MERGED: What evaluate_model.py shows of a model that writes emoji: the figures in a table, differences, and mistakes."""

import csv
import logging
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from utils.files import atomic_write
from utils.inference.emoji_memory import nearest_emoji, open_memory, rank_with_memory
from utils.inference.emoji_ranking import RankedEmoji, generate_unconstrained, rank_emoji
from utils.metrics.compute import compute_metric
from utils.metrics.ranking import RANKING_DEPTH, Ranking, places_of, share_difference, share_with_interval
from utils.preprocessing.emoji_unicode import format_code_points
from utils.text.words import text_key
from utils.text_tables import NO_FIGURE, format_table, one_line, with_interval

if TYPE_CHECKING:
    from utils.models.checkpoint import Trained
    from utils.processed import Processed, Split

log = logging.getLogger(__name__)
SHOWN = 10  # mistakes
NEAREST = "nearest_description"
ALONE = "tuned_alone"
MEASURED_ON = {"concept": "unseen concepts", "description": "unseen wording of known emoji"}


def evaluate_emoji(
    models: Mapping[str, "Trained"],
    data: "Processed",
    *,
    limit: int | None,
    seed: int,
    device: str,
    precision: str,
) -> tuple[dict, list[dict]]:
    """(every figure of `models` ("tuned", and "base" if wanted) and of the baseline, as plain JSON values; mistakes).

    Right is the row's own emoji, and every other that has the same description (but for case, blanks and punctuation)
    anywhere in the data; its group and concept are right then, too. All models rank the targets of the tuned one, or of
    the data where that is from elsewhere. Ranks count down to `ranking.DEPTH`. Intervals are over concepts, of which
    the rows stand and fall together. Where the tuned model remembers its training descriptions, "tuned" is with them
    and "tuned_alone" without. `limit` is the most rows of the test split that are taken, drawn with the seed.

    The mistakes, the most confident first, are the tuned model's: {"description", "emoji", "group", "prediction",
    "prediction_group", "probability", "right_concept", "place"}, the last one the right emoji's place or None.
    """
    rows = range(len(data.splits["test"]))
    test = data.splits["test"].take(sorted(random.Random(seed).sample(rows, min(limit or len(rows), len(rows)))))
    run = models["tuned"].run or data.recipe
    train = data.splits["train"]
    trained_emoji = set(train.metadata["emoji"])
    judged = _RankedTestRows(test, _right_emoji(data, test), run["targets"], seed)

    evaluation = {
        "target": run.get("target", "emoji"),
        "split_by": data.recipe["split_by"],
        "measured_on": MEASURED_ON[data.recipe["split_by"]],
        "limit": limit,
        "rows": len(test),
        "concepts": len(set(test.group)),
        "targets": len(run["targets"]),
        "depth": RANKING_DEPTH,
        "rows_of_trained_emoji": sum(emoji in trained_emoji for emoji in test.metadata["emoji"]),
    }
    memory = open_memory(run)
    named, exists = {}, {target[1] for target in run["targets"]}
    for name, trained in models.items():
        trained = replace(trained, run=run)
        trained.model.to(device)
        options = {"bfloat16": precision == "bf16", "progress": f"ranking, {name}"}
        if memory and name == "tuned":
            ranked, alone = rank_with_memory(trained, memory, test.prompt, RANKING_DEPTH, **options)
        else:
            ranked = rank_emoji(trained, test.prompt, RANKING_DEPTH, until=judged.right, **options)
        named[name] = [[one.emoji for one in row] for row in ranked]
        free = generate_unconstrained(trained, test.prompt, progress=f"writing, {name}")
        evaluation[name] = {
            **judged.figures(named[name]),
            "valid_constrained": judged.share([row[0] in exists for row in named[name]]),
            "valid_unconstrained": judged.share([emoji is not None for emoji in free]),
        }
    if memory:
        evaluation[ALONE] = judged.figures([[one.emoji for one in row] for row in alone])
    named[NEAREST] = nearest_emoji(train.prompt, train.metadata["emoji"], test.prompt, RANKING_DEPTH)
    evaluation["baselines"] = {NEAREST: judged.figures(named[NEAREST])}
    tuned, *others = (judged.hits(named[name]) for name in ("tuned", NEAREST, "base") if name in named)
    evaluation["difference"] = {
        name: {"top_1": share_difference(tuned, theirs, test.group, seed)}
        for name, theirs in zip((NEAREST, "base"), others, strict=False)
    }
    evaluation["verdict"] = _verdict(evaluation["difference"][NEAREST]["top_1"])
    if evaluation["difference"][NEAREST]["top_1"]["low"] <= 0:
        log.warning("warning: the model is %s", evaluation["verdict"])
    mistakes = judged.mistakes(ranked)  # the tuned model is the last
    return {**evaluation, "mistakes": len(mistakes), "most_confident_mistakes": mistakes[:SHOWN]}, mistakes


class _RankedTestRows:
    """The test rows, with what is right for each of them: emoji, groups (empty where the data has none), concepts."""

    def __init__(self, test: "Split", right: Sequence[Sequence[str]], targets: Sequence[Sequence], seed: int):
        self.test, self.right, self.seed = test, right, seed
        self.group_of = {target[1]: target[2] for target in targets}
        self.concept_of = {target[1]: target[3] for target in targets}
        self.groups = [
            {group, *(self.group_of.get(emoji) for emoji in emojis)} - {None} if group else set()
            for group, emojis in zip(test.metadata["group"], right, strict=True)
        ]
        self.concepts = [
            {concept, *(self.concept_of.get(emoji) for emoji in emojis)} - {None}
            for concept, emojis in zip(test.group, right, strict=True)
        ]

    def figures(self, named: Sequence[Sequence[str]]) -> dict:
        """What rankings come to, those of a model or of a baseline."""
        found = compute_metric(
            Ranking, predictions=named, references=self.right, clusters=self.test.group, seed=self.seed
        )
        firsts = [row[0] if row else None for row in named]
        in_group = [self.group_of.get(first) in groups for first, groups in zip(firsts, self.groups, strict=True)]
        return {
            **{name: found[name] for name in ("top_1", "top_5", "mean_reciprocal_rank")},
            "concept_accuracy": self.share(
                [self.concept_of.get(first) in right for first, right in zip(firsts, self.concepts, strict=True)]
            ),
            "group_accuracy": self.share(in_group, [row for row, groups in enumerate(self.groups) if groups]),
        }

    def share(self, outcomes: Sequence[bool], rows: Sequence[int] | None = None) -> dict | None:
        """The share of true outcomes, of these rows; None where there are none."""
        rows = range(len(outcomes)) if rows is None else rows
        if not rows:
            return None
        return share_with_interval([outcomes[row] for row in rows], [self.test.group[row] for row in rows], self.seed)

    def hits(self, named: Sequence[Sequence[str]]) -> list[bool]:
        """Whether the first emoji is right."""
        return [bool(row) and row[0] in right for row, right in zip(named, self.right, strict=True)]

    def mistakes(self, ranked: Sequence[Sequence[RankedEmoji]]) -> list[dict]:
        named = [[one.emoji for one in row] for row in ranked]
        found = [
            {
                "description": self.test.prompt[row],
                "emoji": self.test.metadata["emoji"][row],
                "group": self.test.metadata["group"][row],
                "prediction": named[row][0],
                "prediction_group": self.group_of[named[row][0]],
                "probability": ranked[row][0].probability,
                "right_concept": self.concept_of[named[row][0]] in self.concepts[row],
                "place": place,
            }
            for row, place in enumerate(places_of(named, self.right))
            if place != 1
        ]
        return sorted(found, key=lambda mistake: -mistake["probability"])


def _right_emoji(data: "Processed", test: "Split") -> list[list[str]]:
    same = {}
    for split in data.splits.values():
        for description, emoji in zip(split.prompt, split.metadata["emoji"], strict=True):
            same.setdefault(text_key(description), set()).add(emoji)
    return [sorted(same[text_key(description)]) for description in test.prompt]


def _verdict(difference: dict) -> str:
    side = "better" if difference["low"] > 0 else "worse" if difference["high"] < 0 else "not clearly better"
    return f"{side} in top-1 ({with_interval(difference, '{:+.3f}')}) than the nearest training description"


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


def format_report_of_emoji(evaluation: dict) -> str:
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
