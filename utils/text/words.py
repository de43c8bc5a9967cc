"""Count the words of a text, and normalize a text for comparisons."""

import re
import unicodedata
from collections.abc import Callable

# Scripts that are written without blanks; each of their characters counts as a word.
UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
ANY_UNSPACED = re.compile(f"[{UNSPACED}]")
WORD = re.compile(f"[{UNSPACED}]|[^\\s{UNSPACED}]+")


def count_words(text: str) -> int:
    """Return the number of blank-separated words; of characters in scripts without blanks."""
    if text.isascii() or not ANY_UNSPACED.search(text):
        return len(text.split())
    return len(WORD.findall(text))


def bare_words(text: str) -> str:
    """Return lower-case words between single blanks, without punctuation and invisible characters."""
    if text.isascii() and text.isprintable():
        bare = text.encode().translate(_ASCII_LOWER, _ASCII_PUNCTUATION).decode().strip()  # the same, but faster
        if "  " not in bare:
            return bare
    else:
        bare = unicodedata.normalize("NFC", text.casefold()).translate(_WITHOUT_PUNCTUATION)
    return " ".join(bare.split())


def text_key(text: str, words: str | None = None) -> str:
    """Return a key without case, blanks and punctuation, to compare texts. `words`: its bare words, if known."""
    return (bare_words(text) if words is None else words).replace(" ", "") or text


class CharacterTable(dict):
    """A table for `str.translate` that asks `replacement(character)` about each code point once."""

    def __init__(self, replacement: Callable[[str], str | None]):
        self._replacement = replacement

    def __missing__(self, point: int) -> str | None:
        self[point] = replacement = self._replacement(chr(point))
        return replacement


def _without_punctuation(character: str) -> str | None:
    return None if unicodedata.category(character)[0] in "PC" and not character.isspace() else character


_WITHOUT_PUNCTUATION = CharacterTable(_without_punctuation)
_ASCII_LOWER = bytes(range(256)).lower()
_ASCII_PUNCTUATION = bytes(point for point in range(128) if _without_punctuation(chr(point)) is None)
