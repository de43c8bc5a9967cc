"""The figures of several folds: their mean and standard deviation, and the table of them."""

from collections.abc import Sequence
from statistics import mean, stdev

from utils.metrics.figures import FIGURES, Figure

JUDGED = {"tuned": "", "tfidf_logistic_regression": "TF-IDF: "}
LOSS = Figure("loss", "loss", "{:.4f}", greater_is_better=False)


def summarize_folds(folds: Sequence[dict]) -> dict:
    """Return {"each": the folds, "mean", "standard_deviation"}; the deviation is that of a sample (n - 1).

    A fold is {"texts", "tuned": {name: figure}, …}, and so are the other two, without "texts".
    """
    columns = [
        (judged, name)
        for judged in JUDGED
        if judged in folds[0]
        for name in folds[0][judged]
        if all(name in fold[judged] for fold in folds)  # a correlation may be undefined in one
    ]
    summary = {"each": list(folds), "mean": {}, "standard_deviation": {}}
    for statistic, of in (("mean", mean), ("standard_deviation", stdev)):
        for judged, name in columns:
            summary[statistic].setdefault(judged, {})[name] = of(fold[judged][name] for fold in folds)
    return summary


def fold_table(summary: dict) -> tuple[list[str], list[list[str]]]:
    """Return (the header, a row for each fold and one for mean ± standard deviation) of `summarize_folds`."""
    columns = [(judged, name) for judged in JUDGED if judged in summary["mean"] for name in summary["mean"][judged]]
    header = ["fold", "texts", *(f"{JUDGED[judged]}{_figure(name).title}" for judged, name in columns)]
    rows = [
        [str(number), f"{fold['texts']:,}", *(_shown(name, fold[judged][name]) for judged, name in columns)]
        for number, fold in enumerate(summary["each"], start=1)
    ]
    both = (
        f"{_shown(name, summary['mean'][judged][name])} ± {_shown(name, summary['standard_deviation'][judged][name])}"
        for judged, name in columns
    )
    return header, [*rows, ["mean", "", *both]]


def describe_fold(fold: dict, number: int) -> str:
    """Return a line with the figures of one fold."""
    parts = [
        f"{JUDGED[judged]}{_figure(name).title} {_shown(name, value)}"
        for judged in JUDGED
        if judged in fold
        for name, value in fold[judged].items()
    ]
    return f"fold {number}, {fold['texts']:,} texts: {', '.join(parts)}"


def _figure(name: str) -> Figure:
    return LOSS if name == "loss" else FIGURES[name]


def _shown(name: str, value: float) -> str:
    return _figure(name).pattern.format(value)
