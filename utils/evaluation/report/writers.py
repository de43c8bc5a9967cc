"""Sections of the report on models that write texts: copied or new, varied or not, easy and hard texts, samples."""

from collections.abc import Mapping
from itertools import zip_longest

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
from utils.terminal.tables import NO_FIGURE, with_interval

DESCRIBED = (2, 4, 8)  # words of the n-grams that are named in the description of novelty
ENDS = {"least": "Least surprising", "most": "Most surprising"}


def own_output(evaluation: dict) -> str:
    """Return a sentence on the share of its texts that is copied, beside people's; nothing where it is not known."""
    if "copies" not in evaluation:
        return ""
    shares = {name: evaluation["copies"][name]["long_run"] for name in ("tuned", "test texts")}
    words = evaluation["copies"]["tuned"]["words"]
    number = evaluation["copying"]["tuned"]["texts"]
    return (
        f"Of the {number:,} texts it wrote, {percent(shares['tuned'])} copy {words} words in a row or more; of the "
        f"test texts, {percent(shares['test texts'])}."
    )


def sections(evaluation: dict) -> list[Section]:
    """Return the sections, the most important first; those whose points the evaluation has."""
    found = []
    if "novelty" in evaluation:
        found += [_copied(evaluation), _varied(evaluation)]
    if "single_texts" in evaluation:
        found.append(_single_texts(evaluation))
    found += parts_section(evaluation)
    if "samples" in evaluation:
        found.append(_samples(evaluation))
    return found


def novelty_curve(novelty: Mapping[str, list]) -> Plot:
    """Return the share of new runs of words by length; a share is {"value", "low", "high"}, or None without any."""
    series = []
    for name, shares in novelty.items():
        ends = ([share and 100 * share[end] for share in shares] for end in ("value", "low", "high"))
        series.append(Series(name, range(1, len(shares) + 1), *ends))
    described = [
        f"of {n} words: "
        + listed(f"{name} {percent(shares[n - 1])}" for name, shares in novelty.items() if shares[n - 1])
        for n in DESCRIBED
        if any(shares[n - 1] for shares in novelty.values())
    ]
    description = "Runs of words that no training text has, " + ("; ".join(described) or "there are no words") + "."
    return lines(
        "New runs of words", series, "words in a row (n)", "% that no training text has", description,
        x_range=(1, 10), y_range=(0, 100),
    )  # fmt: skip


def _copied(evaluation: dict) -> Section:
    """Novelty over n, exact and long copies, and the texts that copy most."""
    names = in_order(evaluation["novelty"])
    copying, copies = evaluation["copying"], evaluation["copies"]
    rows = [
        ("texts that equal a training text", *(percent(copies[name]["exact"]) for name in names)),
        (
            f"texts that copy {copies['tuned']['words']} words in a row",
            *(percent(copies[name]["long_run"]) for name in names),
        ),
        ("median of the longest copied runs, words", *(f"{copying[name]['median_copied_words']:g}" for name in names)),
        ("longest copied run, words", *(f"{copying[name]['longest_copied_words']:,}" for name in names)),
    ]
    counts = listed(f"{NAMES[name]} {copying[name]['texts']:,}" for name in names)
    table = Table(
        f"Copies from the {copying['tuned']['training_texts']:,} training texts; texts of each: {counts}",
        ("", *(NAMES[name] for name in names)),
        tuple(rows),
    )
    entries = tuple(
        (shown_excerpt("this model", piece, _words(piece)), _nearest(piece)) for piece in evaluation["longest_copies"]
    )
    return Section(
        "Novelty",
        (
            "Case and punctuation don't count. People repeat each other too, so compare with the "
            "test texts; preprocessing removed near copies of training texts from these, so they repeat a little less "
            "than people do.",
        ),
        (novelty_curve({NAMES[name]: evaluation["novelty"][name] for name in names}),),
        (table,),
        (Texts("The texts that copy most, each with its training text", entries),) if entries else (),
    )


def _varied(evaluation: dict) -> Section:
    """distinct-n, texts that repeat themselves, lengths, and the share that ended."""
    names = in_order(evaluation["distinct"])
    plots = []
    distinct = {name: [evaluation["distinct"][name].get(f"distinct_{n}") for n in range(1, 5)] for name in names}
    series = [Series(NAMES[name], range(1, 5), values) for name, values in distinct.items()]
    first = listed(f"{NAMES[name]} {_two(values[1])}" for name, values in distinct.items())
    plots.append(
        lines(
            "Distinct runs of words",
            series,
            "words in a row (n)",
            "distinct-n",
            f"The share of runs of n words and marks that are different; of pairs: {first}.",
            x_range=(1, 4),
            y_range=(0, 1),
        )
    )
    repetition = evaluation["repetition"]
    sizes = sorted(repetition["tuned"], key=int)
    most = listed(f"{NAMES[name]} {percent(repetition[name][sizes[-1]])}" for name in names)
    plots.append(
        dots_with_intervals(
            "Texts that repeat themselves",
            [f"{n} words" for n in sizes],
            {NAMES[name]: [hundredfold(repetition[name][n]) for n in sizes] for name in names},
            "% of texts with a run of words that occurs twice in them",
            f"Texts that have a run of {sizes[-1]} words twice: {most}.",
            pattern="{:.0f}",
            name_title="run of",
        )
    )
    sentences = []
    if counted := evaluation["words"]:
        words = f"Median length in words: {medians(counted)}."
        plots.append(share_histogram("Lengths", counted, "words", "texts", words))
        sentences.append(words)
    ended = {name: share for name, share in evaluation["finished"].items() if share}
    sentences.append(
        "Texts that ended by themselves, before the longest length allowed: "
        f"{listed(f'{NAMES[name]} {percent(ended[name])}' for name in in_order(ended))}."
    )
    return Section("Variety", tuple(sentences), tuple(plots))


def _single_texts(evaluation: dict) -> Section:
    """Bits per byte of single texts, of training and test texts, and the extreme ones."""
    single = evaluation["single_texts"]
    train, counted = single["train"], single["histogram"]
    needed = (with_interval(figure["bits_per_byte"], "{:.3f}") for figure in (train, evaluation["tuned"]))
    sentences = [
        "It needs {} bits per byte on {:,} of {:,} training texts and {} on the test texts: far less on the training "
        "texts means that it has memorized them.".format(next(needed), train["texts"], train["of"], next(needed)),
        "Training texts that surprise most are often junk; test texts that surprise least are often copies or "
        "boilerplate. Short texts have high values, since the end of a text counts too.",
    ]
    plots, texts = [], []
    if counted:
        description = f"Median bits per byte: {medians(counted, '{:.2f}')}."
        plots.append(share_histogram("Loss of single texts", counted, "bits per byte", "texts", description))
    for end, title in ENDS.items():
        columns = [[_scored(one, split) for one in single["extremes"][split][end]] for split in ("test", "train")]
        if entries := [tuple(filter(None, pair)) for pair in zip_longest(*columns)]:
            texts.append(Texts(f"{title} texts", tuple(entries)))
    return Section("Easy and hard texts", tuple(sentences), tuple(plots), (), tuple(texts))


def _scored(one: dict, split: str) -> Text:
    base = f", base {one['base']:.2f}" if "base" in one else ""
    name = f"{split}, row {one['row'] + 1:,}"
    return shown_excerpt(name, one, f"{one['tuned']:.2f} bits per byte{base}")


def _samples(evaluation: dict) -> Section:
    """Texts of base and tuned model side by side with the training text nearest to the tuned model's."""
    entries = []
    for sample in evaluation["samples"]:
        shown = [
            shown_excerpt(NAMES[name], sample[name], _words(sample[name]))
            for name in ("base", "tuned")
            if name in sample
        ]
        entries.append((*shown, _nearest(sample["tuned"])))
    caption = f"The first {len(entries)} texts; the longest run of words that a training text has too is marked"
    return Section("Generated texts", texts=(Texts(caption, tuple(entries)),) if entries else ())


def _nearest(piece: dict) -> Text:
    nearest = piece["nearest"]
    note = f"row {nearest['row'] + 1:,}" if nearest else "none shares a word"
    return shown_excerpt("nearest training text", nearest, note)


def _words(piece: dict) -> str:
    if piece["exact_copy"]:
        return "a copy"
    words = piece["copied_words"]
    return f"{words:,} {'word' if words == 1 else 'words'} in a row copied" if words else ""


def _two(value: float | None) -> str:
    return NO_FIGURE if value is None else f"{value:.2f}"
