"""Tables of emoji, from files or from the `emoji` package: pairs of a description and a real emoji, without repeats."""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from utils.errors import DataError
from utils.preprocessing.emoji.resolve import SPREADSHEET, UNUSABLE_EMOJI_REASONS, EmojiPair, RawEmojiRow, resolve_row
from utils.preprocessing.emoji.sources import BUILTIN, package_names, package_source, read_builtin, read_emoji_rows
from utils.preprocessing.emoji.unicode import is_known, without_selectors
from utils.preprocessing.filters import describe_drops
from utils.preprocessing.usable_rows import UnusableRowError, UsableRows
from utils.reading.read_frame import SourceFile
from utils.text.emoji_wording import description_key

log = logging.getLogger(__name__)
COMPONENT = "component of other emoji"
VARIANT = "unqualified or minimally-qualified variant"
DUPLICATE = "exact duplicate"
QUALIFIED = "brought to the fully-qualified form"
NEWER = "emoji newer than the emoji package, kept as they are"


def read_emoji_table(
    paths: Sequence[str], aliases: Sequence[str] = (), *, text_column: str | None = None, hub_split: str = "train"
) -> tuple[UsableRows, list[SourceFile]]:
    """Return the `EmojiPair`s of the files, in their order; the path "builtin" is the table of the `emoji` package.

    They are followed by the package's names and aliases, in the languages `aliases`, that the files lack. DataError if
    a file is not a table of emoji, or no row is usable.
    """
    rows, sources = read_builtin() if BUILTIN in paths else ([], [])
    if files := [path for path in paths if path != BUILTIN]:
        file_rows, file_sources = read_emoji_rows(files, text_column=text_column, hub_split=hub_split)
        rows, sources = rows + file_rows, sources + file_sources
    table = _table(rows)
    if aliases:
        pairs, source = _package_pairs(table.kept, aliases)
        table, sources = replace(table, kept=table.kept + pairs), [*sources, source]
    return table, sources


def _table(rows: Sequence[RawEmojiRow]) -> UsableRows:
    """Return the table of the rows that can be used; DataError if there are none."""
    pairs, from_spreadsheets, unusable, changed = [], [], Counter(), Counter()
    for row in rows:
        try:
            pair = resolve_row(row)
        except UnusableRowError as reason:
            unusable[str(reason)] += 1
            continue
        pairs.append(pair)
        changed.update(pair.changes)
        if SPREADSHEET in pair.changes:
            from_spreadsheets.append(f"{row.location}, column {row.code_point_column!r}: {row.code_points!r}")
    if from_spreadsheets:
        number, problem = f"{len(from_spreadsheets):,}", "a spreadsheet turned %s code points into numbers"
        log.warning(f"warning: {problem}, first in %s; the emoji is used instead", number, from_spreadsheets[0])
    dropped = {reason: unusable[reason] for reason in UNUSABLE_EMOJI_REASONS if unusable[reason]}
    complete = [pair for pair in pairs if not pair.is_component] or pairs
    if len(complete) < len(pairs):
        dropped[COMPONENT] = len(pairs) - len(complete)
    kept, repeats = _without_repeats(_with_one_form(complete))
    dropped |= repeats
    if not kept:
        hint = "check the columns of the table: emoji and code points must match, or remove one of the two columns"
        raise DataError(f"all {len(rows):,} rows were dropped: {describe_drops(dropped)}", hint)
    for reason, number in dropped.items():
        if number > len(rows) / 2:
            log.warning("warning: %s of %s rows were dropped: %s", f"{number:,}", f"{len(rows):,}", reason)
    changed[QUALIFIED] = sum(pair.is_variant for pair in kept)
    changed[NEWER] = sum(not is_known(pair.emoji) for pair in kept)
    return UsableRows(kept, dropped, {kind: number for kind, number in changed.items() if number})


def _with_one_form(pairs: Sequence[EmojiPair]) -> list[EmojiPair]:
    """Return the pairs with one form of every emoji that the package lacks: the one with the most selectors."""
    longest: dict[str, str] = {}
    for pair in pairs:
        if not is_known(pair.emoji):
            key = without_selectors(pair.emoji)
            longest[key] = max(longest.get(key, ""), pair.emoji, key=len)
    forms = (longest.get(without_selectors(pair.emoji), pair.emoji) for pair in pairs)
    paired = zip(pairs, forms, strict=True)
    return [pair if form == pair.emoji else replace(pair, emoji=form, is_variant=True) for pair, form in paired]


def _without_repeats(pairs: Sequence[EmojiPair]) -> tuple[list[EmojiPair], dict[str, int]]:
    """Return the first of equal pairs, preferably one that was fully qualified, and {reason: dropped pairs}."""
    first: dict[tuple[str, str], int] = {}
    dropped = Counter()
    for number in sorted(range(len(pairs)), key=lambda number: pairs[number].is_variant):
        if first.setdefault(_key(pairs[number]), number) != number:
            dropped[VARIANT if pairs[number].is_variant else DUPLICATE] += 1
    return [pairs[number] for number in sorted(first.values())], dict(sorted(dropped.items(), reverse=True))


def _package_pairs(pairs: Sequence[EmojiPair], languages: Sequence[str]) -> tuple[list[EmojiPair], SourceFile]:
    """Return the package's names and aliases of these emoji that are usable and not among the pairs."""
    first_pair = {pair.emoji: pair for pair in reversed(pairs)}
    known = {_key(pair) for pair in pairs}
    new_pairs, new_rows = [], []
    for row in package_names(list(dict.fromkeys(pair.emoji for pair in pairs)), languages):
        try:
            pair = resolve_row(row)
        except UnusableRowError:
            continue
        if _key(pair) not in known:
            known.add(_key(pair))
            like = first_pair[pair.emoji]
            new_pairs.append(replace(pair, group=like.group, sub_group=like.sub_group))
            new_rows.append(row)
    return new_pairs, package_source(f"aliases {','.join(languages)}", new_rows)


def _key(pair: EmojiPair) -> tuple[str, str]:
    """Return a key that is equal for two pairs if one repeats the other."""
    return description_key(pair.description), pair.emoji
