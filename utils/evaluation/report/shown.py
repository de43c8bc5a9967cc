"""Helpers that the sections of several kinds of task share: names of models, figures in words, histograms, excerpts."""

from collections.abc import Iterable, Mapping

from utils.evaluation.report.section import Text
from utils.evaluation.report.words import plural
from utils.plots.bars import histogram
from utils.plots.plot import Plot
from utils.terminal.tables import NO_FIGURE

NAMES = {
    "tuned": "this model",
    "tuned_alone": "without memory",
    "base": "base model",
    "nearest_description": "nearest description",
    "test texts": "test texts",
    "references": "references",
    "train": "training texts",
    "test": "test texts",
    "tfidf_logistic_regression": "TF-IDF",
    "majority": "majority class",
    "tfidf_ridge": "TF-IDF",
    "mean": "mean score",
    "tfidf_one_vs_rest": "TF-IDF",
    "most_frequent": "most frequent labels",
}
ORDER = tuple(NAMES)  # so that a model has the same color everywhere


def in_order(names: Iterable[str]) -> list[str]:
    """Return the names of models, baselines and real texts, this model first."""
    return sorted((name for name in names if name in ORDER), key=ORDER.index)


def percent(share: Mapping[str, float] | None) -> str:
    """Return a share {"value", "low", "high"} in words: "3% [1, 9]"."""
    if share is None:
        return NO_FIGURE
    value, low, high = (f"{100 * share[key]:.0f}" for key in ("value", "low", "high"))
    return f"{value}% [{low}, {high}]"


def hundredfold(share: Mapping[str, float] | None) -> dict[str, float] | None:
    """Return a share {"value", "low", "high"} in per cent."""
    return share and {end: 100 * value for end, value in share.items()}


def listed(parts: Iterable[str]) -> str:
    """Return "a", "a and b" or "a, b and c"."""
    *first, last = parts
    return f"{', '.join(first)} and {last}" if first else last


def medians(counted: Mapping, pattern: str = "{:,.0f}") -> str:
    """Return the medians of a `shared_histogram` in words: "this model 12 and test texts 18"."""
    of = {name: counted["median"][name] for name in in_order(counted["counts"])}
    return listed(f"{NAMES[name]} {pattern.format(value)}" for name, value in of.items() if value is not None)


def share_histogram(title: str, counted: Mapping, x_title: str, noun: str, description: str) -> Plot:
    """Return a histogram of samples of different sizes, in per cent of each; `counted` is a `shared_histogram`."""
    names = in_order(counted["counts"])
    totals = {name: sum(counted["counts"][name]) + counted["above"][name] for name in names}
    shares = {NAMES[name]: [100 * count / (totals[name] or 1) for count in counted["counts"][name]] for name in names}
    above = {NAMES[name]: counted["above"][name] for name in names if counted["above"][name]}
    if above:
        beyond = listed(f"{count:,} of {name}" for name, count in above.items())
        description += f" Beyond the axis: {beyond}."
    return histogram(title, counted["edges"], shares, x_title, f"% of {noun}", description)


def shown_excerpt(name: str, piece: Mapping | None, note: str = "") -> Text:
    """Return an excerpt of evaluation.json as a text, with its cuts in the note; nothing is "–"."""
    if piece is None:
        return Text(name, NO_FIGURE, note)
    cut = [
        f"{plural(piece[side], 'character')} cut {where}"
        for side, where in (("cut_before", "before"), ("cut_after", "after"))
        if piece[side]
    ]
    marked = (tuple(piece["copied"]),) if piece.get("copied") else ()
    return Text(name, piece["text"] or "(nothing)", " · ".join(filter(None, (note, *cut))), marked)
