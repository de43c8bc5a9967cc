"""Unicode's data on emoji, through the `emoji` package: code points, forms, names, concepts and skin tones."""

import random
import re
import unicodedata
from collections.abc import Sequence
from functools import cache

# Prefixes of a code point's digits, and characters that separate or surround code points.
_PREFIX = re.compile(r"U\+|\\U|\\x\{?|0X|&#X", re.IGNORECASE)
_SEPARATOR = re.compile(r"[\s,;|_/\-–\[\](){}'\"+]+")
_HEXADECIMAL = re.compile(r"[0-9A-F]{1,8}", re.IGNORECASE)
# 2.6E+10 or 2,6E+10. Without a point and a sign it is a code point: 23E9, 26E9.
_SCIENTIFIC = re.compile(r"\d[.,]\d+E[+-]?\d+|\d+E\+\d+", re.IGNORECASE)


def parse_code_points(cell: str) -> str | None:
    """Return the characters of a cell's hexadecimal code points, "" for an empty cell, None for anything else.

    Understands 1F468 200D 1F33E, U+1F468-U+200D-U+1F33E, \\U0001f468…, 0x1F468, and surrogate pairs (\\uD83D\\uDE00).
    """
    words = [word for word in _SEPARATOR.split(_PREFIX.sub(" ", cell)) if word]
    if not all(_HEXADECIMAL.fullmatch(word) for word in words):
        return None
    points = [int(word, 16) for word in words]
    if any(point > 0x10FFFF for point in points):
        return None
    try:
        return "".join(map(chr, points)).encode("utf-16-le", "surrogatepass").decode("utf-16-le")
    except UnicodeDecodeError:
        return None  # half of a surrogate pair


def spreadsheet_number(cell: str) -> str | None:
    """Return the number in scientific notation that a spreadsheet has made of code points, None without one."""
    match = _SCIENTIFIC.search(cell)
    return match and match[0]


def format_code_points(text: str) -> str:
    """Return the code points in upper-case hexadecimal, at least four digits each: "1F468 200D 1F33E"."""
    return " ".join(f"{ord(character):04X}" for character in text)


# Selectors of text and of emoji presentation: with or without them it is the same emoji.
_SELECTORS = {0xFE0E: None, 0xFE0F: None}
_BLANKS = " \t\r\n\u00a0\u200b\u2060\ufeff"


def fully_qualified(text: str) -> str | None:
    """Return the fully-qualified form of a text that is one emoji, None for any other text.

    An emoji that is newer than the package is returned unchanged.
    """
    text = text.strip(_BLANKS)
    known = _forms().get(without_selectors(text))
    if known is not None:
        return known
    return text if _emoji_pattern().fullmatch(text) else None


def without_selectors(text: str) -> str:
    """Return the text without variation selectors 15 and 16."""
    return text.translate(_SELECTORS)


def is_known(emoji: str) -> bool:
    """Return whether the package has the emoji."""
    return without_selectors(emoji) in _forms()


def is_component(emoji: str) -> bool:
    """Return whether it is a skin tone or hair, which is meant to be part of another emoji."""
    import emoji as package

    return package.EMOJI_DATA.get(emoji, {}).get("status") == package.STATUS["component"]


@cache
def _forms() -> dict[str, str]:
    """Return {sequence without selectors: fully-qualified sequence}; components are their own form."""
    import emoji

    complete = (emoji.STATUS["fully_qualified"], emoji.STATUS["component"])
    return {without_selectors(text): text for text, data in emoji.EMOJI_DATA.items() if data["status"] in complete}


@cache
def _emoji_pattern():
    """Return the pattern of emoji sequences (UTS #51, "possible emoji"), also of code points reserved for emoji."""
    import regex

    pictograph = r"(?:[\p{Emoji}&&\p{Extended_Pictographic}]|[\p{Extended_Pictographic}&&\p{Cn}])"
    element = rf"{pictograph}(?:\p{{Emoji_Modifier}}|\uFE0F\u20E3?|[\U000E0020-\U000E007E]+\U000E007F)?"
    element = rf"(?:\p{{Regional_Indicator}}{{2}}|{element})"
    return regex.compile(rf"{element}(?:\u200D{element})*", regex.VERSION1)


_KEYCAP = "\u20e3"
_FIRST_REGIONAL_INDICATOR, _LAST_REGIONAL_INDICATOR = "\U0001f1e6", "\U0001f1ff"


def character_name(emoji: str) -> str | None:
    """Return Unicode's name of the character that an emoji is, "digit eight" of a keycap, the letters "kr" of a flag.

    None for other sequences, and for characters that are newer than Python's own tables.
    """
    characters = without_selectors(emoji).removesuffix(_KEYCAP)
    if len(characters) == 1:
        return unicodedata.name(characters, "").lower() or None
    if all(_FIRST_REGIONAL_INDICATOR <= character <= _LAST_REGIONAL_INDICATOR for character in characters):
        return "".join(chr(ord("a") + ord(character) - ord(_FIRST_REGIONAL_INDICATOR)) for character in characters)
    return None


_PUNCTUATION = re.compile(r"[\s_:,.!()’'“”\"-]+")


def emoji_of_name(name: str) -> str | None:
    """Return the fully-qualified emoji of an English name or alias; case, blanks and most punctuation are ignored."""
    key = _name_key(name)
    # Unicode's "flag: Peru" is "Peru" in the package, with the alias "flag for Peru".
    keys = (key, f"flag for {country}", country) if (country := key.removeprefix("flag ")) != key else (key,)
    return next((_emoji_by_name()[key] for key in keys if key in _emoji_by_name()), None)


@cache
def _emoji_by_name() -> dict[str, str]:
    import emoji

    by_name: dict[str, str] = {}
    for names_of in (lambda data: [data["en"]], lambda data: data.get("alias", [])):  # names win over aliases
        for text, data in emoji.EMOJI_DATA.items():
            for name in names_of(data):
                by_name.setdefault(_name_key(name), fully_qualified(text))
    return by_name


def _name_key(name: str) -> str:
    return " ".join(_PUNCTUATION.sub(" ", name.casefold()).split())


_JOINER = "\u200d"
_TONES = dict.fromkeys(range(0x1F3FB, 0x1F400))
_ADULT, _CHILD = "🧑", "🧒"
# Gendered characters and Unicode's gender-neutral one of the same meaning.
_NEUTRAL = {
    **{"👨": _ADULT, "👩": _ADULT, "👦": _CHILD, "👧": _CHILD, "👴": "🧓", "👵": "🧓"},
    **{"🤴": "🫅", "👸": "🫅", "🤰": "🫄", "🫃": "🫄", "🚹": "🚻", "🚺": "🚻"},
    **{"🎅": "🧑\u200d🎄", "🤶": "🧑\u200d🎄"},
    "🕺": "💃",  # man and woman dancing have no neutral character
}
# Joined to an emoji, these say how its person looks or moves: woman, man; to the right; red, curly, no and white hair.
_LOOKS = {"♀", "♂", "➡", "🦰", "🦱", "🦲", "🦳"}
# Two people with a skin tone each are a sequence, although there is a single character for the couple.
_COUPLES = {
    **dict.fromkeys(["👫", "👬", "👭"], "🧑\u200d🤝\u200d🧑"),
    "🧑\u200d❤\u200d🧑": "💑",
    "🧑\u200d❤\u200d💋\u200d🧑": "💏",
    "🧑\u200d🐰\u200d🧑": "👯",
    "🧑\u200d🫯\u200d🧑": "🤼",
    "🫱\u200d🫲": "🤝",
}


def concept_of(emoji: str) -> str:
    """Return the concept of a fully-qualified emoji: the code points of its plain version, without U+FE0F.

    An emoji in all its skin tones, genders, hair styles and directions is one concept, which splits must not divide.
    Prince and princess are one concept, because Unicode's gender-neutral person with crown says that they differ only
    in gender; the same holds for every pair in `_NEUTRAL`. All families are one concept, whoever is in them. Nothing
    else is merged: the rainbow flag is no white flag, and pointing left is not pointing right.
    """
    plain = without_selectors(emoji)
    first, *rest = plain.translate(_TONES).split(_JOINER)
    parts = [_NEUTRAL.get(part, part) for part in (first, *(part for part in rest if part not in _LOOKS))]
    if len(parts) > 1 and set(parts) <= {_ADULT, _CHILD}:
        return format_code_points("👪")
    joined = _JOINER.join(parts)
    return format_code_points(_COUPLES.get(joined, joined) or plain)


def has_skin_tone(emoji: str) -> bool:
    """Return whether a person or a hand in the emoji has a skin tone."""
    return any(ord(character) in _TONES for character in emoji)


def subsample_skin_tones(emoji: Sequence[str], seed: int) -> list[int]:
    """Return the numbers of the rows to train on: those without a skin tone, and a fifth of the others, drawn with
    `seed`; all rows if every one has a skin tone.

    Five rows with a skin tone for every row without would teach the model that people always have one. An emoji and its
    skin tone are separate tokens, so a fifth is enough to learn them (docs/results.md).
    """
    toned = [row for row, each in enumerate(emoji) if has_skin_tone(each)]
    if len(toned) == len(emoji):
        return list(range(len(emoji)))
    omitted = set(random.Random(seed).sample(toned, len(toned) - len(toned) // 5))
    return [row for row in range(len(emoji)) if row not in omitted]
