"""The losses of a training run, from the entries of log.jsonl."""

from collections.abc import Mapping, Sequence

from utils.plots.lines import Mark, Series, lines
from utils.plots.plot import Plot, standalone
from utils.plots.scales import number

METRICS = {
    "eval_bits_per_byte": "bits per byte",
    "eval_average_precision": "mean average precision",
    "eval_macro_f1": "macro F1",
    "eval_rmse": "RMSE",
    "eval_top_1": "top-1 accuracy",
}
POINTS = 200  # of training, at most
PICTURE_MARK = "<!-- written by fine_tune.py: small-text-fine-tuning/training -->"


def loss_curves(log: Sequence[Mapping], kept_step: int | None) -> list[Plot]:
    """Return the losses over the steps and, where it was measured, what selects the weights; none without any.

    `log` has entries {"step", "loss"} of training and {"step", "eval_loss", "eval_…"} of validation. The point of the
    step whose weights are kept is marked. Of several runs (a model soup), each is a curve.
    """
    training, validation = _curves(log, "loss", "training"), _curves(log, "eval_loss", "validation")
    if not training and not validation:
        return []
    plots = [
        lines(
            "Loss during training",
            [*training, *validation],
            "optimizer step",
            "loss, nats per token" if any("eval_bits_per_byte" in entry for entry in log) else "loss",
            _describe(training, validation, kept_step),
            marks=_marks(validation, kept_step),
        )
    ]
    for name, title in METRICS.items():
        if curves := _curves(log, name, "validation"):
            words = f"Validation {title} {_course(curves[0])}."
            marks = _marks(curves, kept_step)
            plots.append(lines(f"Validation {title}", curves, "optimizer step", title, words, marks=marks))
    return plots


def training_svg(log: Sequence[Mapping], results: Mapping) -> str | None:
    """Return the losses of a run as an SVG file; None where none were logged. `results` are those of run.json."""
    plots = loss_curves(thinned(log), kept_step(log, results))
    return f"{PICTURE_MARK}\n{standalone(plots[0].svg)}\n" if plots else None


def thinned(log: Sequence[Mapping]) -> list[dict]:
    """Return the entries with losses; of training, about `POINTS` at equal distances, the last among them."""
    training = [entry for entry in log if "loss" in entry]
    every = -(-len(training) // POINTS) or 1
    kept = {id(entry) for entry in training[::-every]} | {id(entry) for entry in log if "eval_loss" in entry}
    return [
        {name: value for name, value in entry.items() if isinstance(value, int | float | str)}
        for entry in log
        if id(entry) in kept
    ]


def kept_step(log: Sequence[Mapping], results: Mapping) -> int | None:
    """Return the step whose weights were kept: the first with the validation figure that run.json has, if any.

    The start counts only where no later step is as good.
    """
    for name, value in results.items():
        if name.startswith("validation_") and name.endswith("_after") and value is not None:
            figure = "eval_" + name.removeprefix("validation_").removesuffix("_after")
            steps = [entry["step"] for entry in log if entry.get(figure) == value and "step" in entry]
            return next((step for step in steps if step), steps[0] if steps else None)
    return None


def _curves(log: Sequence[Mapping], name: str, title: str) -> list[Series]:
    entries = [entry for entry in log if name in entry and "step" in entry]
    runs = dict.fromkeys(entry.get("run") for entry in entries)
    curves = []
    for run in runs:
        points = {entry["step"]: entry[name] for entry in entries if entry.get("run") == run}
        curves.append(Series(title if len(runs) == 1 else f"{title}, run {run}", list(points), list(points.values())))
    return curves


def _marks(curves: Sequence[Series], step: int | None) -> list[Mark]:
    if len(curves) != 1 or step not in curves[0].x:
        return []
    return [Mark(step, curves[0].y[curves[0].x.index(step)], f"kept: step {step:,}")]


def _course(curve: Series) -> str:
    if len(curve.y) == 1:
        return f"was measured once, at step {curve.x[0]:,}: {number(curve.y[0])}"
    return f"went from {number(curve.y[0])} to {number(curve.y[-1])}"


def _describe(training: Sequence[Series], validation: Sequence[Series], kept_step: int | None) -> str:
    parts = []
    for name, curves in (("Training", training), ("Validation", validation)):
        if curves:
            parts.append(f"{name} loss {_course(curves[0])}.")
    if kept_step is not None:
        parts.append(f"The weights of step {kept_step:,} are kept, the best on the validation split.")
    return " ".join(parts)
