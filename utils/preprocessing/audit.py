"""The audit of a preprocessing run: what was read, dropped, kept and changed."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from utils.tasks.labels import label_order

if TYPE_CHECKING:
    from utils.preprocessing.filters import Filtered
    from utils.processed import Split

SHOWN = 800  # characters


def build_audit(rows_read: int, filtered: "Filtered", splits: Mapping[str, "Split"], unknown_id: int | None) -> dict:
    """All that preprocessing has to say, as plain JSON values; "labels" only where there are some.

    "further_turns" are the examples that rows with several answers make beyond their first: rows read and further turns
    are what was dropped and what was kept. Samples are texts before and after, or else prompts with their answers.
    """
    labels = label_order(label for label in filtered.labels if label is not None)
    by_label = {label: {name: split.label.count(label) for name, split in splits.items()} for label in labels}
    kept = {name: len(split) for name, split in splits.items()}
    further = sum(kept.values()) + sum(filtered.dropped.values()) - rows_read
    return {
        "rows_read": rows_read,
        **({"further_turns": further} if further else {}),
        "dropped": filtered.dropped,
        "kept": kept,
        **({"labels": by_label} if labels else {}),
        "cleaned": filtered.cleaned,
        "tokens": token_statistics([ids for split in splits.values() for ids in split.ids], unknown_id),
        "samples": filtered.samples or prompts_and_answers(splits["train"]),
    }


def prompts_and_answers(split: "Split") -> list[dict[str, str]]:
    """Three rows as the model learns them."""
    rows = range(0, len(split), max(1, len(split) // 3))
    return [{"prompt": split.prompt[row], "answer": split.completion[row]} for row in rows][:3]


def token_statistics(ids: Sequence[Sequence[int]], unknown_id: int | None) -> dict:
    """Tokens a text (with start and end) as median, 95th percentile and maximum, and the share of unknown ones."""
    import numpy

    lengths = numpy.array([len(text) for text in ids])
    unknown = 0 if unknown_id is None else sum(list(text[1:-1]).count(unknown_id) for text in ids)
    return {
        "median": int(numpy.median(lengths)),
        "p95": int(numpy.percentile(lengths, 95)),
        "max": int(lengths.max()),
        "total": int(lengths.sum()),
        "unknown_share": unknown / max(1, int((lengths - 2).sum())),
    }


def format_audit(audit: dict) -> str:
    """The audit as text for a terminal."""
    tokens = audit["tokens"]
    kept = audit["kept"]
    lines = [f"rows read      {audit['rows_read']:>9,}"]
    if "further_turns" in audit:
        lines += [f"further turns  {audit['further_turns']:>9,}"]
    lines += [f"  dropped      {number:>9,}  {reason}" for reason, number in audit["dropped"].items()]
    lines += [f"rows kept      {sum(kept.values()):>9,}  {_sides(kept)}"]
    for label, rows in audit.get("labels", {}).items():
        number = sum(rows.values())
        lines += [f"  label        {number:>9,}  {number / sum(kept.values()):>6.1%}  {label}: {_sides(rows)}"]
    lines += [f"  changed      {number:>9,}  {kind}" for kind, number in audit["cleaned"].items() if number]
    lines += [
        f"tokens a text  {tokens['median']:>9,}  median; 95th percentile {tokens['p95']:,}, maximum {tokens['max']:,}",
        f"unknown tokens {tokens['unknown_share']:>9.2%}",
    ]
    for sample in audit["samples"]:
        if "prompt" in sample:
            lines += ["prompt:", _shown(sample["prompt"]), "answer:", _shown(sample["answer"])]
        else:
            lines += ["before: " + " ".join(sample["before"].split()), "after:  " + sample["after"]]
    return "\n".join(lines)


def _shown(text: str) -> str:
    """The text with a bar in front of every line, cut where it is long."""
    text = text if len(text) <= SHOWN else text[:SHOWN] + " …"
    return textwrap.indent(text, "  | ", lambda line: True)


def _sides(rows: Mapping[str, int]) -> str:
    return ", ".join(f"{side} {number:,}" for side, number in rows.items())
