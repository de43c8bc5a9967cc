"""The number of terminal columns of a text: two for East Asian characters and emoji, none for joining characters."""

import unicodedata

EMOJI_FORM, JOINER = "\ufe0f", "\u200d"  # variation selector 16, zero width joiner
SKIN_TONES = range(0x1F3FB, 0x1F400)


def width_of(text: str) -> int:
    """Return the number of columns."""
    return len(text) if text.isascii() else sum(map(width_of_part, parts(text)))


def parts(text: str) -> list[str]:
    """Return the parts of a text that share one place each: a character with its accents, a whole emoji."""
    if text.isascii():
        return list(text)
    found = []
    for character in text:
        before = found[-1] if found else ""
        joins = before.endswith(JOINER) or _takes_no_column(character) or (before and ord(character) in SKIN_TONES)
        if before and joins:
            found[-1] += character
        else:
            found.append(character)
    return found


def width_of_part(part: str) -> int:
    """Return the number of columns of one of the `parts`."""
    if _takes_no_column(part[0]):
        return 0
    wide = unicodedata.east_asian_width(part[0]) in "WF"
    return 2 if wide or (EMOJI_FORM in part and not part[0].isascii()) else 1


def padded(text: str, width: int, right: bool = False) -> str:
    """Return the text with the spaces that make it `width` columns wide, before it if it stands `right`."""
    blanks = " " * max(0, width - width_of(text))
    return blanks + text if right else text + blanks


def wrapped(text: str, width: int) -> list[str]:
    """Return the text in lines of at most `width` columns, at least one; wider words are broken, paths after a /."""
    lines, line = [], ""
    for word in text.split(" "):
        if line and width_of(line) + 1 + width_of(word) <= width:
            line += f" {word}"
            continue
        if line:
            lines.append(line)
        while width_of(word) > width and (beginning := _beginning(word, width)):
            beginning = beginning[: beginning.rfind("/") + 1] or beginning
            lines.append(beginning)
            word = word[len(beginning) :]
        line = word
    return [*lines, line]


def _beginning(text: str, width: int) -> str:
    taken = ""
    for part in parts(text):
        width -= width_of_part(part)
        if width < 0:
            break
        taken += part
    return taken


def _takes_no_column(character: str) -> bool:
    return unicodedata.category(character) in ("Mn", "Me", "Cf")
