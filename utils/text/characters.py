"""Which characters of a text are text: blanks, halves of characters, emoji and special characters.

`utils.text.cleaning` strings these pure functions together. `emoji` is imported only for the first text that needs it.
"""

import re
import unicodedata
from collections.abc import Iterable
from functools import cache


def collapse_blanks(text: str) -> str:
    """Every run of white space (no-break spaces, tabs, line ends of every kind) becomes one space; none at the ends."""
    if text.isprintable() and "  " not in text and text.strip() == text:  # no white space but " " is printable
        return text
    return " ".join(text.split())


def join_surrogates(text: str) -> str:
    """Two halves of a character are joined; a lone half, which no encoding can write, becomes a blank."""
    try:
        text.encode()
        return text
    except UnicodeEncodeError:
        joined = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
        return re.sub("[\ud800-\udfff]", " ", joined)


# Most texts hold only characters that are neither part of an emoji nor special: Latin, Greek, Cyrillic, Chinese,
# Japanese and Korean letters, their punctuation, and currency signs.
_PLAIN = re.compile(
    "[ -~¡-¬¯-ͷЀ-ԯ\u2010-\u2027\u2030-\u203b\u203d-\u2048\u204a-\u205e₠-₿、-〟ぁ-ゖァ-ヿ一-鿼가-힣！-～®©]*+"
)
# A coarse net around the characters of emoji sequences, to spare the others the exact class.
_COARSE = "‼⁉\u2122-\u2bff〰〽㊗㊙\U0001f000-\U0001faff"


@cache
def emoji_sequences() -> re.Pattern:
    """Runs of emoji sequences from the `emoji` package's table, with the joiners and selectors that hang on them.

    A sequence starts with any character of the table, a regional indicator or a keycap; skin tones, joiners, variation
    selectors, keycap marks and tags continue it. As on Twitter, © ® ™ are emoji only with an emoji variation selector;
    digits, # and * only under a keycap mark.
    """
    import emoji

    parts = "\u200d\ufe0e\ufe0f\u20e3\U000e0020-\U000e007f"
    points = {point for sequence in emoji.EMOJI_DATA for point in sequence}
    exact = _ranges(p for p in points if re.match(f"[{_COARSE}]", p) and p != "™")
    return re.compile(
        f"[{_COARSE}0-9#*©®](?:(?<=[{exact}])|(?<=[0-9#*])\ufe0f?\u20e3|(?<=[©®™])\ufe0f)"
        f"(?:[{parts}]|[{_COARSE}](?<=[{exact}]))*"
    )


def _ranges(points: Iterable[str]) -> str:
    """The content of a character class; a few ranges match much faster than a thousand characters."""
    ranges: list[list[int]] = []
    for point in sorted(map(ord, points)):
        if ranges and ranges[-1][1] == point - 1:
            ranges[-1][1] = point
        else:
            ranges.append([point, point])
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in ranges)


def remove_emoji(text: str) -> str:
    """Drop emoji as whole sequences (skin tones, families, flags, keycaps), never half of one."""
    return text if text.isascii() or _PLAIN.fullmatch(text) else emoji_sequences().sub(" ", text)


# Symbols that are pictures: technical, boxes, shapes, dingbats, tiles and cards. Circled letters, Braille and
# everything else of category So (° © № ℃ ﷽ and the scripts' own signs) is text.
_PICTURES = "\u2300-\u245f\u2500-\u27ff\u2900-\u2bff\U0001f000-\U0001f0ff\U0001f300-\U0001fbff"
_INVISIBLE_BLANKS = "\u200b\u2800\u3164\uffa0"
_SELECTORS = "\ufe00-\ufe0f\U000e0100-\U000e01ef"
_PICTURE = re.compile(f"[{_PICTURES}]")
_JOINER = re.compile(f"[\u180e\u200c\u200d{_SELECTORS}]")
_JOINED_SCRIPTS = (
    "\u0600\u109f",  # Arabic, Syriac, N'Ko … all of India, Thai, Tibetan, Burmese
    "\u1700\u1cff",  # the Philippines, Khmer, Mongolian, Bali …
    "\ua800\uabff",
    "\U00010800\U00011fff",
    "\U0001e900\U0001e95f",  # Adlam
)
_IDEOGRAPHS = ("\u3400\u9fff", "\uf900\ufaff", "\U00020000\U0003ffff")
# Format characters that are seen, such as the Arabic number sign and the end of a verse.
_VISIBLE_FORMATS = "\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd"


def remove_special_characters(text: str) -> str:
    """Drop what is no text. By Unicode category (of this Python's `unicodedata`), the rule is:

    - Cc (control), Cn (unassigned), Co (private use) and Cs (surrogates) become a blank.
    - Cf (format: bidi marks, soft hyphens, byte order marks, tags) go without a trace, and so do variation selectors.
      Exceptions: the zero-width space and the blanks of Braille and Hangul become a blank; joiners (U+180E, U+200C,
      U+200D) stay after a letter or mark of a script that needs them (Arabic, Indic, Mongolian and their kin);
      variation selectors 1–3 and 17–256 stay after an ideograph; format characters that are seen stay.
    - So (symbols) become a blank in the blocks of pictures (`_PICTURES`), and so do U+FFFC and U+FFFD.
    - Everything else stays: letters, marks, digits, punctuation, currency, mathematics and arrows.
    """
    if text.isprintable() if text.isascii() else _PLAIN.fullmatch(text):
        return text
    return _JOINER.sub(_joiner_in_place, text).translate(_REPLACEMENTS)


def _joiner_in_place(match: re.Match) -> str:
    joiner = match[0]
    before = match.string[match.start() - 1] if match.start() else " "
    if joiner in "\u180e\u200c\u200d":
        in_place = _within(before, _JOINED_SCRIPTS) and unicodedata.category(before)[0] in "LM"
    else:
        in_place = _within(before, _IDEOGRAPHS) and not "\ufe03" <= joiner <= "\ufe0f"
    return joiner if in_place else ""


def _within(character: str, ranges: tuple[str, ...]) -> bool:
    return any(first <= character <= last for first, last in ranges)


class _Replacements(dict):
    """Code point → what `str.translate` writes for it, decided once for each."""

    def __missing__(self, point: int) -> str:
        self[point] = replacement = _replacement(chr(point))
        return replacement


_REPLACEMENTS = _Replacements()


def _replacement(character: str) -> str:
    category = unicodedata.category(character)
    if character in _INVISIBLE_BLANKS or character in "\ufffc\ufffd" or category in ("Cc", "Cn", "Co", "Cs"):
        return " "
    if category == "So":
        return " " if _PICTURE.match(character) else character
    if category == "Cf" and character not in "\u180e\u200c\u200d" and character not in _VISIBLE_FORMATS:
        return ""
    return character
