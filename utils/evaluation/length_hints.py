"""The table of answers that were generated for a requested length, for the terminal and the report."""

from collections.abc import Mapping

from utils.models.chat_templates import LENGTHS

HEADER = ("requested length", "median words", "words in training", "ended")


def rows(hints: Mapping) -> list[tuple[str, ...]]:
    """Return a row for each length of the `lengths` in evaluation.json."""
    limits = hints["most_words_in_training"]
    return [
        (
            length,
            f"{hints[length]['median_words']:g}",
            f"at most {limits[length]}" if length in limits else "more",
            f"{hints[length]['finished']:.0%}",
        )
        for length in LENGTHS
    ]
