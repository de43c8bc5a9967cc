"""Code points as tables have them: 1F468 200D 1F33E, U+1F468-U+200D-U+1F33E, \U0001f468…, 0x1F468, one or several.

MERGED: Which character sequences are emoji, and the fully-qualified form of each, from the `emoji` package's data.

MERGED: What is one concept: an emoji in all its skin tones, genders, hair and directions. Such must not be split apart.

MERGED: Skin tones in training: five rows with one for each row without would teach that a person always has one."""

import random
import re
from collections.abc import Sequence
from functools import cache

# What stands in front of the digits, and what between two code points or around a list of them.
_MARK = re.compile(r"U\+|\\U|\\x\{?|0X|&#X", re.IGNORECASE)
_BETWEEN = re.compile(r"[\s,;|_/\-–\[\](){}'\"+]+")
_HEXADECIMAL = re.compile(r"[0-9A-F]{1,8}", re.IGNORECASE)
# 2.6E+10 or 2,6E+10. Without point and sign it is a code point: 23E9, 26E9.
_SCIENTIFIC = re.compile(r"\d[.,]\d+E[+-]?\d+|\d+E\+\d+", re.IGNORECASE)


def parse_code_points(cell: str) -> str | None:
    """The characters that a cell's hexadecimal code points stand for, "" where it has none, None where it has others.

    Two halves of a UTF-16 pair (\\uD83D\\uDE00) are one character.
    """
    words = [word for word in _BETWEEN.split(_MARK.sub(" ", cell)) if word]
    if not all(_HEXADECIMAL.fullmatch(word) for word in words):
        return None
    points = [int(word, 16) for word in words]
    if any(point > 0x10FFFF for point in points):
        return None
    try:
        return "".join(map(chr, points)).encode("utf-16-le", "surrogatepass").decode("utf-16-le")
    except UnicodeDecodeError:
        return None  # half of a pair


def spreadsheet_number(cell: str) -> str | None:
    """The number in scientific notation that a spreadsheet has made of code points in this cell."""
    match = _SCIENTIFIC.search(cell)
    return match and match[0]


def format_code_points(text: str) -> str:
    """Upper-case hexadecimal code points of at least four digits, parted by blanks: "1F468 200D 1F33E"."""
    return " ".join(f"{ord(character):04X}" for character in text)


# Selectors of emoji and of text presentation: with and without them it is the same emoji.
_SELECTORS = {0xFE0E: None, 0xFE0F: None}
_BLANKS = " \t\r\n\u00a0\u200b\u2060\ufeff"


def fully_qualified(text: str) -> str | None:
    """The fully-qualified form of the one emoji that the text is, or None where it is none.

    An emoji that the package does not know, since it is newer, stays as it is.
    """
    text = text.strip(_BLANKS)
    known = _forms().get(without_selectors(text))
    if known is not None:
        return known
    return text if _shape().fullmatch(text) else None


def without_selectors(text: str) -> str:
    """The text without variation selectors 15 and 16."""
    return text.translate(_SELECTORS)


def is_known(emoji: str) -> bool:
    """Whether the package has the emoji."""
    return without_selectors(emoji) in _forms()


def is_component(emoji: str) -> bool:
    """Whether it is a skin tone or a hair that is meant to be part of another emoji."""
    import emoji as package

    return package.EMOJI_DATA.get(emoji, {}).get("status") == package.STATUS["component"]


@cache
def _forms() -> dict[str, str]:
    """Sequence without selectors → fully-qualified sequence; components stand for themselves."""
    import emoji

    complete = (emoji.STATUS["fully_qualified"], emoji.STATUS["component"])
    return {without_selectors(text): text for text, data in emoji.EMOJI_DATA.items() if data["status"] in complete}


@cache
def _shape():
    """The form of an emoji sequence (UTS #51, "possible emoji"), of emoji and of code points reserved for them."""
    import regex

    pictograph = r"(?:[\p{Emoji}&&\p{Extended_Pictographic}]|[\p{Extended_Pictographic}&&\p{Cn}])"
    element = rf"{pictograph}(?:\p{{Emoji_Modifier}}|\uFE0F\u20E3?|[\U000E0020-\U000E007E]+\U000E007F)?"
    element = rf"(?:\p{{Regional_Indicator}}{{2}}|{element})"
    return regex.compile(rf"{element}(?:\u200D{element})*", regex.VERSION1)


JOINER = "\u200d"
TONES = dict.fromkeys(range(0x1F3FB, 0x1F400))
ADULT, CHILD = "🧑", "🧒"
# Explicitly gendered characters and Unicode's gender-neutral one of the same meaning.
NEUTRAL = {
    **{"👨": ADULT, "👩": ADULT, "👦": CHILD, "👧": CHILD, "👴": "🧓", "👵": "🧓"},
    **{"🤴": "🫅", "👸": "🫅", "🤰": "🫄", "🫃": "🫄", "🚹": "🚻", "🚺": "🚻"},
    **{"🎅": "🧑\u200d🎄", "🤶": "🧑\u200d🎄"},
    "🕺": "💃",  # man and woman dancing, which have no neutral one
}
# What joins an emoji to say how its person looks or moves: woman, man; to the right; red, curly, no and white hair.
LOOKS = {"♀", "♂", "➡", "🦰", "🦱", "🦲", "🦳"}
# Two people with a skin tone each are a sequence, where there is a single character for both together.
TOGETHER = {
    **dict.fromkeys(["👫", "👬", "👭"], "🧑\u200d🤝\u200d🧑"),
    "🧑\u200d❤\u200d🧑": "💑",
    "🧑\u200d❤\u200d💋\u200d🧑": "💏",
    "🧑\u200d🐰\u200d🧑": "👯",
    "🧑\u200d🫯\u200d🧑": "🤼",
    "🫱\u200d🫲": "🤝",
}


def concept_of(emoji: str) -> str:
    """The concept of a fully-qualified emoji, named by the code points of the plain one without U+FE0F.

    Prince and princess are one concept: Unicode's gender-neutral person with crown says that they differ in nothing but
    gender. The same goes for every pair in `NEUTRAL`. All families are one, whoever and how many are in them. Nothing
    else is merged: the rainbow flag is no white flag, and pointing left is not pointing right.
    """
    plain = without_selectors(emoji)
    first, *rest = plain.translate(TONES).split(JOINER)
    parts = [NEUTRAL.get(part, part) for part in (first, *(part for part in rest if part not in LOOKS))]
    if len(parts) > 1 and set(parts) <= {ADULT, CHILD}:
        return format_code_points("👪")
    whole = JOINER.join(parts)
    return format_code_points(TOGETHER.get(whole, whole) or plain)


def without_most_tones(emoji: Sequence[str], seed: int) -> list[int]:
    """The numbers of the rows to train on: all without a skin tone, and a fifth of the others, drawn with `seed`;
    all of them where there is nothing else.

    An emoji and its tone are tokens of their own, so that a model learns them apart (docs/results.md).
    """
    toned = [row for row, one in enumerate(emoji) if any(ord(character) in TONES for character in one)]
    if len(toned) == len(emoji):
        return list(range(len(emoji)))
    left_out = set(random.Random(seed).sample(toned, len(toned) - len(toned) // 5))
    return [row for row in range(len(emoji)) if row not in left_out]
