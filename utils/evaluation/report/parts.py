"""The gain over the base model by part of the text: end token, first token, and the text between."""

from utils.evaluation.report.section import Section
from utils.metrics.figures import PARTS
from utils.plots.dots import dots_with_intervals
from utils.terminal.tables import with_interval


def parts_section(evaluation: dict) -> list[Section]:
    """Return the section on the difference in bits per byte by part; none where no base was evaluated."""
    parts = evaluation.get("bits_per_byte_difference_by_part")
    if not parts:
        return []
    shown = "; ".join(f"{PARTS[part]}: {with_interval(figure, '{:+.3f}')}" for part, figure in parts.items())
    plot = dots_with_intervals(
        "Bits per byte, this model minus base", [PARTS[part] for part in parts], {"difference": list(parts.values())},
        "bits per byte; less than 0 is better", f"{shown}.", zero=True, name_title="part",
    )  # fmt: skip
    sentence = (
        "A base model does not know where these texts end or how they begin, so these two are usually learned "
        "first; the text between says whether this model has learned more."
    )
    return [Section("Difference from the base model", (sentence,), (plot,))]
