"""From a table's pairs to the splits of the processed pickle: filters, targets, sides, token ids."""

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from utils import encoding
from utils.emoji_tables.code_points import format_code_points
from utils.emoji_tables.concepts import concept_of
from utils.emoji_tables.resolving import Row
from utils.emoji_tables.splits import split_rows
from utils.emoji_tables.table import Table
from utils.errors import DataError
from utils.filtering import HINTS, Filtered, Filters, describe, not_chosen, with_excluded_word
from utils.store import Split
from utils.tasks.base import Task, apply_template
from utils.words import count_words

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

log = logging.getLogger(__name__)

NOT_WHOLE = "emoji that the tokenizer cannot encode in whole"


def to_splits(
    table: Table,
    tokenizer: "PreTrainedTokenizerBase",
    task: Task,
    filters: Filters,
    seed: int,
    *,
    target: str,
    split_by: str,
) -> tuple[Filtered, dict[str, Split], list[list]]:
    """The rows that are left, their splits, and every target of the table, whether its rows are left or not."""
    table = encodable(table, tokenizer, target)
    filtered = filter_rows(table, filters, seed)
    sides = split_rows(filtered, task, split_by, seed)
    whole = _encoded(filtered, tokenizer, task.template, target)
    splits = {name: whole.take(side) for name, side in sides.items()}
    return filtered, splits, targets_of(table.rows, target)


def target_text(emoji: str, target: str) -> str:
    """What the model writes for an emoji: itself, or its code points."""
    return format_code_points(emoji) if target == "codepoints" else emoji


def encodable(table: Table, tokenizer: "PreTrainedTokenizerBase", target: str) -> Table:
    """The table without the emoji that do not survive the tokenizer; DataError where none does."""
    emoji = list(dict.fromkeys(row.emoji for row in table.rows))
    texts = [target_text(each, target) for each in emoji]
    all_ids = encoding.token_ids(tokenizer, texts)
    decoded = [tokenizer.decode(ids, clean_up_tokenization_spaces=False).strip() for ids in all_ids]
    broken = {each for each, text, back in zip(emoji, texts, decoded, strict=True) if back != text}
    if not broken:
        return table
    first = next(each for each in emoji if each in broken)
    name = f"{first} ({format_code_points(first)})"
    if len(broken) == len(emoji):
        raise DataError(
            f"the tokenizer of {tokenizer.name_or_path} can encode none of the {len(emoji):,} emoji in whole, "
            f"{name} for one",
            "choose a base model whose tokenizer falls back on bytes, such as gpt2 or smollm2, "
            + ("or another --target" if target == "codepoints" else "or --target codepoints"),
        )
    log.warning("warning: the tokenizer cannot encode %s emoji in whole, the first is %s", f"{len(broken):,}", name)
    left = [row for row in table.rows if row.emoji not in broken]
    return Table(left, {**table.dropped, NOT_WHOLE: len(table.rows) - len(left)}, table.changed)


def targets_of(rows: Sequence[Row], target: str) -> list[list]:
    """[text, emoji, group, concept] of every emoji, sorted by the text that the model writes."""
    first = {row.emoji: row for row in reversed(rows)}
    return sorted([target_text(emoji, target), emoji, row.group, concept_of(emoji)] for emoji, row in first.items())


def filter_rows(table: Table, filters: Filters, seed: int) -> Filtered:
    """The rows that the filters leave: texts are the descriptions, groups the concepts."""
    dropped, rows = dict(table.dropped), table.rows

    def drop(reason: str, unwanted: Sequence[bool]) -> list[Row]:
        left = [row for row, mark in zip(rows, unwanted, strict=True) if not mark]
        if len(left) < len(rows):
            dropped[reason] = len(rows) - len(left)
        return left

    rows = drop("too short", [count_words(row.description) < filters.min_tokens for row in rows])
    if filters.max_tokens is not None:
        rows = drop("too long", [count_words(row.description) > filters.max_tokens for row in rows])
    if filters.exclude:
        rows = drop("excluded word", with_excluded_word((row.description for row in rows), filters.exclude))
    if not rows:
        hint = HINTS.get(max(dropped, key=dropped.get), "choose other filters")
        raise DataError(f"no row is left: {describe(dropped)}", hint)
    rows = drop("not sampled", not_chosen(len(rows), filters, seed))
    return Filtered(
        texts=[row.description for row in rows],
        labels=[None] * len(rows),
        groups=[concept_of(row.emoji) for row in rows],
        facts={
            "emoji": [row.emoji for row in rows],
            "group": [row.group for row in rows],
            "sub_group": [row.sub_group for row in rows],
            "language": [row.language for row in rows],
        },
        dropped=dropped,
        cleaned=table.changed,
        samples=[],
    )


def _encoded(filtered: Filtered, tokenizer: "PreTrainedTokenizerBase", template: str, target: str) -> Split:
    completions = [target_text(emoji, target) for emoji in filtered.facts["emoji"]]
    prompts = [apply_template(template, description) for description in filtered.texts]
    ids, loss_start = encoding.encode(tokenizer, prompts, completions)
    return Split(filtered.texts, completions, filtered.labels, filtered.groups, ids, loss_start, filtered.facts)
