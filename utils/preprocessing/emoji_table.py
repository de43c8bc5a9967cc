"""Tables of emoji, from files or from the `emoji` package: pairs of a description and a real emoji, once each."""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from utils.errors import DataError
from utils.preprocessing.emoji_resolve import (
    SPREADSHEET,
    UNUSABLE_EMOJI_REASONS,
    EmojiPair,
    UnusableEmojiError,
    resolve_cells,
)
from utils.preprocessing.emoji_sources import (
    BUILTIN,
    EmojiCells,
    aliases_source,
    builtin_aliases,
    read_builtin,
    read_emoji_cells,
)
from utils.preprocessing.emoji_unicode import is_known, without_selectors
from utils.preprocessing.filters import describe_drops
from utils.reading.read_frame import SourceFile
from utils.text.words import text_key

log = logging.getLogger(__name__)
COMPONENT = "component of other emoji"
VARIANT = "unqualified or minimally-qualified variant"
DUPLICATE = "exact duplicate"
QUALIFIED = "brought to the fully-qualified form"
NEWER = "emoji newer than the emoji package, kept as they are"


@dataclass(frozen=True)
class EmojiTable:
    """The pairs, and what became of the other rows: reason → rows; kind of change → rows that had it."""

    rows: list[EmojiPair]
    dropped: dict[str, int]
    changed: dict[str, int]


def read_emoji_table(
    paths: Sequence[str], aliases: Sequence[str] = (), *, text_column: str | None = None, hub_split: str = "train"
) -> tuple[EmojiTable, list[SourceFile]]:
    """The pairs in the files, in their order; "builtin" stands for the table of the `emoji` package.

    Then those of the package's names and aliases, in the languages `aliases`, that the files have not. DataError where
    a file is no table of emoji, or no row is usable.
    """
    found, sources = [], []
    if BUILTIN in paths:
        rows, source = read_builtin()
        found, sources = rows, [source]
    files = [path for path in paths if path != BUILTIN]
    if files:
        rows, of_files = read_emoji_cells(files, text_column=text_column, hub_split=hub_split)
        found, sources = found + rows, sources + of_files
    table = _table(found)
    if aliases:
        rows, source = _further(table.rows, aliases)
        table, sources = replace(table, rows=table.rows + rows), [*sources, source]
    return table, sources


def _table(found: Sequence[EmojiCells]) -> EmojiTable:
    rows: list[EmojiPair] = []
    unusable, changed, made_numbers = Counter(), Counter(), []
    for row in found:
        try:
            rows.append(resolve_cells(row))
        except UnusableEmojiError as reason:
            unusable[str(reason)] += 1
            continue
        changed.update(rows[-1].changes)
        if SPREADSHEET in rows[-1].changes:
            made_numbers.append(row)
    if made_numbers:
        first = made_numbers[0]
        log.warning(
            "warning: a spreadsheet has made numbers of %s code points, first in %s, column %r: %r; the emoji is taken",
            *(f"{len(made_numbers):,}", first.where, first.code_point_column, first.code_points),
        )
    dropped = {reason: unusable[reason] for reason in UNUSABLE_EMOJI_REASONS if unusable[reason]}
    whole = [row for row in rows if not row.is_component] or rows
    if len(whole) < len(rows):
        dropped[COMPONENT] = len(rows) - len(whole)
    kept, repeated = _once_each(_completed(whole))
    dropped |= repeated
    if not kept:
        raise DataError(
            f"no row is left of {len(found):,}: {describe_drops(dropped)}",
            "check the columns of the table: emoji and code points must belong together, or leave one of them out",
        )
    for reason, number in dropped.items():
        if number > len(found) / 2:
            log.warning("warning: %s of %s rows were dropped: %s", f"{number:,}", f"{len(found):,}", reason)
    changed[QUALIFIED] = sum(row.is_variant for row in kept)
    changed[NEWER] = sum(not is_known(row.emoji) for row in kept)
    return EmojiTable(kept, dropped, {kind: number for kind, number in changed.items() if number})


def _completed(rows: Sequence[EmojiPair]) -> list[EmojiPair]:
    """The rows; of an emoji that the package does not know, the form with the most selectors stands for the others."""
    longest: dict[str, str] = {}
    for row in rows:
        if not is_known(row.emoji):
            key = without_selectors(row.emoji)
            longest[key] = max(longest.get(key, ""), row.emoji, key=len)
    completed = []
    for row in rows:
        form = longest.get(without_selectors(row.emoji), row.emoji)
        completed.append(row if form == row.emoji else replace(row, emoji=form, is_variant=True))
    return completed


def _once_each(rows: Sequence[EmojiPair]) -> tuple[list[EmojiPair], dict[str, int]]:
    """The first row of each pair, that of the fully-qualified emoji where there is one; and why others are left out."""
    first: dict[tuple[str, str], int] = {}
    dropped = Counter()
    for place in sorted(range(len(rows)), key=lambda place: rows[place].is_variant):
        if first.setdefault(_pair(rows[place]), place) != place:
            dropped[VARIANT if rows[place].is_variant else DUPLICATE] += 1
    return [rows[place] for place in sorted(first.values())], dict(sorted(dropped.items(), reverse=True))


def _further(rows: Sequence[EmojiPair], codes: Sequence[str]) -> tuple[list[EmojiPair], SourceFile]:
    """The package's names and aliases that are usable and not yet there, one row each."""
    facts = {row.emoji: row for row in reversed(rows)}
    there = {_pair(row) for row in rows}
    further, new = [], []
    for found in builtin_aliases(list(dict.fromkeys(row.emoji for row in rows)), codes):
        try:
            row = resolve_cells(found)
        except UnusableEmojiError:
            continue
        if _pair(row) not in there:
            there.add(_pair(row))
            known = facts[row.emoji]
            further.append(replace(row, group=known.group, sub_group=known.sub_group))
            new.append(found)
    return further, aliases_source(new, codes)


def _pair(row: EmojiPair) -> tuple[str, str]:
    return text_key(row.description), row.emoji
