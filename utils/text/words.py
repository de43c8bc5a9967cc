"""Count the words of a text, and reduce a text to what counts in comparisons."""

import re
import unicodedata

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
    text = unicodedata.normalize("NFC", text.casefold()).translate(_WITHOUT_PUNCTUATION)
    return " ".join(text.split())


def text_key(text: str, words: str | None = None) -> str:
    """Return what texts share that differ only in case, blanks and punctuation. `words`: its bare words, if known."""
    return (bare_words(text) if words is None else words).replace(" ", "") or text


class _WithoutPunctuation(dict):
    """A table for `str.translate` that removes punctuation and invisible characters."""

    def __missing__(self, point: int) -> int | None:
        drop = unicodedata.category(chr(point))[0] in "PC" and not chr(point).isspace()
        self[point] = kept = None if drop else point
        return kept


_WITHOUT_PUNCTUATION = _WithoutPunctuation()
