"""The audit of a preprocessing run: what was read, dropped, kept and changed."""

import array
import textwrap
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from utils.preprocessing.filters import FilteredRows
    from utils.processed import Split
    from utils.tasks.label_kinds.label_kind import LabelKind

SHOWN_CHARACTERS = 800
SHOWN_EMOJI = 3
TEXTS_AT_ONCE = 10_000


@dataclass(frozen=True, repr=False)
class Preprocessed:
    """A processed pickle: where it is, and the `audit` of how it was made, which it shows itself as."""

    path: Path
    audit: dict

    def __fspath__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        return f"{format_audit(self.audit)}\nwritten: {self.path}"


def build_audit(
    rows_read: int,
    filtered: "FilteredRows",
    splits: Mapping[str, "Split"],
    unknown_id: int | None,
    label_kind: "LabelKind | None" = None,
) -> dict:
    """Return the audit as plain JSON values; "labels" or "scores" are there only if rows have such.

    "further_turns" counts the examples that conversations give beyond their first, so that rows read plus further turns
    are rows dropped plus rows kept. "samples" are texts before and after cleaning, or else prompts with their answers.
    """
    labels = {name: split.label for name, split in splits.items()}
    kept = {name: len(split) for name, split in splits.items()}
    further_turns = sum(kept.values()) + sum(filtered.dropped.values()) - rows_read
    return {
        "rows_read": rows_read,
        **({"further_turns": further_turns} if further_turns else {}),
        "dropped": filtered.dropped,
        "kept": kept,
        **(label_kind.audit(labels) if label_kind else {}),
        "cleaned": filtered.cleaned,
        "tokens": token_statistics([ids for split in splits.values() for ids in split.ids], unknown_id),
        "samples": filtered.samples or prompts_and_answers(splits["train"]),
    }


def prompts_and_answers(split: "Split") -> list[dict[str, str]]:
    """Return three rows of the split as the model is trained on them."""
    rows = range(0, len(split), max(1, len(split) // 3))
    return [{"prompt": split.prompt[row], "answer": split.completion[row]} for row in rows][:3]


def token_statistics(ids: Sequence[array.array], unknown_id: int | None) -> dict:
    """Return statistics of the tokens per text, start and end included, and the share of unknown tokens."""
    import numpy

    lengths = numpy.array([len(text) for text in ids])
    unknown = 0
    if unknown_id is not None:
        chunks = (ids[start : start + TEXTS_AT_ONCE] for start in range(0, len(ids), TEXTS_AT_ONCE))
        unknown = sum(_count_inside(chunk, unknown_id) for chunk in chunks)
    return {
        "median": int(numpy.median(lengths)),
        "p95": int(numpy.percentile(lengths, 95)),
        "max": int(lengths.max()),
        "total": int(lengths.sum()),
        "unknown_share": unknown / max(1, int((lengths - 2).sum())),
    }


def _count_inside(ids: Sequence[array.array], token: int) -> int:
    """Return how often texts have a token other than as their first or last one."""
    import numpy

    lengths = numpy.array([len(text) for text in ids])
    found = numpy.frombuffer(b"".join(ids), dtype="I") == token
    ends = lengths.cumsum()
    found[(ends - lengths)[lengths > 0]] = found[(ends - 1)[lengths > 0]] = False
    return int(found.sum())


def count_emoji(splits: Mapping[str, "Split"], targets: Sequence[Sequence]) -> dict:
    """Return the audit's counts of emoji, concepts, descriptions and languages.

    `targets` are those of the whole table. "shared_descriptions" counts the descriptions that several emoji have.
    """
    emoji_of, languages, counts = defaultdict(set), Counter(), {}
    for name, split in splits.items():
        emoji = split.metadata["emoji"]
        for description, one in zip(split.prompt, emoji, strict=True):
            emoji_of[" ".join(description.casefold().split())].add(one)
        languages.update(language or "unknown" for language in split.metadata["language"])
        counts[name] = {"concepts": len(set(split.group)), "emoji": len(set(emoji)), "descriptions": len(split)}
    shared = {description: sorted(emoji) for description, emoji in emoji_of.items() if len(emoji) > 1}
    example = min(shared, default=None)
    return {
        "emoji": len(targets),
        "concepts": len({concept for _, _, _, concept in targets}),
        "splits": counts,
        "languages": dict(sorted(languages.items())),
        "shared_descriptions": len(shared),
        "shared_example": None if example is None else [example, shared[example][:SHOWN_EMOJI]],
    }


def format_audit(audit: Mapping) -> str:
    """Return the audit as text for a terminal."""
    tokens, kept = audit["tokens"], audit["kept"]
    total = sum(kept.values())
    lines = [_line("rows read", audit["rows_read"])]
    if "further_turns" in audit:
        lines += [_line("further turns", audit["further_turns"])]
    lines += [_line("  dropped", number, reason) for reason, number in audit["dropped"].items()]
    lines += [_line("rows kept", total, _by_split(kept))]
    for label, rows in audit.get("labels", {}).items():
        number = sum(rows.values())
        lines += [_line("  label", number, f"{number / total:>6.1%}  {label}: {_by_split(rows)}")]
    if none := audit.get("without_label"):
        lines += [_line("  no label", sum(none.values()), f"{sum(none.values()) / total:>6.1%}  {_by_split(none)}")]
    for name, scores in audit.get("scores", {}).items():
        amounts = [f"{scores[key]:.4g}" for key in ("mean", "deviation", "lowest", "highest")]
        spread = "mean {}, deviation {}, from {} to {}".format(*amounts)
        lines += [_line("  scores", kept[name], f"{name}: {spread}")]
    lines += [_line("  changed", number, kind) for kind, number in audit["cleaned"].items() if number]
    lengths = f"median; 95th percentile {tokens['p95']:,}, maximum {tokens['max']:,}"
    lines += [_line("tokens per text", tokens["median"], lengths)]
    lines += [f"unknown tokens {tokens['unknown_share']:>9.2%}"]
    for sample in audit["samples"]:
        if "prompt" in sample:
            lines += ["prompt:", _indented(sample["prompt"]), "answer:", _indented(sample["answer"])]
        else:
            lines += ["before: " + " ".join(sample["before"].split()), "after:  " + sample["after"]]
    return "\n".join(lines + (_emoji_lines(audit["emoji"]) if "emoji" in audit else []))


def _emoji_lines(counts: Mapping) -> list[str]:
    lines = [_line("emoji", counts["emoji"], f"of {counts['concepts']:,} concepts, all that the model can write")]
    for name, split in counts["splits"].items():
        lines += [_line(f"  {name}", split["emoji"], f"of {split['concepts']:,} concepts")]
    if set(counts["languages"]) != {"unknown"}:
        lines += [_line("  language", number, language) for language, number in counts["languages"].items()]
    if counts["shared_descriptions"]:
        description, emoji = counts["shared_example"]
        shared_by = f"shared by several emoji, such as {description!r}: {', '.join(emoji)}"
        lines += [_line("descriptions", counts["shared_descriptions"], shared_by)]
    return lines


def _line(title: str, number: int, comment: str = "") -> str:
    return f"{title:<15}{number:>9,}  {comment}".rstrip()


def _by_split(rows: Mapping[str, int]) -> str:
    return ", ".join(f"{split} {number:,}" for split, number in rows.items())


def _indented(text: str) -> str:
    """Return the text, cut where it is long, with a bar in front of every line."""
    text = text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + " …"
    return textwrap.indent(text, "  | ", lambda line: True)
