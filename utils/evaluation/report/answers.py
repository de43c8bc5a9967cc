"""Sections of the report on models that answer instructions: how close, how long, whether they end, and samples."""

from utils.evaluation import length_hints
from utils.evaluation.report.parts import parts_section
from utils.evaluation.report.section import Section, Table, Text, Texts
from utils.evaluation.report.shown import (
    NAMES,
    hundredfold,
    in_order,
    listed,
    medians,
    percent,
    share_histogram,
    shown_excerpt,
)
from utils.plots.dots import dots_with_intervals
from utils.plots.lines import Series, lines
from utils.plots.plot import Plot
from utils.plots.scales import limits


def own_output(evaluation: dict) -> str:
    """Return the share of its answers that ended, and how close their wording is to the references."""
    tuned, base = evaluation["tuned"], evaluation.get("base")
    ended = f"{percent(tuned['finished'])} of its answers end by themselves"
    beside = f" (its base model's: {percent(base['finished'])})" if base else ""
    chrf = (evaluation.get("difference") or {}).get("chrf")
    if chrf is None:
        return f"{ended}{beside}."
    sure = chrf["low"] > 0 or chrf["high"] < 0
    side = "closer to" if chrf["value"] > 0 else "farther from"
    low, high = sorted(abs(chrf[end]) for end in ("low", "high"))
    if not sure:
        return f"{ended}{beside}; their wording is not clearly closer to the references (chrF {_signed(chrf)})."
    apart = f"{abs(chrf['value']):.1f} chrF [{low:.1f}, {high:.1f}]"
    return f"{ended}{beside}; their wording is {side} the references by {apart}."


def sections(evaluation: dict) -> list[Section]:
    """Return the sections, the most important first; those whose points the evaluation has."""
    found = []
    if "length_by_reference" in evaluation:
        found.append(_lengths(evaluation))
    if evaluation.get("chrf_of_answers"):
        found.append(_wording(evaluation))
    found += parts_section(evaluation)
    if evaluation.get("samples"):
        found.append(_samples(evaluation))
    return found


def _lengths(evaluation: dict) -> Section:
    """Lengths of the answers and the share that ended, beside the length of the references."""
    bins, names = evaluation["length_by_reference"], in_order(evaluation["length_by_reference"][0])
    plots = [_length_curve(bins, names), _endings(bins, names)]
    sentences = []
    if counted := evaluation["words"]:
        words = f"Median length in words: {medians(counted)}."
        plots.append(share_histogram("Lengths", counted, "words", "answers", words))
        sentences.append(words)
    cut = evaluation["decoding"]["max_new_tokens"]
    sentences.append(f"An answer that did not end by itself was cut after {cut:,} tokens.")
    hints = evaluation.get("lengths")
    return Section(
        "Endings and lengths of answers",
        tuple(sentences),
        tuple(plots),
        (_hints(hints),) if hints else (),
    )


def _length_curve(bins: list[dict], names: list[str]) -> Plot:
    x = [one["reference_words"] for one in bins]
    series = [
        Series(NAMES[name], x, *([one[name]["words"][end] for one in bins] for end in ("value", "low", "high")))
        for name in names
    ]
    shown = [
        f"where the references have {_range(one)}, {one['reference_words']:.0f} on average, "
        + listed(f"{NAMES[name]} {one[name]['words']['value']:.0f}" for name in names)
        for one in (bins[:1] if len(bins) == 1 else (bins[0], bins[-1]))
    ]
    description = f"Mean words of the answers: {'; '.join(shown)}. On the dotted line, both are as long."
    axis = limits([*x, *(end for one in series for end in one.high)], include=[0])
    return lines(
        "Length beside the references", series, "mean words of the references", "mean words of the answers",
        description, diagonal=True, x_range=axis, y_range=axis,
    )  # fmt: skip


def _endings(bins: list[dict], names: list[str]) -> Plot:
    figures = {NAMES[name]: [hundredfold(one[name]["finished"]) for one in bins] for name in names}
    shown = [
        f"{_range(one)}: " + listed(f"{NAMES[name]} {percent(one[name]['finished'])}" for name in names) for one in bins
    ]
    return dots_with_intervals(
        "Answers that ended by themselves", [_range(one) for one in bins], figures, "% of answers",
        f"By the length of the reference: {'; '.join(shown)}.", pattern="{:.0f}", name_title="reference",
    )  # fmt: skip


def _range(one: dict) -> str:
    ends = f"{one['from']:,}" if one["from"] == one["to"] else f"{one['from']:,} to {one['to']:,}"
    return f"{ends} {'word' if one['to'] == 1 else 'words'}"


def _hints(hints: dict) -> Table:
    title = f"Answers where --length asks for one, on {hints['rows']:,} rows"
    return Table(title, length_hints.HEADER, tuple(length_hints.rows(hints)))


def _wording(evaluation: dict) -> Section:
    """chrF of single answers."""
    counted = evaluation["chrf_of_answers"]
    description = f"Median chrF of an answer: {medians(counted, '{:.1f}')}."
    return Section(
        "Similarity to the references",
        (
            "chrF, BLEU and ROUGE-L compare wording, not truth: a right answer in other words has a low value, and a "
            "wrong one in the same words a high one.",
        ),
        (share_histogram("chrF of single answers", counted, "chrF", "answers", description),),
    )


def _samples(evaluation: dict) -> Section:
    """Instruction, reference and the answers of base and tuned model."""
    entries = []
    for sample in evaluation["samples"]:
        earlier = sample["earlier_messages"]
        note = f"row {sample['row'] + 1:,}" + (f", after {earlier:,} more messages" if earlier else "")
        entry = [shown_excerpt("instruction", sample["instruction"], note)]
        if sample["input"]:
            entry.append(shown_excerpt("input", sample["input"]))
        entry.append(shown_excerpt("reference", sample["reference"]))
        entry += [_answer(name, sample[name]) for name in ("base", "tuned") if name in sample]
        entries.append(tuple(entry))
    count = len(entries)
    return Section("Answers", texts=(Texts(f"The first {count:,} test rows", tuple(entries)),))


def _answer(name: str, answer: dict) -> Text:
    note = "" if answer["finished"] else f"cut after {answer['tokens']:,} tokens"
    return shown_excerpt(NAMES[name], answer, note)


def _signed(figure: dict) -> str:
    value, low, high = (f"{figure[end]:+.1f}" for end in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"
