"""Entities that sites add to texts: retweet prefixes, mentions and hashtags; each can be removed or made plain.

`utils.text.cleaning` chains these pure functions. `regex` is imported only for the first text that needs it.
"""

import re
from functools import cache

from utils.text.links import NOT_KEYCAP

REMOVED_NAME, REMOVED_TAG = "\x1d", "\x1e"  # like `links.REMOVED_LINK`

# E-mail addresses have a letter right before the @, but so do mentions in Japanese and Chinese text: only letters of
# which such addresses consist count.
_NAME = r"A-Za-z0-9_À-ɏ"
_SMALL = r"a-z0-9_ß-öø-ÿ"
# Names have dots and hyphens on Bluesky, YouTube, TikTok and Instagram, but not on X, where "@JetBlue.Thanks" and
# "@BernieSanders-who" lack a blank: a name continues with small letters after small ones, and "Jo-Doe" with capitals.
_SENTENCE = (
    rf"(?!(?:i|im|it|its|you|your|we|they|he|she|the|this|that|and|but|so|no|yes|why|what|how|when|where|is|are|was|do|"
    rf"can|not|just|my|please|pls|plz|thanks|thank|thx|great|love|hi|hey|lol)(?![{_NAME}]|[.-][{_NAME}]))"
)
_HANDLE = (
    rf"(?:[{_SMALL}][{_NAME}]*(?:[.-]{_SENTENCE}[{_SMALL}][{_NAME}]*)*|"
    rf"[{_NAME}]+(?:\.{_SENTENCE}[{_SMALL}][{_NAME}]*|-[A-Z][{_SMALL}][{_NAME}]*)*)"
    # A second @ starts the server's name in the fediverse.
    rf"(?:(?:[.-]++[{_NAME}]++)++(?=[@＠]))?(?:[@＠]+[{_NAME}.-]*[{_NAME}])*"
)
_MENTION = re.compile(rf"[@＠](?<![{_NAME}@＠].)[@＠]*{_HANDLE}{NOT_KEYCAP}")
_DOT_BEFORE_MENTION = re.compile(rf"(?<![\w.])\.(?=[@＠][{_NAME}])")
_NAME_ENDS = re.compile("(?<=@user)-")
_NUMBERED = re.compile(
    r"<@[!&]?[A-Z0-9]+(?:\|[^<>@]*)?>"
)  # <@U024BE7LH|ann> on Slack, <@!80351110224678912> on Discord
_REDDIT_USER = re.compile(
    rf"(?<![\w/.~@:-])(?<!\d )/?u/(?!day\b|min\b|hour\b)[A-Za-z0-9_-]{{2,19}}[A-Za-z0-9_](?![\w/]){NOT_KEYCAP}"
)
_RETWEET = re.compile(rf"[!?.:* ]*+(?:RT[ :]*[@＠]{_HANDLE} ?:? ?)+", re.IGNORECASE)


_BEFORE_RETWEET = "Rr!?.:* "  # "" is in it as well


def remove_retweet_prefix(text: str) -> str:
    """Remove "RT @user: " at the start, even if it is repeated, and the exclamation marks before it."""
    if text[:1] in _BEFORE_RETWEET and (match := _RETWEET.match(text)):
        return text[match.end() :]
    return text


def remove_mentions(text: str) -> str:
    """Replace by `REMOVED_NAME`: @user, ＠user, @user.name, @user@server, u/user, and the period of ".@user".

    E-mail addresses stay.
    """
    return _without_mentions(text, REMOVED_NAME)


def replace_mentions(text: str) -> str:
    """Replace every mention by @user."""
    text = _without_mentions(text, "@user")
    return _NAME_ENDS.sub(" -", text) if "@user-" in text else text  # "@Bob-who" leaves no "@user-who", a name


def _without_mentions(text: str, replacement: str) -> str:
    if "@" in text or "＠" in text:
        if "<@" in text:
            text = _NUMBERED.sub(replacement, text)
        if ".@" in text and replacement == REMOVED_NAME:
            text = _DOT_BEFORE_MENTION.sub(" ", text)
        text = _MENTION.sub(replacement, text)
    if "u/" in text:
        text = _REDDIT_USER.sub(replacement, text)
    return text


@cache
def _hashtag():
    import regex  # `re` has no class for combining marks, which हिन्दी needs

    tag = r"[#＃][\p{N}_]*\p{L}[\p{L}\p{N}_[\p{M}\u200c\u200d--[\ufe00-\ufe0f\u20e3]]]*" + NOT_KEYCAP
    return regex.compile(rf"(?<![\p{{L}}\p{{M}}\p{{N}}_&/])(?:{tag})+", regex.VERSION1)


def remove_hashtags(text: str) -> str:
    """Replace # and the word after it, in any alphabet, by `REMOVED_TAG`.

    "#1", without a letter, and "C#", inside a word, are text.
    """
    return _hashtag().sub(REMOVED_TAG, text) if "#" in text or "＃" in text else text


def unhash(text: str) -> str:
    """Remove only the # of hashtags."""
    if "#" not in text and "＃" not in text:
        return text
    return _hashtag().sub(lambda match: match[0][1:].replace("#", " ").replace("＃", " "), text)
