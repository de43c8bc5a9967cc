"""Sections of the report on models that score texts."""

from dataclasses import replace

from utils.evaluation.report.section import Section, Text, Texts
from utils.evaluation.report.shown import NAMES, share_histogram
from utils.evaluation.report.words import plural
from utils.metrics.figures import FIGURES
from utils.plots.dots import dots_with_intervals
from utils.tasks.label_kinds.scores import given_score_cell
from utils.terminal.numbers import rounded
from utils.terminal.tables import with_interval

TFIDF = "tfidf_ridge"
SHOWN = {name: NAMES[name] for name in ("tuned", TFIDF)}


def sections(evaluation: dict) -> list[Section]:
    """Return the sections, the most important first."""
    points = evaluation["points"]
    return [_by_score(points["parts"]), _errors(points["errors"], evaluation), _largest(evaluation["largest_errors"])]


def _by_score(parts: list[dict]) -> Section:
    """The mean prediction of the texts of each score: a perfect model gives each text its own."""
    names = [f"{part['lowest']:g}" + f" to {part['highest']:g}" * (part["highest"] > part["lowest"]) for part in parts]
    first, last = parts[0], parts[-1]
    sentence = f"{plural(first['texts'], 'text')} with a score of {names[0]} get {_value(first['tuned'])} on average"
    if len(parts) > 1:
        sentence += f", and {plural(last['texts'], 'text')} with {names[-1]} get {_value(last['tuned'])}"
    figures = {title: [part[name] for part in parts] for name, title in SHOWN.items()}
    plot = dots_with_intervals(
        "Mean prediction by given score", names, figures, "mean prediction", f"{sentence}.", name_title="given score"
    )
    rows = tuple(
        (name, f"{part['texts']:,}", rounded(part["score"], 3), *(_value(part[model]) for model in SHOWN))
        for name, part in zip(names, parts, strict=True)
    )
    header = ("given score", "texts", "their mean", *(f"mean of {title}" for title in SHOWN.values()))
    also = "Models that are unsure of a text predict a score near the mean, so low scores are predicted too high."
    return Section("Low and high scores", (f"{sentence}.", also), (replace(plot, header=header, rows=rows),))


def _value(figure: dict) -> str:
    """Return a score or an error, of any size, with its interval."""
    return with_interval(figure, FIGURES["mae"].pattern)


def _errors(counted: dict, evaluation: dict) -> Section:
    tuned, words = (figures["mae"] for figures in (evaluation["tuned"], evaluation["baselines"][TFIDF]))
    sentence = f"A prediction is off by {_value(tuned)} on average, and by {_value(words)} with TF-IDF."
    title = "Errors: prediction minus given score"
    plot = share_histogram(title, counted, "prediction minus given score", "texts", sentence)
    return Section("Sizes of the errors", (sentence,), (plot,))


def _largest(errors: list[dict]) -> Section:
    entries = tuple(
        (Text(f"score {given_score_cell(error['score'])}, predicted {rounded(error['prediction'], 2)}", error["text"]),)
        for error in errors
    )
    sentence = "Where a text clearly supports the prediction, the given score may be wrong."
    return Section("The largest errors", (sentence,), texts=(Texts(f"The {len(errors)} largest", entries),))
