"""What an emoji's description looks like in training, and so in use.

MERGED: From the cells of a row to one real emoji and one description of it, or the reason why there is none."""

import re
from dataclasses import dataclass, field

from utils.errors import DataError
from utils.preprocessing.emoji_sources import EmojiCells, emoji_of
from utils.preprocessing.emoji_unicode import (
    format_code_points,
    fully_qualified,
    is_component,
    parse_code_points,
    spreadsheet_number,
    without_selectors,
)
from utils.text.characters import remove_emoji
from utils.text.cleaning import repair_mojibake

_ALIAS = re.compile(r":([^\s:]+):")


def as_description(text: str) -> str:
    """A description as training has it: without mojibake and blanks around it, an alias (":man_farmer:") as words."""
    text = repair_mojibake(text).strip()
    alias = _ALIAS.fullmatch(text)
    return alias[1].replace("_", " ").strip() if alias else text


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
    NO_DESCRIPTION,
    IS_EMOJI,
    HAS_TARGET,
    UNKNOWN_NAME,
    MOJIBAKE,
    NO_EMOJI,
    UNREADABLE,
    OTHER_POINTS,
    MISMATCH,
)
EMOJI_REPAIRED = "mojibake in the emoji, repaired"
DESCRIPTION_REPAIRED = "mojibake in the description, repaired"
SPREADSHEET = "code points that a spreadsheet made a number, taken from the emoji"
BY_NAME = "emoji found by its name"
# What the first byte of an emoji in UTF-8 becomes in cp1252 and cp1251.
_BROKEN = re.compile("^[ðâãÂрвг][^a-zа-я]", re.IGNORECASE)
# Of the three bytes of U+FE0F, cp1252 has no third.
_BROKEN_SELECTOR = re.compile("ï¸\x8f?")


class UnusableEmojiError(Exception):
    """Why there is no pair in a row: one of `REASONS`."""


@dataclass(frozen=True)
class EmojiPair:
    """A description and its emoji in fully-qualified form."""

    description: str
    emoji: str
    group: str | None
    sub_group: str | None
    language: str | None
    is_component: bool = False
    is_variant: bool = False  # the table has it in another than the fully-qualified form
    changes: tuple[str, ...] = field(default=(), compare=False)


def resolve_cells(cells: EmojiCells) -> EmojiPair:
    """The row that the cells make; UnusableError where they make none.

    DataError where there is nothing but a spreadsheet's number to know the emoji by.
    """
    changes: list[str] = []
    description = _description(cells.description, changes)
    code_points = cells.code_points
    if number := spreadsheet_number(code_points):
        if not cells.emoji:
            raise DataError(
                f"{cells.where}, column {cells.code_point_column!r}: {number!r} is no code point; a spreadsheet has "
                "taken the code point for a number, and there is no emoji in the row to go on from",
                "export the table again with that column as text, or bring the file that was never in a spreadsheet",
            )
        changes.append(SPREADSHEET)
        code_points = ""
    text = parse_code_points(code_points)
    if text is None:
        raise UnusableEmojiError(UNREADABLE)
    by_points = fully_qualified(text) if text else None
    if text and by_points is None:
        raise UnusableEmojiError(OTHER_POINTS)
    if cells.emoji:
        written = _repaired(cells.emoji, changes)
        emoji = fully_qualified(written)
        if by_points not in (None, emoji):
            raise UnusableEmojiError(MISMATCH)
    elif text:
        written, emoji = text, by_points
    else:
        written = emoji = emoji_of(description)
        if emoji is None:
            raise UnusableEmojiError(UNKNOWN_NAME)
        changes.append(BY_NAME)
    _check_description(description, emoji)
    return EmojiPair(
        description=description,
        emoji=emoji,
        group=cells.group or None,
        sub_group=cells.sub_group or None,
        language=cells.language or None,
        is_component=is_component(emoji) or cells.status.casefold() == "component",
        is_variant=written.strip() != emoji,
        changes=tuple(changes),
    )


def _description(cell: str, changes: list[str]) -> str:
    if repair_mojibake(cell).strip() != cell.strip():
        changes.append(DESCRIPTION_REPAIRED)
    description = as_description(cell)
    if not description:
        raise UnusableEmojiError(NO_DESCRIPTION)
    return description


def _repaired(cell: str, changes: list[str]) -> str:
    """The cell, which is an emoji, if need be after its mojibake is repaired."""
    if fully_qualified(cell) is not None:
        return cell
    for broken in (cell, _BROKEN_SELECTOR.sub("", cell)):
        repaired = repair_mojibake(broken)
        if fully_qualified(repaired) is not None:
            changes.append(EMOJI_REPAIRED)
            return repaired
    raise UnusableEmojiError(MOJIBAKE if _BROKEN.match(cell) else NO_EMOJI)


def _check_description(description: str, emoji: str) -> None:
    """UnusableError for a description that gives the answer away."""
    if not remove_emoji(description).strip() or fully_qualified(description):
        raise UnusableEmojiError(IS_EMOJI)
    bare = without_selectors(emoji)
    points = (format_code_points(form).casefold() for form in (emoji, bare))
    if bare in without_selectors(description) or any(form in description.casefold() for form in points):
        raise UnusableEmojiError(HAS_TARGET)
