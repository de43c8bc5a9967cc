"""Sections of the report on models that find emoji: how high the right one is ranked, how sure it is, and examples."""

import re

import emoji

from utils.evaluation.report.section import Section, Table, Text, Texts
from utils.evaluation.report.shown import NAMES, hundredfold, in_order, listed, percent
from utils.evaluation.report.words import plural
from utils.plots.dots import dots_with_intervals
from utils.plots.lines import Series, lines
from utils.plots.plot import Plot
from utils.terminal.tables import NO_FIGURE

DESCRIBED = (1, 5, 20)  # ranks that are named in the description of the curve
CODE_POINTS = re.compile(r"[0-9A-F]{4,5}( [0-9A-F]{4,5})*")
RIGHT = {"right": "Right ones", "wrong": "Wrong ones"}


def own_output(evaluation: dict) -> str:
    """Return how often the right emoji is first and among the first five."""
    tuned = evaluation["tuned"]
    return (
        f"Of {evaluation['targets']:,} emoji, the right one is first for {percent(tuned['top_1'])} of the descriptions "
        f"and among the first five for {percent(tuned['top_5'])}."
    )


def sections(evaluation: dict) -> list[Section]:
    """Return the sections, the most important first; those whose points the evaluation has."""
    found = []
    if "right_by_rank" in evaluation:
        found.append(_ranks(evaluation))
    if "examples" in evaluation:
        found.append(_examples(evaluation["examples"], len(evaluation["right_by_rank"]["tuned"])))
    if evaluation.get("most_confident_mistakes"):
        found.append(_mistakes(evaluation))
    return found


def _ranks(evaluation: dict) -> Section:
    """The share that is right by rank, by probability and by group."""
    plots = [_by_rank(evaluation["right_by_rank"]), _by_probability(evaluation["right_by_probability"])]
    if groups := evaluation["right_by_group"]:
        plots.append(_by_group(groups))
    known, rows = evaluation["rows_of_trained_emoji"], evaluation["rows"]
    sentences = (
        f"The test descriptions are {evaluation['measured_on']}: {rows:,} descriptions of {evaluation['concepts']:,} "
        "concepts. A skin tone or gender other than the described one is a mistake. Intervals are over concepts.",
        "The nearest training description, by its spelling, can only find emoji that have one; "
        + (
            f"the right ones of {known:,} of these {rows:,} descriptions do." if known else "none of the right ones do."
        ),
    )
    return Section("Rank of the right emoji", sentences, tuple(plots))


def _by_rank(by_rank: dict) -> Plot:
    names = in_order(by_rank)
    depth = len(by_rank["tuned"])
    series = [
        Series(NAMES[name], range(1, depth + 1), *([100 * share[end] for share in by_rank[name]] for end in ENDS))
        for name in names
    ]
    described = [
        f"among the first {rank}: " + listed(f"{NAMES[name]} {percent(by_rank[name][rank - 1])}" for name in names)
        for rank in DESCRIBED
        if rank <= depth
    ]
    return lines(
        "Right emoji among the first k", series, "k", "% of descriptions",
        f"The right emoji is {'; '.join(described)}.", x_range=(1, max(depth, 2)), y_range=(0, 100),
    )  # fmt: skip


ENDS = ("value", "low", "high")


def _by_probability(bins: list[dict]) -> Plot:
    names = [f"{100 * one['from']:.0f} to {100 * one['to']:.0f}% sure" for one in bins]
    shown = [
        f"{name}, {one['rows']:,} {'row' if one['rows'] == 1 else 'rows'}: {percent(one['right'])} right"
        for name, one in zip(names, bins, strict=True)
    ]
    columns = ([100 * one["right"][end] for one in bins] for end in ENDS)
    series = Series("first emoji", [100 * one["mean_probability"] for one in bins], *columns)
    return lines(
        "Accuracy by probability", [series], "probability of the first emoji, %", "% right",
        f"{'; '.join(shown)}. On the dotted line, probabilities would be right.", diagonal=True,
        x_range=(0, 100), y_range=(0, 100),
    )  # fmt: skip


def _by_group(groups: list[dict]) -> Plot:
    names = [name for name in ("tuned", "nearest_description") if name in groups[0]]
    shown = [f"{one['group']} ({plural(one['rows'], 'row')}): {percent(one['tuned'])}" for one in groups]
    return dots_with_intervals(
        "First emoji right, by group", [f"{one['group']} ({one['rows']:,})" for one in groups],
        {NAMES[name]: [hundredfold(one[name]) for one in groups] for name in names},
        "% of descriptions", f"Of this model: {'; '.join(shown)}.", pattern="{:.0f}", name_title="group (descriptions)",
    )  # fmt: skip


def _examples(examples: dict, depth: int) -> Section:
    """Rows that are right and wrong, with the first emoji; places are known down to `depth`."""
    texts = [
        Texts(f"{RIGHT[name]}, drawn at random", tuple(_example(one, depth) for one in found))
        for name, found in examples.items()
        if found
    ]
    return Section("Emoji found", texts=tuple(texts))


def _example(one: dict, depth: int) -> tuple[Text, ...]:
    return Text("description", one["description"], f"row {one['row'] + 1:,}"), _right(one, depth), _ranked(one)


def _right(one: dict, depth: int) -> Text:
    others = [other for other in one["right"] if other != one["emoji"]]
    place = f"at place {one['place']}" if one["place"] else f"not among the first {depth}"
    return Text("right", " ".join([one["emoji"], _name(one["concept"]), *others]), place)


def _ranked(one: dict) -> Text:
    """The first emoji, their concepts (for where no font shows emoji) and probabilities; the right ones are marked."""
    text, marked = "", []
    for ranked in one["ranked"]:
        if ranked["emoji"] in one["right"]:
            marked.append((len(text), len(text) + len(ranked["emoji"])))
        text += f"{ranked['emoji']} {_name(ranked['concept'])} {100 * ranked['probability']:.1f}%\n"
    return Text("this model", text.rstrip(), "", tuple(marked))


def _name(concept: str) -> str:
    """Return a concept in words: of data that has code points alone ("1F922"), the name of that emoji."""
    if not CODE_POINTS.fullmatch(concept):
        return concept
    known = emoji.EMOJI_DATA.get("".join(chr(int(point, 16)) for point in concept.split()))
    return known["en"].strip(":").replace("_", " ") if known else concept


def _mistakes(evaluation: dict) -> Section:
    rows = [
        (
            mistake["description"],
            mistake["prediction"],
            mistake["emoji"],
            f"{mistake['probability']:.3f}",
            str(mistake["place"] or NO_FIGURE),
            "yes" if mistake["right_concept"] else "no",
        )
        for mistake in evaluation["most_confident_mistakes"]
    ]
    header = ("description", "written", "right", "probability", "rank of the right one", "right concept")
    caption = f"The {len(rows):,} most confident of {evaluation['mistakes']:,} mistakes"
    return Section("Confident mistakes", tables=(Table(caption, header, tuple(rows)),))
