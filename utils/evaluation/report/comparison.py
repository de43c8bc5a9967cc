"""The page of `--compare … --report`: several runs in one table, their differences on the same texts, their curves."""

from collections.abc import Mapping
from pathlib import Path, PurePath

from utils.evaluation.report.classifier_curves import over_one_another
from utils.evaluation.report.page import render_page
from utils.evaluation.report.paired import check_paired, paired_differences
from utils.evaluation.report.section import Section, Table
from utils.evaluation.report.shown import listed
from utils.evaluation.report.summary import kind_of, tested_texts
from utils.evaluation.report.writers import novelty_curve
from utils.metrics.figures import COMPARED, FIGURES
from utils.plots.dots import dots_with_intervals
from utils.plots.lines import Series, lines
from utils.plots.loss_curves import METRICS
from utils.plots.plot import Plot
from utils.terminal.tables import figure_rows, with_interval

RANKS, NEW = "right_by_rank", "novelty"
# The fields of each evaluation that the page embeds, beside "per_text".
KEPT = ("model_path", "base_model", "data_sha256", "kind", "tuned", "labels", "training", "points", RANKS, NEW)


def render_comparison(evaluations: Mapping[Path, dict], order: list[Path]) -> str:
    """Return the page that compares evaluations of one kind; `order` has the best first.

    DataError where they are of different test texts, or lack figures of single texts.
    """
    kind = kind_of(evaluations[order[0]])
    check_paired(evaluations, kind)
    models = dict(zip(_names(evaluations, order), (evaluations[path] for path in order), strict=True))
    best, *others = models
    pairs = {other: paired_differences(kind, models[best], models[other]) for other in others}
    figures = COMPARED[kind]
    _, *columns = zip(*figure_rows(figures, [model["tuned"] for model in models.values()]), strict=True)
    rows = zip(models, columns, strict=True)
    content = {
        "title": f"{len(models)} models compared",
        "subtitle": "Evaluations of several models on the same test texts",
        "verdict": _verdict(kind, best, pairs),
        "own_output": "",
        "notes": _notes(models),
        "table": Table(
            f"On {tested_texts(models[best])}, with 95% intervals; the best {figures[0].title} first",
            ("model", *(figure.title for figure in figures)),
            tuple((name, *cells) for name, cells in rows),
        ),
        "sections": [_differences(best, pairs), *_curves(models)],
    }
    embedded = {name: {key: model[key] for key in KEPT if key in model} for name, model in models.items()}
    per_text = {name: model["per_text"] for name, model in models.items()}
    return render_page(content, {"evaluations": embedded, "per_text": per_text})


def _names(evaluations: Mapping[Path, dict], order: list[Path]) -> list[str]:
    """The last part of each model's path, or all of it where two are the same; the file's where even those are."""
    paths = [evaluations[path]["model_path"] for path in order]
    for names in ([PurePath(path).name or path for path in paths], paths):
        if len(set(names)) == len(names):
            return names
    return [str(path) for path in order]


def _verdict(kind: str, best: str, pairs: Mapping[str, tuple[int, dict]]) -> str:
    """Return a sentence on the models that the best one certainly beats in the deciding figure."""
    figure = COMPARED[kind][0]
    clear, unclear = [], []
    for name, (_, differences) in pairs.items():
        difference = differences.get(figure.name) or next(iter(differences.values()), None)
        beaten = difference and (difference["low"] > 0 if figure.greater_is_better else difference["high"] < 0)
        (clear if beaten else unclear).append(name)
    if not pairs:
        return f"{best} is the only model."
    if not any((differences.get(figure.name) or {"value": 1})["value"] for _, differences in pairs.values()):
        models = "Both models" if len(pairs) == 1 else f"All {len(pairs) + 1} models"
        return f"{models} have the same {figure.title} on the same texts."
    if not clear:
        return (
            f"{best} has the best {figure.title}, but is not clearly better than {listed(unclear)} on the same texts."
        )
    rest = f", and not clearly better than {listed(unclear)}" if unclear else ""
    return f"{best} has the best {figure.title}: clearly better than {listed(clear)} on the same texts{rest}."


def _notes(models: Mapping[str, dict]) -> list[str]:
    notes = []
    first, *others = (model["per_text"]["row"] for model in models.values())
    if any(rows != first for rows in others):
        notes.append(
            "Not all models were measured on the same rows, so the table compares less than the differences do."
        )
    if len(others) > 1:
        notes.append(f"The best of {len(models)} models is partly the luckiest: on new texts its lead may be smaller.")
    return notes


def _differences(best: str, pairs: Mapping[str, tuple[int, dict]]) -> Section:
    titles = dict.fromkeys(name for _, differences in pairs.values() for name in differences)
    rows = tuple(
        (
            f"{best} minus {other}",
            f"{texts:,}",
            *(with_interval(differences.get(name), FIGURES[name].difference_pattern) for name in titles),
        )
        for other, (texts, differences) in pairs.items()
    )
    header = ("", "texts of both", *(FIGURES[name].title for name in titles))
    plots = [
        dots_with_intervals(
            f"{best} minus the others: {FIGURES[name].title}",
            list(pairs),
            {best: [differences.get(name) for _, differences in pairs.values()]},
            f"difference in {FIGURES[name].title}",
            f"Differences in {FIGURES[name].title} on the same texts, with 95% intervals; 0 is no difference.",
            pattern=FIGURES[name].difference_pattern,
            zero=True,
        )
        for name in titles
    ]
    return Section(
        "Differences on the same texts",
        ("The intervals are over the texts that both models were measured on, whole sources drawn with replacement.",),
        tuple(plots),
        (Table("Differences with their 95% intervals", header, rows),),
    )


def _curves(models: Mapping[str, dict]) -> list[Section]:
    """Validation and training curves of all models over one another, and how far down the right emoji is found."""
    logs = {name: (model.get("training") or {}).get("log", []) for name, model in models.items()}
    names = {"loss": "training loss", "eval_loss": "validation loss"}
    names |= {name: f"validation {title}" for name, title in METRICS.items()}
    plots = [plot for name, title in names.items() if (plot := _curve(logs, name, title))]
    plots = [plot for plot in (_ranks(models), _novelty(models)) if plot] + plots
    if kind_of(next(iter(models.values()))) == "classify":
        plots = over_one_another(models) + plots
    return [Section("Curves compared", plots=tuple(plots))] if plots else []


def _curve(logs: Mapping[str, list[dict]], figure: str, title: str) -> Plot | None:
    curves = []
    for name, log in logs.items():
        points = [(entry["epoch"], entry[figure]) for entry in log if figure in entry and "epoch" in entry]
        if points and not any("run" in entry for entry in log):
            curves.append(Series(name, *map(list, zip(*points, strict=True))))
    if not any(len(curve.x) > 1 for curve in curves):
        return None
    words = ", ".join(f"{curve.name} ends at {curve.y[-1]:.4g}" for curve in curves)
    return lines(title[0].upper() + title[1:], curves, "epoch", title, f"{words}.")


def _ranks(models: Mapping[str, dict]) -> Plot | None:
    curves = []
    for name, model in models.items():
        if shares := (model.get(RANKS) or {}).get("tuned"):
            low, high = ([share[key] for share in shares] for key in ("low", "high"))
            curves.append(
                Series(name, list(range(1, len(shares) + 1)), [share["value"] for share in shares], low, high)
            )
    if not curves:
        return None
    words = ", ".join(f"{curve.name} {curve.y[-1]:.3f} of {curve.x[-1]}" for curve in curves)
    return lines(
        "Right emoji among the first k", curves, "k", "share", f"Share found at the end: {words}.", y_range=(0, 1)
    )


def _novelty(models: Mapping[str, dict]) -> Plot | None:
    """Plot the novelty of each model's texts, beside the test texts."""
    texts = {name: model[NEW].get("tuned") for name, model in models.items() if model.get(NEW)}
    if not texts:
        return None
    real = next(model[NEW].get("test texts") for model in models.values() if model.get(NEW))
    return novelty_curve(texts | ({"test texts": real} if real else {}))
