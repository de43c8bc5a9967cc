"""Resolve a raw row of an emoji table to one real emoji and one description of it, or to the reason to drop it."""

import re
from dataclasses import dataclass, field

from utils.errors import DataError
from utils.preprocessing.emoji.unicode import (
    emoji_of_name,
    format_code_points,
    fully_qualified,
    is_component,
    parse_code_points,
    spreadsheet_number,
    without_selectors,
)
from utils.preprocessing.usable_rows import UnusableRowError
from utils.text.characters import remove_emoji, repair_mojibake

# Why a row is dropped, in the order of the audit.
NO_DESCRIPTION = "no description"
IS_EMOJI = "description is an emoji"
HAS_TARGET = "description contains its emoji"
UNKNOWN_NAME = "neither emoji nor code points, and no known name"
MOJIBAKE = "mojibake for an emoji"
NO_EMOJI = "no emoji"
UNREADABLE = "unreadable code points"
OTHER_POINTS = "code points of no emoji"
MISMATCH = "emoji and code points differ"
UNUSABLE_EMOJI_REASONS = (
    *(NO_DESCRIPTION, IS_EMOJI, HAS_TARGET, UNKNOWN_NAME, MOJIBAKE, NO_EMOJI, UNREADABLE, OTHER_POINTS, MISMATCH),
)
# Kinds of changes in a row.
EMOJI_REPAIRED = "mojibake in the emoji, repaired"
DESCRIPTION_REPAIRED = "mojibake in the description, repaired"
SPREADSHEET = "code points that a spreadsheet made a number, taken from the emoji"
BY_NAME = "emoji found by its name"

_ALIAS = re.compile(r":([^\s:]+):")
# The first byte of an emoji in UTF-8, decoded as cp1252 and cp1251.
_BROKEN = re.compile("^[ðâãÂрвг][^a-zа-я]", re.IGNORECASE)
# Of the three bytes of U+FE0F, cp1252 lacks the third.
_BROKEN_SELECTOR = re.compile("ï¸\x8f?")


@dataclass(frozen=True)
class RawEmojiRow:
    """The cells of a row that matter, as text without blanks around it; "" for an empty or missing cell."""

    emoji: str
    description: str
    location: str  # file and row
    code_points: str = ""
    code_point_column: str = ""
    status: str = ""
    group: str = ""
    sub_group: str = ""
    language: str = ""


@dataclass(frozen=True)
class EmojiPair:
    """A description and its emoji in fully-qualified form."""

    description: str
    emoji: str
    group: str | None
    sub_group: str | None
    language: str | None
    is_component: bool = False
    is_variant: bool = False  # the table has the emoji in a form that is not fully qualified
    changes: tuple[str, ...] = field(default=(), compare=False)


def resolve_row(row: RawEmojiRow) -> EmojiPair:
    """Return the pair of a row; UnusableRowError if there is none.

    DataError if a number that a spreadsheet made of the code points is the only clue to the emoji.
    """
    changes: list[str] = []
    if repair_mojibake(row.description).strip() != row.description.strip():
        changes.append(DESCRIPTION_REPAIRED)
    description = normalize_description(row.description)
    if not description:
        raise UnusableRowError(NO_DESCRIPTION)
    cell = row.code_points
    if number := spreadsheet_number(cell):
        if not row.emoji:
            where = f"{row.location}, column {row.code_point_column!r}"
            problem = f"{where}: {number!r} is not a code point; a spreadsheet has turned the code point into a number"
            hint = "export the table again with that column as text, or use the original file"
            raise DataError(f"{problem}, and the row has no emoji to recover it from", hint)
        changes.append(SPREADSHEET)
        cell = ""
    text = parse_code_points(cell)
    if text is None:
        raise UnusableRowError(UNREADABLE)
    emoji_of_points = fully_qualified(text) if text else None
    if text and emoji_of_points is None:
        raise UnusableRowError(OTHER_POINTS)
    if row.emoji:
        written = _repair_emoji(row.emoji, changes)
        emoji = fully_qualified(written)
        if emoji_of_points not in (None, emoji):
            raise UnusableRowError(MISMATCH)
    elif text:
        written, emoji = text, emoji_of_points
    else:
        written = emoji = emoji_of_name(description)
        if emoji is None:
            raise UnusableRowError(UNKNOWN_NAME)
        changes.append(BY_NAME)
    _check_description(description, emoji)
    return EmojiPair(
        description=description,
        emoji=emoji,
        group=row.group or None,
        sub_group=row.sub_group or None,
        language=row.language.lower() or None,
        is_component=is_component(emoji) or row.status.casefold() == "component",
        is_variant=written.strip() != emoji,
        changes=tuple(changes),
    )


def normalize_description(text: str) -> str:
    """Return a description as training has it: without mojibake and outer blanks, and ":man_farmer:" as words."""
    text = repair_mojibake(text).strip()
    alias = _ALIAS.fullmatch(text)
    return alias[1].replace("_", " ").strip() if alias else text


def _repair_emoji(cell: str, changes: list[str]) -> str:
    """Return the cell, with its mojibake repaired if that makes it an emoji; UnusableRowError if it is none."""
    if fully_qualified(cell) is not None:
        return cell
    for broken in (cell, _BROKEN_SELECTOR.sub("", cell)):
        repaired = repair_mojibake(broken)
        if fully_qualified(repaired) is not None:
            changes.append(EMOJI_REPAIRED)
            return repaired
    raise UnusableRowError(MOJIBAKE if _BROKEN.match(cell) else NO_EMOJI)


def _check_description(description: str, emoji: str) -> None:
    """Raise UnusableRowError for a description that gives the answer away."""
    if not remove_emoji(description).strip() or fully_qualified(description):
        raise UnusableRowError(IS_EMOJI)
    bare = without_selectors(emoji)
    code_points = (format_code_points(form).casefold() for form in (emoji, bare))
    if bare in without_selectors(description) or any(points in description.casefold() for points in code_points):
        raise UnusableRowError(HAS_TARGET)
