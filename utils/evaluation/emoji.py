"""Evaluate emoji models: the rank of the right emoji, beside the nearest training description's."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from utils.evaluation.baselines import verdict
from utils.evaluation.draw import draw_rows
from utils.evaluation.emoji_points import EXAMPLE_EMOJI, emoji_points
from utils.inference.emoji_memory import nearest_emoji, open_memory, rank_with_memory
from utils.inference.emoji_ranking import RankedEmoji, generate_unconstrained, rank_emoji
from utils.metrics.compute import compute_metric
from utils.metrics.figures import EMOJI, FIGURES
from utils.metrics.ranking import RANKING_DEPTH, Ranking, places_of
from utils.metrics.shares import share_difference_interval, share_interval
from utils.models.checkpoint import Trained
from utils.preprocessing.emoji.unicode import format_code_points
from utils.processed import Processed, Split
from utils.terminal.tables import NO_FIGURE, figure_rows, format_table, one_line, with_interval
from utils.text.emoji_wording import description_key

log = logging.getLogger(__name__)
SHOWN = 10  # mistakes
NEAREST, WITHOUT_MEMORY = "nearest_description", "tuned_alone"
TITLES = {"base": "base", "tuned": "tuned"}
TITLES |= {WITHOUT_MEMORY: "tuned, without memory", NEAREST: "nearest training description"}
MEASURED_ON = {"concept": "unseen concepts", "description": "unseen wording of known emoji"}


def evaluate_emoji(
    models: Mapping[str, Trained], data: Processed, *, limit: int | None, seed: int, precision: str
) -> tuple[dict, list[dict]]:
    """Return (every figure of `models` ("tuned", and "base" to compare it with) and of the baseline; all mistakes).

    Right is the row's own emoji, and any other emoji that has the same description (up to spelling, see
    `description_key`) anywhere in the data; its group and concept are right too. All models rank the targets of the
    tuned model, or of the data if the tuned model has no run.json. Ranks count among the first `RANKING_DEPTH`.
    Intervals are over concepts, since rows of one concept are right or wrong together. If the tuned model remembers its
    training descriptions, "tuned" is measured with them and "tuned_alone" without. `limit` is the maximum number of
    rows of the test split, drawn with the seed. The figures are plain JSON values.

    The mistakes are the tuned model's, the most confident first: {"description", "emoji", "group", "prediction",
    "prediction_group", "probability", "right_concept", "place"}; "place" is that of the right emoji, or None.
    """
    drawn = draw_rows(len(data.splits["test"]), limit, seed)
    test = data.splits["test"].take(drawn)
    run = models["tuned"].run or data.recipe
    train = data.splits["train"]
    trained_emoji = set(train.metadata["emoji"])
    truth = _Truth(test, _right_emoji(data, test), run["targets"])

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
    rankings = {}
    for name, trained in models.items():
        trained = replace(trained, run=run)
        options = {"bfloat16": precision == "bf16", "progress": f"ranking, {name}"}
        if memory and name == "tuned":
            ranked, without_memory = rank_with_memory(trained, memory, test.prompt, RANKING_DEPTH, **options)
        else:
            ranked = rank_emoji(trained, test.prompt, RANKING_DEPTH, until=truth.right, **options)
        rankings[name] = _emoji_of(ranked)
        unconstrained = generate_unconstrained(trained, test.prompt, progress=f"writing, {name}")
        evaluation[name] = {
            **truth.measure(rankings[name]),
            "valid_constrained": truth.share([ranking[0] in truth.group_of for ranking in rankings[name]]),
            "valid_unconstrained": truth.share([emoji is not None for emoji in unconstrained]),
        }
    if memory:
        rankings[WITHOUT_MEMORY] = _emoji_of(without_memory)
        evaluation[WITHOUT_MEMORY] = truth.measure(rankings[WITHOUT_MEMORY])
    rankings[NEAREST] = nearest_emoji(train.prompt, train.metadata["emoji"], test.prompt, RANKING_DEPTH)
    evaluation["baselines"] = {NEAREST: truth.measure(rankings[NEAREST])}
    correct = {name: truth.correct(rankings[name]) for name in ("tuned", NEAREST, "base") if name in rankings}
    evaluation["difference"] = {
        name: {"top_1": share_difference_interval(correct["tuned"], of_other, test.group)}
        for name, of_other in correct.items()
        if name != "tuned"
    }
    difference = evaluation["difference"][NEAREST]
    evaluation["verdict"] = verdict(difference, f"the {TITLES[NEAREST]}")
    if difference["top_1"]["low"] <= 0:
        log.warning("warning: the model is %s", evaluation["verdict"])

    def first_emoji(rows: list[int]) -> list[list[RankedEmoji]]:
        if memory:
            return [ranked[row] for row in rows]
        return rank_emoji(trained, [test.prompt[row] for row in rows], EXAMPLE_EMOJI, bfloat16=precision == "bf16")

    evaluation |= emoji_points(rankings, ranked, truth.right, test, drawn, first_emoji, truth.concept_of, seed)
    mistakes = truth.mistakes(ranked)  # the tuned model is the last one
    return {**evaluation, "mistakes": len(mistakes), "most_confident_mistakes": mistakes[:SHOWN]}, mistakes


def format_emoji_report(evaluation: dict) -> str:
    """Return the evaluation as text for a terminal: the figures in a table, differences, and mistakes."""
    models = {name: evaluation[name] for name in ("base", "tuned", WITHOUT_MEMORY) if name in evaluation}
    columns = models | evaluation["baselines"]
    parts = [
        f"test split, {evaluation['measured_on']}: {evaluation['rows']:,} descriptions of {evaluation['concepts']:,} "
        f"concepts, {evaluation['targets']:,} emoji to choose from; 95% intervals (over concepts) in brackets",
        format_table(["", *(TITLES[name] for name in columns)], figure_rows(EMOJI, columns.values())),
        f"Ranks count among the first {evaluation['depth']}. A skin tone or gender other than the described one is a "
        "mistake, but the right concept. Unconstrained output is the most probable token at each step.",
        f"The nearest training description is found by TF-IDF of 2 to 5 characters. {_describe_reach(evaluation)}"
        + (" With memory, half of each probability comes from them." if WITHOUT_MEMORY in evaluation else ""),
        f"{TITLES['tuned']} on the same descriptions: {evaluation['verdict']}",
    ]
    if "base" in evaluation["difference"]:
        pattern = FIGURES["top_1"].difference_pattern
        difference = with_interval(evaluation["difference"]["base"]["top_1"], pattern)
        parts.append(f"top-1, tuned minus base on the same descriptions: {difference}")
    shown = evaluation["most_confident_mistakes"]
    if shown:
        rows = [
            [
                f"{mistake['probability']:.3f}",
                str(mistake["place"] or NO_FIGURE),
                one_line(mistake["description"], 60),
                mistake["prediction"],  # emoji come last, since terminals disagree on how wide they are
                mistake["emoji"],
            ]
            for mistake in shown
        ]
        parts += [
            f"the {len(shown)} most confident of {evaluation['mistakes']:,} mistakes:",
            format_table(["probability", "rank of the right emoji", "description", "written", "right"], rows),
        ]
    return "\n\n".join(parts)


def mistake_rows(mistakes: Sequence[dict]) -> Iterator[list[str]]:
    """Yield the header and a row for each mistake that `evaluate_emoji` returned."""
    columns = (
        *("description", "emoji", "codepoints", "group", "prediction", "prediction_codepoints", "prediction_group"),
        *("probability", "right_concept", "place"),
    )
    yield list(columns)
    for mistake in mistakes:
        shown = {
            **mistake,
            "codepoints": format_code_points(mistake["emoji"]),
            "prediction_codepoints": format_code_points(mistake["prediction"]),
            "probability": f"{mistake['probability']:.6f}",
            "right_concept": "yes" if mistake["right_concept"] else "no",
        }
        yield [str(shown[column] if shown[column] is not None else "") for column in columns]


def _describe_reach(evaluation: dict) -> str:
    known, rows = evaluation["rows_of_trained_emoji"], evaluation["rows"]
    reach = f": those of {known:,} of these {rows:,} descriptions."
    none = ", and none of these have: only shared descriptions make it right."
    return f"It can only predict emoji that have one{reach if known else none}"


def _right_emoji(data: Processed, test: Split) -> list[list[str]]:
    emoji_of = {}
    for split in data.splits.values():
        for description, emoji in zip(split.prompt, split.metadata["emoji"], strict=True):
            emoji_of.setdefault(description_key(description), set()).add(emoji)
    return [sorted(emoji_of[description_key(description)]) for description in test.prompt]


class _Truth:
    """The right answers for each test row: emoji, groups (an empty set if the data has none) and concepts."""

    def __init__(self, test: Split, right: Sequence[Sequence[str]], targets: Sequence[Sequence]):
        self.test, self.right = test, right
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

    def measure(self, rankings: Sequence[Sequence[str]]) -> dict:
        """The figures of rankings, those of a model or of a baseline."""
        truth = {"references": self.right, "clusters": self.test.group}
        figures = compute_metric(Ranking, predictions=rankings, **truth)
        predictions = [ranking[0] if ranking else None for ranking in rankings]
        in_concept, in_group = (
            [known.get(emoji) in right for emoji, right in zip(predictions, rights, strict=True)]
            for known, rights in ((self.concept_of, self.concepts), (self.group_of, self.groups))
        )
        return {
            **{name: figures[name] for name in ("top_1", "top_5", "mean_reciprocal_rank")},
            "concept_accuracy": self.share(in_concept),
            "group_accuracy": self.share(in_group, [row for row, groups in enumerate(self.groups) if groups]),
        }

    def share(self, outcomes: Sequence[bool], rows: Sequence[int] | None = None) -> dict | None:
        """The share of true outcomes in these rows (default: all), or None if there are no rows."""
        rows = range(len(outcomes)) if rows is None else rows
        if not rows:
            return None
        return share_interval([outcomes[row] for row in rows], [self.test.group[row] for row in rows])

    def correct(self, rankings: Sequence[Sequence[str]]) -> list[bool]:
        return [bool(ranking) and ranking[0] in right for ranking, right in zip(rankings, self.right, strict=True)]

    def mistakes(self, ranked: Sequence[Sequence[RankedEmoji]]) -> list[dict]:
        mistakes = [
            {
                "description": self.test.prompt[row],
                "emoji": self.test.metadata["emoji"][row],
                "group": self.test.metadata["group"][row],
                "prediction": ranked[row][0].emoji,
                "prediction_group": self.group_of[ranked[row][0].emoji],
                "probability": ranked[row][0].probability,
                "right_concept": self.concept_of[ranked[row][0].emoji] in self.concepts[row],
                "place": place,
            }
            for row, place in enumerate(places_of(_emoji_of(ranked), self.right))
            if place != 1
        ]
        return sorted(mistakes, key=lambda mistake: -mistake["probability"])


def _emoji_of(ranked: Sequence[Sequence[RankedEmoji]]) -> list[list[str]]:
    return [[one.emoji for one in ranking] for ranking in ranked]
