"""Sections of the report on a classifier's probabilities: where to cut them, and whether they are true."""

from collections.abc import Sequence
from dataclasses import replace

from utils.evaluation.report.section import Section, Table
from utils.evaluation.report.words import PATTERN, nearest, number, plural, quoted, value
from utils.plots.bars import histogram
from utils.plots.lines import Limit, Series, lines
from utils.plots.plot import Plot

BINS = 15  # of calibration
STEP = 0.2  # by which a threshold is moved in the text
WHOLE = (0.0, 1.0)


def thresholds(evaluation: dict, points: dict) -> list[Section]:
    """Return the section on the threshold of the second of two labels and on the cost of moving it."""
    grid = points["thresholds"]
    if grid is None:
        return []
    label, threshold = quoted(evaluation["labels"][1]), evaluation["threshold"]
    tuned, chosen = evaluation["tuned"], 0.5 if threshold is None else threshold
    now = f"{label} is predicted at a probability of {chosen:.3f} or more: precision {value(tuned['precision'])}, "
    now += f"recall {value(tuned['recall'])}, macro F1 {value(tuned['macro_f1'])}."
    matrix = tuned["confusion_matrix"]
    moved = [_moved(grid, matrix, label, chosen + step) for step in (-STEP, STEP) if 0 < chosen + step < 1]
    shown = {"precision": "precision", "recall": "recall", "macro_f1": "macro F1"}
    series = [
        Series(title, grid["threshold"], *(grid[name][end] for end in ("value", "low", "high")))
        for name, title in shown.items()
    ]
    plot = lines(
        "Scores at each threshold", series, f"threshold for {label}", "figure, with its 95% band",
        " ".join([now, *moved]), limit=Limit(chosen, f"{chosen:.3f}"), x_range=WHOLE, y_range=WHOLE,
    )  # fmt: skip
    caution = (
        "These figures are from the test texts: a threshold chosen by them would look better than it is. "
        "fine_tune.py --threshold sets another one."
    )
    return [Section("The threshold", (now, *moved, caution), (plot,), (_costs(grid, evaluation, chosen),))]


def _moved(grid: dict, matrix: Sequence[Sequence[int]], label: str, threshold: float) -> str:
    """Return a sentence on the texts that another threshold would gain or lose, rightly and wrongly."""
    place = nearest(grid["threshold"], threshold)
    found = grid["found"][place] - matrix[1][1]
    wrong = grid["predicted"][place] - grid["found"][place] - matrix[0][1]
    figures = zip(("precision", "recall", "macro F1"), ("precision", "recall", "macro_f1"), strict=True)
    shown = ", ".join(f"{title} {number(grid[name]['value'][place])}" for title, name in figures)
    return (
        f"At {grid['threshold'][place]:.2f}, {_more(found)} of the {plural(sum(matrix[1]), 'text')} labeled "
        f"{label} would be found, and {_more(wrong)} of the {plural(sum(matrix[0]), 'other')} would be taken for it: "
        f"{shown}."
    )


def _more(count: int) -> str:
    return f"{abs(count):,} {'fewer' if count < 0 else 'more'}"


def _costs(grid: dict, evaluation: dict, chosen: float) -> Table:
    names = ("precision", "recall", "f1", "macro_f1", "predicted_share")
    rows = []
    for place, threshold in enumerate(grid["threshold"]):
        if place % 10 == 0 and 0 < threshold < 1:
            cells = [{end: grid[name][end][place] for end in ("value", "low", "high")} for name in names]
            rows.append((threshold, [None if cell["value"] is None else cell for cell in cells]))
    tuned, matrix = evaluation["tuned"], evaluation["tuned"]["confusion_matrix"]
    rows = [(f"{threshold:.2f}", *(value(cell) for cell in cells)) for threshold, cells in rows]
    predicted = sum(line[1] for line in matrix) / sum(map(sum, matrix))
    now = (f"{chosen:.3f} now", *(value(tuned[name]) for name in names[:-1]), f"{predicted:.3f}")
    rows.insert(sum(float(row[0]) <= chosen for row in rows), now)
    header = ("threshold", "precision", "recall", "F1", "macro F1", "share predicted")
    label = quoted(evaluation["labels"][1])
    return Table(f"Scores at other thresholds for {label} on these texts", header, tuple(rows))


def calibration(evaluation: dict, points: dict) -> list[Section]:
    """Return the section on whether predictions are right as often as their probabilities say."""
    after, before = points["calibration"]["after"], points["calibration"]["before"]
    error = value(after["expected_calibration_error"])
    chance = evaluation["tuned"]["calibrated_error"]["value"]
    fullest = max(after["bins"], key=lambda bin: bin["texts"])
    said = (
        f"{plural(fullest['texts'], 'prediction')} with a probability of {fullest['from']:.2f} to "
        f"{fullest['to']:.2f} ({fullest['mean_confidence']:.3f} on average): a share of {value(fullest['right'])} is "
        "correct."
    )
    sentence = f"The calibration error is {error}; chance alone gives {chance:.3f} at this size."
    stages = {"as it is": after}
    if before:
        sentence += (
            f" Before its probabilities were calibrated on the validation split (temperature "
            f"{evaluation['temperature']:.3f}), it was {value(before['expected_calibration_error'])}."
        )
        stages["before calibration"] = before
    series = [Series(name, *_columns(stage["bins"], banded=name == "as it is")) for name, stage in stages.items()]
    curve = lines(
        "Accuracy by probability", series, "mean probability of the prediction", "share that is right",
        f"{said} {sentence} On the dashed diagonal, calibration is perfect.",
        diagonal=True, dots=True, x_range=WHOLE, y_range=WHOLE,
    )  # fmt: skip
    counts = {name: [0] * BINS for name in stages}
    for name, stage in stages.items():
        for bin in stage["bins"]:
            counts[name][round(bin["from"] * BINS)] = bin["texts"]
    bars = histogram(
        "How confident it is", [place / BINS for place in range(BINS + 1)], counts, "probability of the prediction",
        "texts", f"Most texts, {fullest['texts']:,}, have predictions of {fullest['from']:.2f} to {fullest['to']:.2f}.",
    )  # fmt: skip
    return [Section("Calibration", (said, sentence), (_with_bins(curve, stages), bars))]


def _columns(bins: Sequence[dict], *, banded: bool) -> list[list[float]]:
    columns = [[bin["mean_confidence"] for bin in bins], [bin["right"]["value"] for bin in bins]]
    return columns + [[bin["right"][end] for bin in bins] for end in ("low", "high")] * banded


def _with_bins(plot: Plot, stages: dict[str, dict]) -> Plot:
    header = ("probabilities", "from", "to", "texts", "mean probability", "share right")
    rows = tuple(
        (
            name,
            f"{bin['from']:.3f}",
            f"{bin['to']:.3f}",
            f"{bin['texts']:,}",
            PATTERN.format(bin["mean_confidence"]),
            value(bin["right"]),
        )
        for name, stage in stages.items()
        for bin in stage["bins"]
    )
    return replace(plot, header=header, rows=rows)
