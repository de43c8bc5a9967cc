"""Compare two descriptions of emoji: the same answer, or too similar to be on two sides of a split."""

import re
import unicodedata

# Punctuation that is spelling: "ice-cream", "man: running", "“here” button", "Turks & Caicos". Of the rest, "*", "#"
# and "+" tell emoji apart, and so do "!" and "?" where they are a word of their own, and the minus of "-1".
_SPELLING = frozenset("&.,:;…·_()[]{}'\"`´’‘“”«»„‹›")
_SIGN = re.compile(r"[-−‐-‒–](?=\d)")


def description_key(description: str) -> str:
    """Return a key that is equal for descriptions that differ only in case, blanks, hyphens and spelling punctuation.

    "Ice-cream" is "ice cream", but "keycap: *" is not "keycap: #", nor "+1" the same as "-1".
    """
    folded = unicodedata.normalize("NFC", description.casefold())
    return "".join(map(_bare, folded.split())) or folded


def wording_key(description: str) -> str:
    """Return a key that is the same for wordings too close to be on two sides of a split.

    They may differ as for `description_key`, in accents, in the order of words, in how words are joined, and in the
    "s" at the end of a word: "ice cream", "Icecream" and "cream, ices". Only the letters count, not their order, so a
    few anagrams are kept together too, which does no harm.
    """
    decomposed = unicodedata.normalize("NFKD", description.casefold())
    plain = "".join(character for character in decomposed if not unicodedata.combining(character))
    words = [word[:-1] if len(word) > 3 and word.endswith("s") else word for word in map(_bare, plain.split())]
    return "".join(sorted("".join(words))) or description.casefold()


def _bare(word: str) -> str:
    """The word without the punctuation of spelling; a word of "!" and "?" alone stays, others lose them."""
    word = _SIGN.sub("−", word) if _SIGN.match(word) else word
    if not word.strip("!?"):
        return word
    return "".join(
        character
        for character in word
        if not (character in _SPELLING or character in "!?" or unicodedata.category(character) in ("Pd", "Cf"))
    )
