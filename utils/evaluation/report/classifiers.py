"""Sections of the report on models that classify texts."""

from collections.abc import Sequence
from dataclasses import replace

from utils.evaluation.report.classifier_curves import NAMES, TFIDF, ranking
from utils.evaluation.report.classifier_probabilities import calibration, thresholds
from utils.evaluation.report.section import Section, Text, Texts
from utils.evaluation.report.words import LABEL, plural, quoted, value
from utils.plots.bars import bars
from utils.plots.dots import dots_with_intervals
from utils.plots.matrix import matrix
from utils.plots.plot import Plot
from utils.terminal.tables import one_line

LARGEST_MATRIX = 12  # labels
PAIRS = 10  # of labels that are confused


def sections(evaluation: dict) -> list[Section]:
    """Return the sections, the most important first; evaluations of earlier versions have few of their points."""
    evaluation = {**evaluation, "labels": [one_line(label, LABEL) for label in evaluation["labels"]]}
    points = evaluation.get("points")
    found = [_confusion(evaluation["labels"], evaluation["tuned"]["confusion_matrix"], points)]
    if points is None:
        again = "This model was evaluated with an earlier version; evaluate it again for curves, calibration and more."
        found.append(Section("Curves", (again,)))
    else:
        found += ranking(evaluation, points)
        found += thresholds(evaluation, points)
        found += calibration(evaluation, points)
        found.append(_lengths(points["lengths"]))
    found += [_mistakes(evaluation), *_label_errors(evaluation.get("probable_label_errors"))]
    return found


def _confusion(labels: Sequence[str], counts: Sequence[Sequence[int]], points: dict | None) -> Section:
    texts, right = sum(map(sum, counts)), sum(line[place] for place, line in enumerate(counts))
    pairs = [
        (counts[row][column], sum(counts[row]), labels[row], labels[column])
        for row in range(len(labels))
        for column in range(len(labels))
        if row != column and counts[row][column]
    ]
    pairs.sort(key=lambda pair: -pair[0])
    sentence = f"{right:,} of {plural(texts, 'text')} ({right / texts:.1%}) get the label that they were given."
    if pairs:
        count, of, label, prediction = pairs[0]
        sentence += f" The most frequent mistake: {count:,} of {plural(of, 'text')} labeled {quoted(label)}, taken for "
        sentence += f"{quoted(prediction)}."
    if len(labels) <= LARGEST_MATRIX:
        plots = [matrix("Labels and predictions", labels, counts, "true labels", "predictions", sentence)]
    else:
        plots = _pairs(pairs, len(labels))
    if points:
        plots.append(_classes(labels, points["classes"]))
    return Section("Confusions between labels", (sentence,), tuple(plots))


def _pairs(pairs: list[tuple], labels: int) -> list[Plot]:
    """The pairs of labels that are confused most, where a matrix would be too large to read."""
    if not pairs:
        return []
    shown = pairs[:PAIRS]
    mistakes = sum(pair[0] for pair in pairs)
    words = f"{labels:,} labels; the {len(shown)} pairs that are confused most make {sum(pair[0] for pair in shown):,} "
    words += f"of the {mistakes:,} mistakes."
    names = [f"{one_line(label, 16)} → {one_line(prediction, 16)}" for _, _, label, prediction in shown]
    title = "Most frequent confusions"
    plot = bars(title, names, {"texts": [pair[0] for pair in shown]}, "texts: label → prediction", words)
    rows = [(label, prediction, f"{count:,}", f"{count / of:.0%}") for count, of, label, prediction in pairs]
    return [replace(plot, header=("label", "prediction", "texts", "share of the label"), rows=tuple(rows))]


def _classes(labels: Sequence[str], classes: dict[str, list[dict]]) -> Plot:
    """F1 of each label, of the most frequent ones where there are many; the table has all of every label's scores."""
    scores = classes["tuned"]
    shown = sorted(sorted(range(len(labels)), key=lambda place: -scores[place]["texts"])[:LARGEST_MATRIX])
    title = "F1 of each label" if len(shown) == len(labels) else f"F1 of the {len(shown)} most frequent labels"
    measured = [place for place in range(len(labels)) if scores[place]["f1"]]
    best, worst = (pick(measured, key=lambda place: scores[place]["f1"]["value"]) for pick in (max, min))
    words = "F1 is " + " and ".join(
        f"{value(scores[place]['f1'])} for {quoted(labels[place])}"
        + (f", of which there are {scores[place]['texts']:,} texts," if scores[place]["texts"] < 20 else "")
        for place in dict.fromkeys((best, worst))
    )
    figures = {NAMES[name]: [of_model[place]["f1"] for place in shown] for name, of_model in classes.items()}
    plot = dots_with_intervals(title, [labels[place] for place in shown], figures, "F1", f"{words.rstrip(',')}.")
    header = ("label", "texts", "precision", "recall", "F1", "ROC-AUC", "F1 of TF-IDF")
    rows = tuple(
        (
            label,
            f"{of_label['texts']:,}",
            *(value(of_label[name]) for name in ("precision", "recall", "f1", "roc_auc")),
            value(of_words["f1"]),
        )
        for label, of_label, of_words in zip(labels, scores, classes[TFIDF], strict=True)
    )
    return replace(plot, header=header, rows=rows)


def _lengths(lengths: list[dict]) -> Section:
    names = [f"{bin['shortest']:,}" + f" to {bin['longest']:,}" * (bin["longest"] > bin["shortest"]) for bin in lengths]
    accuracy = [bin["accuracy"] for bin in lengths]
    first, last = (value(accuracy[place]) for place in (0, -1))
    words = f"Accuracy is {first} for {plural(lengths[0]['texts'], 'text')} of {names[0]} tokens"
    if len(lengths) > 1:
        words += f" and {last} for {plural(lengths[-1]['texts'], 'text')} of {names[-1]}"
    plot = dots_with_intervals(
        "Accuracy by length of the text", [f"{name} tokens" for name in names], {"accuracy": accuracy}, "accuracy",
        f"{words}.",
    )  # fmt: skip
    rows = tuple((name, f"{bin['texts']:,}", value(bin["accuracy"])) for name, bin in zip(names, lengths, strict=True))
    return Section(
        "Short and long texts", (f"{words}.",), (replace(plot, header=("tokens", "texts", "accuracy"), rows=rows),)
    )


def _mistakes(evaluation: dict) -> Section:
    shown = evaluation["most_confident_mistakes"]
    if not shown:
        return Section("Mistakes", ("It made none on these texts.",))
    mistakes = plural(evaluation["mistakes"], "mistake")
    sentence = f"It makes {mistakes} on these texts; the most confident are shown."
    tried = sum("words" in mistake for mistake in shown)
    if any(mistake.get("words") for mistake in shown):
        which = "" if tried == len(shown) else f"In the first {tried}, " if tried > 1 else "In the first, "
        words = "the words that spoke for the wrong label are marked: without them, its probability falls most."
        sentence += f" {which}{words}" if which else f" {words.capitalize()}"
    entries = tuple((_mistake(mistake),) for mistake in shown)
    return Section("Mistakes", (sentence,), texts=(Texts("The most confident mistakes", entries),))


def _mistake(mistake: dict) -> Text:
    telling = mistake.get("words", [])
    shown = "; ".join(f"−{each['drop']:.2f} without {quoted(each['words'])}" for each in telling)
    note = f"probability {mistake['probability']:.3f}" + (f"; {shown}" if shown else "")
    places = [(each["start"], each["start"] + len(each["words"].removesuffix("…"))) for each in telling]
    length = len(mistake["text"].removesuffix("…"))
    marked = tuple((start, min(end, length)) for start, end in sorted(places) if start < length)
    return Text(
        f"labeled {quoted(mistake['label'])}, predicted {quoted(mistake['prediction'])}", mistake["text"], note, marked
    )


def _label_errors(errors: dict | None) -> list[Section]:
    if not errors or not errors["shown"]:
        return []
    count, shown, confident = errors["texts"], len(errors["shown"]), errors["confident_texts"]
    several = f"{count:,} texts are" if count != 1 else "One text is"
    sentence = f"{several} probably mislabeled, which makes the model look worse than it is. "
    sentence += f"Found by {errors['method']}. Both are confident about {confident:,} texts, and "
    sentence += f"{confident - count:,} of these ({(confident - count) / confident:.1%}) have the label that both say. "
    sentence += "Read them before you believe it: where both models learned the same mistake, the label is right."
    entries = tuple(
        (
            Text(
                f"labeled {quoted(error['label'])}, probably {quoted(error['probable_label'])}",
                error["text"],
                f"probability {error['probability']:.3f} by the model, {error['baseline_probability']:.3f} by TF-IDF",
            ),
        )
        for error in errors["shown"]
    )
    caption = "All of them" if shown == count else f"The {shown} most probable"
    return [Section("Labels that are probably wrong", (sentence,), texts=(Texts(caption, entries),))]
