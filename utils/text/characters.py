"""Clean up after encodings, HTML and keyboards: blanks, broken characters, entities, emoji, special characters.

`utils.text.cleaning` chains these pure functions. `emoji` and `ftfy` are imported only for the first text that needs
them.
"""

import html
import re
import unicodedata
from collections.abc import Iterable
from functools import cache
from html.entities import html5

from utils.text.words import CharacterTable


def collapse_blanks(text: str) -> str:
    """Replace every run of white space (tabs, no-break spaces, line ends of every kind) by a space; strip the ends."""
    if text.isprintable() and "  " not in text and text.strip() == text:  # no white space but " " is printable
        return text
    return " ".join(text.split())


def join_surrogates(text: str) -> str:
    """Join the two surrogates of a character; a lone one, which no encoding can write, becomes a blank."""
    try:
        text.encode()
        return text
    except UnicodeEncodeError:
        joined = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
        return re.sub("[\ud800-\udfff]", " ", joined)


# An entity ends in a semicolon, except for the few that exports often truncate; "AT&T", "&copy=2" in a URL and "&notre"
# are text. Repeated escaping ("&amp;amp;lt;") is matched at once, so that a long run costs one pass.
_ENTITY = re.compile(
    r"&(?:(?:amp|#0{0,7}38|#x0{0,6}26);)*"
    r"(?:(#[0-9]{1,10};|#x[0-9a-f]{1,8};)|([a-z][a-z0-9]{1,31};|(?:amp|lt|gt|quot)(?![a-z=;])))",
    re.IGNORECASE,
)


def unescape_html(text: str) -> str:
    """Replace HTML entities, however often they were escaped, by their characters."""
    if "&" not in text:
        return text
    while (after := _ENTITY.sub(_entity, text)) != text:
        text = after
    return text


def _entity(match: re.Match) -> str:
    number, name = match.groups()
    return html.unescape("&" + number) if number else html5.get(name, "&" + name)


# UTF-8 read as another encoding shows as a first character (such as Ã, â, ð, Р, ├), followed by others that are not
# ASCII either; some exports turned those into a blank or a question mark. The C1 control characters are always wrong,
# except for U+0085, which is also a line end.
_CONTINUED = "\x80-\u02ff\u0370-\u04ff\u2010-\u25ff"
_MOJIBAKE = re.compile(
    "[\x80-\x9f¬À-ʯͰ-ӿ–—‚-‡√-◊ﬁﬂ]"
    f"(?:(?<![à-ô])[{_CONTINUED}]|[{_CONTINUED}][{_CONTINUED} ?]|(?<=[ÂÃÅÎÐÙâã])[ ?]|(?<=[\x80-\x84\x86-\x9f]))"
)


def repair_mojibake(text: str) -> str:
    """Restore text that was decoded with the wrong encoding ("Ã©" becomes "é"); other text is unchanged."""
    if text.isascii() or not _MOJIBAKE.search(text):
        return text
    import ftfy

    return ftfy.fix_encoding(text)


# Most texts hold only characters that are neither part of an emoji nor special: Latin, Greek, Cyrillic, Chinese,
# Japanese and Korean letters, their punctuation, and currency signs.
_PLAIN = re.compile(
    "[ -~¡-¬¯-ͷЀ-ԯ\u2010-\u2027\u2030-\u203b\u203d-\u2048\u204a-\u205e₠-₿、-〟ぁ-ゖァ-ヿ一-鿼가-힣！-～®©]*+"
)
# A superset of the characters of emoji sequences, to test others quickly.
_COARSE = "‼⁉\u2122-\u2bff〰〽㊗㊙\U0001f000-\U0001faff"


@cache
def emoji_sequences() -> re.Pattern:
    """Return the pattern of runs of emoji sequences, by the `emoji` package's table, with their joiners and selectors.

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
    """Return the content of a character class; a few ranges match much faster than a thousand characters."""
    ranges: list[list[int]] = []
    for point in sorted(map(ord, points)):
        if ranges and ranges[-1][1] == point - 1:
            ranges[-1][1] = point
        else:
            ranges.append([point, point])
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in ranges)


def remove_emoji(text: str) -> str:
    """Remove emoji as whole sequences (skin tones, families, flags, keycaps), never half of one."""
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
# Visible format characters, such as the Arabic number sign and the end of a verse.
_VISIBLE_FORMATS = "\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd"


def remove_special_characters(text: str) -> str:
    """Remove characters that are not text. By Unicode category (of this Python's `unicodedata`), the rule is:

    - Cc (control), Cn (unassigned), Co (private use) and Cs (surrogates) become a blank.
    - Cf (format: bidi marks, soft hyphens, byte-order marks, tags) and variation selectors are deleted.
      Exceptions: the zero-width space and the blanks of Braille and Hangul become a blank; joiners (U+180E, U+200C,
      U+200D) stay after a letter or mark of a script that needs them (Arabic, Indic, Mongolian and their kin);
      variation selectors 1–3 and 17–256 stay after an ideograph; visible format characters stay.
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


def _replacement(character: str) -> str:
    category = unicodedata.category(character)
    if character in _INVISIBLE_BLANKS or character in "\ufffc\ufffd" or category in ("Cc", "Cn", "Co", "Cs"):
        return " "
    if category == "So":
        return " " if _PICTURE.match(character) else character
    if category == "Cf" and character not in "\u180e\u200c\u200d" and character not in _VISIBLE_FORMATS:
        return ""
    return character


_REPLACEMENTS = CharacterTable(_replacement)
