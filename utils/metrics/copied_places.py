"""The place of a copied run of words in the original spelling of a text."""

import regex

from utils.metrics.copying import WORD, fold

_CHARACTER = regex.compile(r"\X")


def place_of_run(text: str, run: str) -> tuple[int, int] | None:
    """Return the place (first character, after the last) of the first of such runs of words in a text, or None.

    `run` is the "copied_run" of `Copying`: folded words, joined by spaces. The text is folded character by character
    (extended grapheme cluster, across which NFC composes nothing but the rarest), so that each folded word is known by
    the characters that it comes from. A run that begins or ends inside a character has all of it.
    """
    wanted = run.split()
    folded, origins = [], []  # of each folded character, the (first, after the last) character of the text
    for match in _CHARACTER.finditer(text):
        part = fold(match.group())
        folded.append(part)
        origins += [match.span()] * len(part)
    words = list(WORD.finditer("".join(folded)))
    found = [word.group() for word in words]
    for start in range(len(found) - len(wanted) + 1):
        if wanted and found[start : start + len(wanted)] == wanted:
            first, last = words[start], words[start + len(wanted) - 1]
            return origins[first.start()][0], origins[last.end() - 1][1]
    return None
