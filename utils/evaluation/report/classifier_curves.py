"""The section of the report on how a classifier ranks texts: ROC and precision-recall curves with their bands."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from utils.evaluation.report import shown
from utils.evaluation.report.section import Section, Table
from utils.evaluation.report.words import LABEL, nearest, quoted, value
from utils.plots.dots import dots_with_intervals
from utils.plots.lines import Mark, Series, lines
from utils.plots.plot import Plot
from utils.terminal.tables import one_line

TFIDF = "tfidf_logistic_regression"
NAMES = {name: shown.NAMES[name] for name in ("tuned", TFIDF)}
MOST_LABELS = 12  # in a picture of several models
MOST_BANDS = 3  # more of them hide one another
WHOLE = (0.0, 1.0)


def ranking(evaluation: dict, points: dict) -> list[Section]:
    """Return the section on ROC and precision-recall curves; none where all test texts have one label."""
    curves = points["curves"]
    if not curves:
        return []
    two = len(evaluation["labels"]) == 2
    drawn = _two(curves[0], evaluation) if two else _several(curves)
    first, models = curves[0], curves[0]["models"]
    if two:
        sentence = f"Sorted by the probability of {quoted(first['label'])}: "
        sentence += "; ".join(f"{_scores(models[name])} for {title}" for name, title in NAMES.items()) + "."
        sentence += f" By chance, they would be 0.5 and {_share(first):.3f}."
    else:
        area = value(evaluation["tuned"]["roc_auc"])
        sentence = f"Each label against all others: the mean ROC-AUC of all labels is {area}, "
        sentence += f"TF-IDF's {value(evaluation['baselines'][TFIDF]['roc_auc'])}."
        if len(curves) < len(evaluation["labels"]):
            sentence += f" Drawn are the {len(curves)} most frequent labels."
    return [Section("ROC and precision-recall curves", (sentence,), drawn, _areas(curves))]


def over_one_another(models: Mapping[str, dict]) -> list[Plot]:
    """Return the curves of several named models' evaluations on the same texts, and the F1 of each label.

    Without those of models with other labels, or evaluated with an earlier version, which have no points.
    """
    first, *others = models.values()
    if not all(model.get("points") and model["labels"] == first["labels"] for model in (first, *others)):
        return []
    plots = []
    if len(first["labels"]) == 2 and all(model["points"]["curves"] for model in models.values()):
        label = quoted(first["labels"][1])
        for title, x, y, x_title, y_title, score, scored in (
            ("ROC curves", "false_positive_rate", "true_positive_rate", "false positive rate",
             f"true positive rate: share of {label} found", "roc_auc", "ROC-AUC"),
            ("Precision-recall curves", "recall", "precision", f"recall: share of {label} found",
             f"precision: share of those found that are {label}", "average_precision", "Average precision"),
        ):  # fmt: skip
            of_models = {name: model["points"]["curves"][0] for name, model in models.items()}
            series = [Series(name, one[x], one["models"]["tuned"][y]["value"]) for name, one in of_models.items()]
            words = ", ".join(f"{value(one['models']['tuned'][score])} of {name}" for name, one in of_models.items())
            ranges = {"x_range": WHOLE, "y_range": WHOLE}
            plots.append(
                lines(title, series, x_title, y_title, f"{scored}: {words}.", diagonal=y != "precision", **ranges)
            )
    if len(first["labels"]) <= MOST_LABELS:
        labels = [one_line(label, LABEL) for label in first["labels"]]
        figures = {name: [of["f1"] for of in model["points"]["classes"]["tuned"]] for name, model in models.items()}
        words = "F1 of each label, with 95% intervals; the differences on the same texts say more about who is better."
        plots.append(dots_with_intervals("F1 of each label", labels, figures, "F1", words, name_title="label"))
    return plots


def _two(curve: dict, evaluation: dict) -> tuple[Plot, Plot]:
    """The curves of the second of two labels, this model's with their bands, and where its threshold is."""
    label, models = quoted(curve["label"]), curve["models"]
    (right, wrong), (missed, found) = evaluation["tuned"]["confusion_matrix"]
    at = "its threshold"
    roc_marks = [Mark(wrong / (right + wrong), found / (missed + found), at)]
    pr_marks = [Mark(found / (missed + found), found / (found + wrong), at)] if found + wrong else []
    roc, pr = (
        [
            Series(title, curve[x], line["value"], *([line["low"], line["high"]] if name == "tuned" else []))
            for name, title in NAMES.items()
            for line in (models[name][y],)
        ]
        for x, y in (("false_positive_rate", "true_positive_rate"), ("recall", "precision"))
    )
    pr.append(Series("by chance", curve["recall"], [_share(curve)] * len(curve["recall"])))
    tenth = _at(curve["false_positive_rate"], models["tuned"]["true_positive_rate"], 0.1)
    most = _at(curve["recall"], models["tuned"]["precision"], 0.9)
    return (
        lines(
            "ROC curve", roc, "false positive rate", f"true positive rate: share of {label} found",
            f"At a false positive rate of 10%, this model finds {tenth} of {label}; the dashed diagonal is "
            "chance. The band holds 95%.",
            marks=roc_marks, diagonal=True, x_range=WHOLE, y_range=WHOLE,
        ),
        lines(
            "Precision-recall curve", pr, f"recall: share of {label} found",
            f"precision: share of those found that are {label}",
            f"Where this model finds 90% of {label}, its precision is {most}. The band holds 95%.",
            marks=pr_marks, x_range=WHOLE, y_range=WHOLE,
        ),
    )  # fmt: skip


def _several(curves: list[dict]) -> tuple[Plot, Plot]:
    names = [one_line(curve["label"], LABEL) for curve in curves]
    plots = []
    for title, x, y, x_title, y_title, score, scored, diagonal in (
        ("ROC curves, each label against the rest", "false_positive_rate", "true_positive_rate",
         "false positive rate", "true positive rate: share of the label found", "roc_auc", "ROC-AUC", True),
        ("Precision-recall curves", "recall", "precision", "recall: share of the label found",
         "precision: share of those found that have it", "average_precision", "Average precision", False),
    ):  # fmt: skip
        banded = [
            Series(name, curve[x], *(curve["models"]["tuned"][y][end] for end in ("value", "low", "high")))
            for name, curve in zip(names, curves, strict=True)
        ]
        few = len(curves) <= MOST_BANDS
        series = banded if few else [replace(one, low=None, high=None) for one in banded]
        figures = [curve["models"]["tuned"][score] for curve in curves]
        words = ", ".join(f"{value(figure)} for {quoted(name)}" for figure, name in zip(figures, names, strict=True))
        words = f"{scored}: {words}. " + ("The bands hold 95%." if few else "The numbers have their 95% bands.")
        ranges = {"x_range": WHOLE, "y_range": WHOLE}
        plot = lines(title, series, x_title, y_title, words, diagonal=diagonal, **ranges)
        plots.append(replace(plot, rows=lines(title, banded, x_title, y_title, words, **ranges).rows))
    return tuple(plots)


def _areas(curves: list[dict]) -> tuple[Table, ...]:
    if len(curves) < 2:
        return ()
    rows = tuple(
        (
            one_line(curve["label"], LABEL),
            f"{curve['texts']:,}",
            *(value(curve["models"][name][score]) for score in ("roc_auc", "average_precision") for name in NAMES),
        )
        for curve in curves
    )
    header = ("label", "texts", "ROC-AUC", "of TF-IDF", "average precision", "of TF-IDF")
    return (Table("Areas under the curves, of this model and of TF-IDF", header, rows),)


def _scores(model: dict) -> str:
    return f"ROC-AUC {value(model['roc_auc'])} and average precision {value(model['average_precision'])}"


def _share(curve: dict) -> float:
    return curve["texts"] / (curve["texts"] + curve["others"])


def _at(grid: Sequence[float], line: dict, x: float) -> str:
    place = nearest(grid, x)
    return value({end: line[end][place] for end in ("value", "low", "high")})
