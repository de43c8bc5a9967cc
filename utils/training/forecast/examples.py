"""One training row as text, decoded as the model sees it, with the part that counts in the loss marked."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from utils.terminal.controls import SHOWN

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

OPEN, CLOSE = "⟦", "⟧"  # around the part that counts
LONGEST = 1200  # characters that are shown of each part


@dataclass(frozen=True)
class Example:
    """A decoded row: the text that the model reads, the text that it learns to write, and a classifier's label."""

    context: str
    counted: str
    label: str | None

    def __str__(self) -> str:
        if self.label is not None:
            return f"{_cut(self.context)} → {OPEN}{self.label}{CLOSE}"
        return f"{_cut(self.context)}{OPEN}{_cut(self.counted)}{CLOSE}"


def example(rows: Sequence[dict], tokenizer: "PreTrainedTokenizerBase", label_text: Callable[[object], str]) -> Example:
    """Return the row of median length: its tokens before the loss, those with a loss, and its label.

    `label_text` returns a row's "label" as people read it.
    """
    row = sorted(rows, key=lambda row: len(row["input_ids"]))[len(rows) // 2]
    ids = list(row["input_ids"])
    start = len(ids) if "label" in row else max(1, row["loss_start"])
    decoded = [tokenizer.decode(part, clean_up_tokenization_spaces=False) for part in (ids[:start], ids[start:])]
    return Example(*decoded, label_text(row["label"]) if "label" in row else None)


def _cut(text: str) -> str:
    shown = text.translate(SHOWN)
    return shown if len(shown) <= LONGEST else f"{shown[:LONGEST]}… ({len(text):,} characters)"
