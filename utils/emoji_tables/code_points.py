"""Code points as tables have them: 1F468 200D 1F33E, U+1F468-U+200D-U+1F33E, \\U0001F468…, 0x1F468, one or several."""

import re

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
