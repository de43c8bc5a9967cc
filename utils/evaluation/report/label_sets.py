"""Sections of the report on models that give texts several labels."""

from collections.abc import Sequence
from dataclasses import replace

from utils.evaluation.report.section import Section, Text, Texts
from utils.evaluation.report.shown import NAMES
from utils.evaluation.report.words import LABEL, plural, quoted, value
from utils.plots.bars import bars
from utils.plots.dots import dots_with_intervals
from utils.terminal.tables import one_line

TFIDF = "tfidf_one_vs_rest"
SHOWN = {name: NAMES[name] for name in ("tuned", TFIDF)}
MOST_LABELS = 12  # in a picture


def sections(evaluation: dict) -> list[Section]:
    """Return the sections, the most important first."""
    labels = [one_line(label, LABEL) for label in evaluation["labels"]]
    points = evaluation["points"]
    found = [_by_label(labels, evaluation["thresholds"], points["labels"]), _amounts(points["labels_per_text"])]
    return found + _mistakes(evaluation)


def _by_label(labels: Sequence[str], thresholds: Sequence[float], scores: dict[str, list[dict]]) -> Section:
    tuned = scores["tuned"]
    places = sorted(range(len(labels)), key=lambda place: -tuned[place]["texts"])
    shown = sorted(places[:MOST_LABELS])
    best, worst = (pick(range(len(labels)), key=lambda place: tuned[place]["f1"]["value"]) for pick in (max, min))
    sentence = " and ".join(
        f"{value(tuned[place]['f1'])} for {quoted(labels[place])} ({plural(tuned[place]['texts'], 'text')})"
        for place in dict.fromkeys((best, worst))
    )
    sentence = f"F1 is {sentence}."
    title = "F1 of each label" if len(shown) == len(labels) else f"F1 of the {len(shown)} most frequent labels"
    figures = {name: [scores[model][place]["f1"] for place in shown] for model, name in SHOWN.items()}
    plot = dots_with_intervals(title, [labels[place] for place in shown], figures, "F1", sentence, name_title="label")
    rows = tuple(
        (
            label,
            f"{of_label['texts']:,}",
            *(value(of_label[name]) for name in ("precision", "recall", "f1")),
            f"{threshold:.3f}",
            value(of_words["f1"]),
        )
        for label, threshold, of_label, of_words in zip(labels, thresholds, tuned, scores[TFIDF], strict=True)
    )
    header = ("label", "texts", "precision", "recall", "F1", "threshold", "F1 of TF-IDF")
    also = "A text gets each label whose probability reaches its threshold, the one with the best F1 on validation."
    return Section("Results by label", (sentence, also), (replace(plot, header=header, rows=rows),))


def _amounts(counts: dict[str, list[int]]) -> Section:
    """Return the section on the number of labels per text, true and predicted."""
    most = max(place for column in counts.values() for place, count in enumerate(column) if count)
    names = [str(number) for number in range(most + 1)]
    mean = {
        name: sum(number * count for number, count in enumerate(column)) / sum(column)
        for name, column in counts.items()
    }
    sentence = f"Texts have {mean['given']:.2f} labels on average, and get {mean['tuned']:.2f}."
    values = {title: counts[name][: most + 1] for name, title in {"given": "given labels", **SHOWN}.items()}
    plot = bars("Labels per text", names, values, "texts", sentence, name_title="labels")
    return Section("Labels per text", (sentence,), (plot,))


def _mistakes(evaluation: dict) -> list[Section]:
    shown = evaluation["largest_mistakes"]
    if not shown:
        return [Section("Mistakes", ("It made none on these texts.",))]
    sentence = f"{plural(evaluation['mistakes'], 'text')} of {evaluation['texts']:,} get a label too many or too few."
    entries = tuple(
        (Text(f"labeled {_listed(mistake['labels'])}, predicted {_listed(mistake['predictions'])}", mistake["text"]),)
        for mistake in shown
    )
    return [Section("Mistakes", (sentence,), texts=(Texts("The most wrong", entries),))]


def _listed(labels: Sequence[str]) -> str:
    return ", ".join(map(quoted, labels)) or "with nothing"
