"""Pure functions that take the noise out of a text, one per kind, and the audit of what each of them changed.

`clean` never destroys what people wrote: accents, œ, ligatures, apostrophes, quotation marks of every language,
currency signs and the letters and marks of every alphabet survive. It is idempotent for every text and setting,
glues no two words together, and its result can always be encoded as UTF-8.

Every expression stands behind a test that costs next to nothing on a text that does not need it, and starts with a
plain class of characters, which lets `re` skip quickly to where it can match. `emoji`, `ftfy` and `regex` are
imported only for the first text that needs them.
"""

import html
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from html.entities import html5

from utils.text.characters import (
    collapse_blanks,
    emoji_sequences,
    join_surrogates,
    remove_emoji,
    remove_special_characters,
)


@dataclass(frozen=True)
class Cleaning:
    """What to do about each kind of noise; stored with the model as a plain dict."""

    mojibake: str = "repair"
    html: str = "unescape"
    urls: str = "remove"
    mentions: str = "remove"
    emoji: str = "remove"
    hashtags: str = "keep"
    retweet_prefix: str = "remove"
    special_characters: str = "remove"
    case: str = "keep"


CHOICES: dict[str, tuple[str, ...]] = {
    "mojibake": ("repair", "keep"),
    "html": ("unescape", "keep"),
    "urls": ("remove", "keep"),
    "mentions": ("remove", "placeholder", "keep"),
    "emoji": ("remove", "keep"),
    "hashtags": ("keep", "unhash", "remove"),
    "retweet_prefix": ("remove", "keep"),
    "special_characters": ("remove", "keep"),
    "case": ("keep", "lower"),
}
Step = Callable[[str], str]


def clean(text: str, cleaning: Cleaning) -> str:
    """The cleaned text; "" where nothing of it is left."""
    return _clean(text, _steps(cleaning))[0]


def clean_all(texts: Sequence[str], cleaning: Cleaning) -> tuple[list[str], dict[str, int]]:
    """The cleaned texts, and for every kind of noise that is cleaned, how many texts had some of it."""
    steps = _steps(cleaning)
    cleaned = []
    counts = dict.fromkeys([kind for kind, _ in steps], 0)
    for text in texts:
        text, kinds = _clean(text, steps)
        cleaned.append(text)
        for kind in kinds:
            counts[kind] += 1
    return cleaned, counts


def _clean(text: str, steps: tuple[tuple[str, Step], ...]) -> tuple[str, set[str]]:
    """Repeat the steps until they change nothing, which makes cleaning idempotent: what one step takes out can
    complete a piece of noise for another ("ht\u00adtp://", "&am&#112;"). It ends, because every change takes something
    away for good: an entity or a broken character becomes fewer characters, a capital becomes small, and the rest
    becomes a blank or nothing.
    """
    kinds = set()
    while True:
        before = text
        for kind, step in steps:
            if (after := step(text)) != text:
                kinds.add(kind)
                text = after
        if text is before or (text := collapse_blanks(text)) == before:
            return text, kinds


@lru_cache(maxsize=64)
def _steps(cleaning: Cleaning) -> tuple[tuple[str, Step], ...]:
    steps: dict[str, Step] = {"surrogates": join_surrogates}
    if cleaning.html == "unescape":
        steps["html"] = unescape_html
    if cleaning.mojibake == "repair":
        steps["mojibake"] = repair_mojibake
    steps["blanks"] = collapse_blanks  # not before, since half of a broken "à" is a no-break space
    if cleaning.retweet_prefix == "remove":
        steps["retweet_prefix"] = remove_retweet_prefix
    if cleaning.urls == "remove":
        steps["urls"] = remove_urls
    if cleaning.mentions != "keep":
        steps["mentions"] = remove_mentions if cleaning.mentions == "remove" else replace_mentions
    if cleaning.hashtags != "keep":
        steps["hashtags"] = unhash if cleaning.hashtags == "unhash" else remove_hashtags
    if cleaning.urls == "keep":  # "https://server/@user#top" is no mention and no hashtag
        for kind in steps.keys() & {"mentions", "hashtags"}:
            steps[kind] = _around(_any_link, steps[kind])
    if cleaning.emoji == "remove":
        steps["emoji"] = remove_emoji
    if cleaning.special_characters == "remove":  # the parts of kept emoji are special characters on their own
        steps["special_characters"] = remove_special_characters
        if cleaning.emoji == "keep":
            steps["special_characters"] = _around(emoji_sequences, remove_special_characters)
    if cleaning.case == "lower":
        steps["case"] = str.lower
    return tuple(steps.items())


def _around(kept: Callable[[], re.Pattern], step: Step) -> Step:
    """`step`, applied only to the pieces of a text between the matches of `kept`."""

    def around(text: str) -> str:
        if step(text) == text:
            return text
        pieces = []
        end = 0
        for match in kept().finditer(text):
            pieces += step(text[end : match.start()]), match[0]
            end = match.end()
        return "".join(pieces) + step(text[end:])

    return around


# What encodings and HTML leave ----------------------------------------------------------------------------------------

# An entity ends in a semicolon, but for the few that exports often truncate; "AT&T", "&copy=2" in a link and "&notre"
# are text. Repeated escaping ("&amp;amp;lt;") is taken at once, so that a long run costs one pass.
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


# UTF-8 read as something else shows as a first character (such as Ã, â, ð, Р, ├) and, at once, others that are not
# ASCII either; some exports turned those into a blank or a question mark. The C1 control characters are always wrong,
# but for U+0085, which is also a line end.
_CONTINUED = "\x80-\u02ff\u0370-\u04ff\u2010-\u25ff"
_MOJIBAKE = re.compile(
    "[\x80-\x9f¬À-ʯͰ-ӿ–—‚-‡√-◊ﬁﬂ]"
    f"(?:(?<![à-ô])[{_CONTINUED}]|[{_CONTINUED}][{_CONTINUED} ?]|(?<=[ÂÃÅÎÐÙâã])[ ?]|(?<=[\x80-\x84\x86-\x9f]))"
)


def repair_mojibake(text: str) -> str:
    """Restore text that was decoded with the wrong encoding ("Ã©" becomes "é"); other text is left alone."""
    if text.isascii() or not _MOJIBAKE.search(text):
        return text
    return _ftfy().fix_encoding(text)


@cache
def _ftfy():
    import ftfy

    return ftfy


# What Twitter adds ----------------------------------------------------------------------------------------------------

# The last character of a link, mention or hashtag must not be the digit of a keycap emoji.
_NOT_KEYCAP = r"(?![\ufe0f\u20e3])"
_RETWEET = re.compile(r"(?:RT[ :]*[@＠][a-z0-9_]+ ?:? ?)+", re.IGNORECASE)


def remove_retweet_prefix(text: str) -> str:
    """Drop "RT @user: " at the start, also where it is repeated."""
    if text[:2] in ("RT", "rt", "Rt") and (match := _RETWEET.match(text)):
        return text[match.end() :]
    return text


_URL_CHARACTER = r"!#-'*-;=?-\[\]_a-z~À-ӿ"
_URL_LAST = r"#$%&+\-/0-9=@A-Z_a-z~À-ӿ"
_URL_REST = rf"(?:[{_URL_CHARACTER}]*[{_URL_LAST}]{_NOT_KEYCAP}|\([{_URL_CHARACTER}]*\))*+…?"
_TCO = rf"(?i:t\.co/[a-z0-9]+(?:\?amp=1)?){_NOT_KEYCAP}…?"
_LINK_PATTERN = rf"[Hh](?i:ttps?)(?:://{_TCO}|:/{{1,2}}{_URL_REST}|:?…)"
_BARE_LINK_PATTERN = rf"(?<![\w.@/-])(?:{_TCO}|(?i:www\.|pic\.(?:twitter|x)\.com/){_URL_REST})"
_LINK = re.compile(_LINK_PATTERN)
_BARE_LINK = re.compile(_BARE_LINK_PATTERN)


@cache
def _any_link() -> re.Pattern:
    return re.compile(f"{_LINK_PATTERN}|{_BARE_LINK_PATTERN}")


def remove_urls(text: str) -> str:
    """Drop http(s)://…, www.…, t.co/… and pic.twitter.com/…, also where they were truncated ("https://t…").

    The sentence's punctuation after a link stays, and so does a closing bracket that the link did not open. A t.co
    link ends after its code, so that text glued to it survives.
    """
    if "ttp" in text or "TTP" in text:
        text = _LINK.sub(" ", text)
    if "ww." in text or ".co" in text or "WW." in text or ".CO" in text:
        text = _BARE_LINK.sub(" ", text)
    return text


# E-mail addresses have a letter right before the @, but so do mentions in Japanese and Chinese text: only letters that
# such addresses are written with count. A second @ starts the server's name of a Mastodon account.
_NAME = r"A-Za-z0-9_À-ɏ"
_MENTION = re.compile(
    rf"[@＠](?<![{_NAME}@＠].)[@＠]*[{_NAME}]+(?:[@＠]+[{_NAME}.-]*[{_NAME}])*{_NOT_KEYCAP}",
)
_DOT_BEFORE_MENTION = re.compile(rf"(?<![\w.])\.(?=[@＠][{_NAME}])")


def remove_mentions(text: str) -> str:
    """Drop @user, ＠user, @user@server, and the full stop of ".@user"; e-mail addresses stay."""
    if "@" not in text and "＠" not in text:
        return text
    if ".@" in text:
        text = _DOT_BEFORE_MENTION.sub(" ", text)
    return _MENTION.sub(" ", text)


def replace_mentions(text: str) -> str:
    """Write @user for whoever is mentioned."""
    return _MENTION.sub("@user", text) if "@" in text or "＠" in text else text


@cache
def _hashtag():
    import regex  # `re` has no class for combining marks, without which हिन्दी is no word

    tag = r"[#＃][\p{N}_]*\p{L}[\p{L}\p{N}_[\p{M}\u200c\u200d--[\ufe00-\ufe0f\u20e3]]]*" + _NOT_KEYCAP
    return regex.compile(rf"(?<![\p{{L}}\p{{M}}\p{{N}}_&/])(?:{tag})+", regex.VERSION1)


def remove_hashtags(text: str) -> str:
    """Drop # and the word after it, in any alphabet. It needs a letter and a beginning: "#1" and "C#" are text."""
    return _hashtag().sub(" ", text) if "#" in text or "＃" in text else text


def unhash(text: str) -> str:
    """Drop only the # of hashtags."""
    if "#" not in text and "＃" not in text:
        return text
    return _hashtag().sub(lambda match: match[0][1:].replace("#", " ").replace("＃", " "), text)
