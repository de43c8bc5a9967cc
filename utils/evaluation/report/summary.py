"""The beginning of the report: a verdict in one sentence, and a table of model, base model and baselines."""

from pathlib import PurePath

from utils.evaluation.report import answers, emoji, writers
from utils.evaluation.report.section import Table
from utils.evaluation.report.shown import NAMES
from utils.evaluation.report.words import plural, quoted
from utils.metrics.figures import ANSWERS, CLASSIFICATION, EMOJI, FIGURES, LABELING, LIKELIHOOD, SCORING
from utils.terminal.tables import figure_rows, with_interval

SHOWN = {
    "generate": LIKELIHOOD,
    "instruct": LIKELIHOOD + ANSWERS,
    "classify": CLASSIFICATION,
    "multilabel": LABELING,
    "score": SCORING,
    "emoji": EMOJI,
}
BASELINES = {
    "classify": ("tfidf_logistic_regression", "majority"),
    "multilabel": ("tfidf_one_vs_rest", "most_frequent"),
    "score": ("tfidf_ridge", "mean"),
    "emoji": ("nearest_description",),
}
TESTED = {"generate": "texts", "instruct": "answers", "emoji": "descriptions"}  # those of the others are texts
FEW = 100  # test texts


def kind_of(evaluation: dict) -> str:
    """Return the kind of task; the evaluation of a model that writes texts does not name it."""
    return evaluation.get("kind", "generate")


def title(evaluation: dict) -> str:
    """Return the model's name."""
    return PurePath(evaluation["model_path"]).name or evaluation["model_path"]


def subtitle(evaluation: dict) -> str:
    """Return the page's kind and its task."""
    task = evaluation.get("data", {}).get("task")
    return "Evaluation of a model" + (f" · task {task}" if task else "")


def tested(evaluation: dict) -> int:
    """Return how many test texts the figures are of."""
    return evaluation.get("texts") or evaluation.get("rows") or evaluation["tuned"]["texts"]


def own_output(evaluation: dict) -> str:
    """Return a sentence on the model's own output; nothing for a classifier."""
    kinds = {"generate": writers.own_output, "instruct": answers.own_output, "emoji": emoji.own_output}
    describe = kinds.get(kind_of(evaluation))
    return describe(evaluation) if describe else ""


def verdict(evaluation: dict) -> str:
    """Return the verdict in a sentence: whether the model beats its baseline or base, with the interval."""
    kind, unseen = kind_of(evaluation), tested_texts(evaluation)
    difference = evaluation.get("difference") or {}
    if kind == "classify":
        return _compared(difference.get("macro_f1"), "TF-IDF + logistic regression", "macro F1", unseen)
    if kind == "multilabel":
        return _compared(difference.get("macro_f1"), "TF-IDF + logistic regressions", "macro F1", unseen)
    if kind == "score":
        return _compared(difference.get("mae"), "TF-IDF + ridge regression", "mean absolute error", unseen, less=True)
    if kind == "emoji":
        nearest = difference.get("nearest_description") or {}
        return _compared(nearest.get("top_1"), "the nearest training description", "top-1 accuracy", unseen)
    bits = evaluation.get("bits_per_byte_difference") or difference.get("bits_per_byte")
    if bits is None:
        figure = with_interval(evaluation["tuned"]["bits_per_byte"], "{:.3f}")
        return f"Needs {figure} bits per byte on {unseen}; its base model was not measured."
    shown = _difference(bits, "{:.3f}")
    if bits["high"] < 0:
        return f"Beats its base model by {shown} bits per byte on {unseen}."
    if bits["low"] > 0:
        return f"Is worse than its base model, by {shown} bits per byte on {unseen}."
    signed = with_interval(bits, "{:+.3f}")
    return f"Is not clearly better than its base model: {signed} bits per byte on {unseen}."


def notes(evaluation: dict) -> list[str]:
    """Return the notes to read before the figures."""
    found = []
    if tested(evaluation) < FEW:
        few = plural(tested(evaluation), f"test {TESTED.get(kind_of(evaluation), 'texts').removesuffix('s')}")
        found.append(f"Only {few}: the intervals are wide, and rare mistakes may be missing.")
    if "per_text" not in evaluation:
        found.append("An earlier version wrote this evaluation, without the points that pictures need: evaluate again.")
    if evaluation.get("trained_on_other_data"):
        found.append("The model was trained on other data than this, so it may have seen these texts.")
    if kind_of(evaluation) == "classify":
        found += _other_side(evaluation.get("difference") or {}) + _about_labels(evaluation)
    found += _about_texts(evaluation)
    if kind_of(evaluation) in ("generate", "instruct") and "base" not in evaluation:
        found.append("evaluate_model.py --compare_base puts the base model's figures beside these.")
    return found


def table(evaluation: dict) -> Table:
    """Return the table of figures with their intervals: this model, its base model, and the baselines."""
    kind = kind_of(evaluation)
    columns = {name: evaluation[name] for name in ("tuned", "tuned_alone", "base") if evaluation.get(name)}
    columns |= {name: evaluation["baselines"][name] for name in BASELINES.get(kind, ())}
    figures = [figure for figure in SHOWN[kind] if figure.name in evaluation["tuned"]]
    rows = figure_rows(figures, columns.values())
    better = [{True: " ↑", False: " ↓", None: ""}[figure.greater_is_better] for figure in figures]
    rows = [(name + arrow, *cells) for (name, *cells), arrow in zip(rows, better, strict=True)]
    caption = f"On {tested_texts(evaluation)}, with 95% intervals; ↑ greater is better, ↓ less is better"
    return Table(caption, ("", *(NAMES[name] for name in columns)), tuple(rows))


def _other_side(difference: dict) -> list[str]:
    """A note where accuracy says the opposite of the verdict, which is by macro F1: labels are not equally frequent."""
    macro_f1, accuracy = difference.get("macro_f1"), difference.get("accuracy")
    if not macro_f1 or not accuracy:
        return []
    signed = with_interval(accuracy, FIGURES["accuracy"].difference_pattern)
    if macro_f1["low"] > 0 > accuracy["high"]:
        return [f"In accuracy, which frequent labels decide, it is worse: {signed}."]
    if macro_f1["high"] < 0 < accuracy["low"]:
        return [f"In accuracy, which frequent labels decide, it is better: {signed}."]
    return []


def _about_labels(evaluation: dict) -> list[str]:
    """Return notes on the labels behind a classifier's figures."""
    found, labels = [], evaluation["labels"]
    present = [label for label, row in zip(labels, evaluation["tuned"]["confusion_matrix"], strict=True) if any(row)]
    if len(present) == 1:
        found.append(f"All of these texts are labeled {quoted(present[0])}: nothing shows how it tells labels apart.")
    if len(labels) == 2:
        found.append(f"Precision, recall and F1 are those of {quoted(labels[1])}; macro figures are means over labels.")
    return found


def _about_texts(evaluation: dict) -> list[str]:
    """Return notes on texts that were cut or left out, for models that don't write."""
    found = []
    if cut := evaluation.get("truncated_texts"):
        verb = "were" if cut != 1 else "was"
        found.append(f"{plural(cut, 'text')} {verb} cut to {evaluation['max_length']:,} tokens.")
    if empty := evaluation.get("texts_left_out"):
        found.append(f"{plural(empty, 'more text')} left out: empty after the model's cleaning.")
    return found


def tested_texts(evaluation: dict) -> str:
    """Return the tested texts in words: "430 texts it has not seen"."""
    kind, count = kind_of(evaluation), tested(evaluation)
    seen = "that it may have seen" if evaluation.get("trained_on_other_data") else "it has not seen"
    nouns = TESTED.get(kind, "texts")
    noun = nouns if count != 1 else nouns.removesuffix("s")
    return f"{count:,} {noun} {seen}"


def _compared(figure: dict | None, other: str, measure: str, unseen: str, *, less: bool = False) -> str:
    """Say which is better. With `less`, a figure is good where it is small."""
    if figure is None:
        return f"Was measured on {unseen}."
    gain, like = (_negated(figure), FIGURES["mae"]) if less else (figure, FIGURES["accuracy"])
    shown = _difference(figure, like.pattern)
    if gain["low"] > 0:
        return f"Beats {other} by {shown} in {measure} on {unseen}."
    if gain["high"] < 0:
        return f"Is worse than {other}, by {shown} in {measure} on {unseen}."
    signed = with_interval(figure, like.difference_pattern)
    return f"Is not clearly better than {other}: {signed} in {measure} on {unseen}."


def _difference(figure: dict, pattern: str) -> str:
    """A difference without its sign, and its interval: 0.07 [0.04, 0.11]."""
    return with_interval(_negated(figure) if figure["value"] < 0 else figure, pattern)


def _negated(figure: dict) -> dict:
    return {"value": -figure["value"], "low": -figure["high"], "high": -figure["low"]}
