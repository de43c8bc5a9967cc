"""The first rules for retweet prefixes, links and mentions: what X alone writes. Stumps of what is removed stay.

Models that were trained on texts cleaned like this see such texts in use, too: `cleaning.from_saved`.
"""

import re
from functools import cache

# The last character of a URL, mention or hashtag must not be the digit of a keycap emoji.
_NOT_KEYCAP = r"(?![\ufe0f\u20e3])"
_RETWEET = re.compile(r"(?:RT[ :]*[@＠][a-z0-9_]+ ?:? ?)+", re.IGNORECASE)


def remove_retweet_prefix(text: str) -> str:
    """Remove "RT @user: " at the start, even if it is repeated."""
    if text[:2] in ("RT", "rt", "Rt") and (match := _RETWEET.match(text)):
        return text[match.end() :]
    return text


_URL_CHARACTER = r"!#-'*-;=?-\[\]_a-z~À-ӿ"
_URL_LAST = r"#$%&+\-/0-9=@A-Z_a-z~À-ӿ"
_URL_REST = rf"(?:[{_URL_CHARACTER}]*[{_URL_LAST}]{_NOT_KEYCAP}|\([{_URL_CHARACTER}]*\))*+…?"
_TCO = rf"(?i:t\.co/[a-z0-9]+(?:\?amp=1)?){_NOT_KEYCAP}…?"
_FULL_URL_PATTERN = rf"[Hh](?i:ttps?)(?:://{_TCO}|:/{{1,2}}{_URL_REST}|:?…)"
_BARE_URL_PATTERN = rf"(?<![\w.@/-])(?:{_TCO}|(?i:www\.|pic\.(?:twitter|x)\.com/){_URL_REST})"
_FULL_URL = re.compile(_FULL_URL_PATTERN)
_BARE_URL = re.compile(_BARE_URL_PATTERN)


@cache
def any_url() -> re.Pattern:
    """Return the pattern of everything that `remove_urls` removes."""
    return re.compile(f"{_FULL_URL_PATTERN}|{_BARE_URL_PATTERN}")


def remove_urls(text: str) -> str:
    """Remove http(s)://…, www.…, t.co/… and pic.twitter.com/…, even if they are truncated ("https://t…").

    The sentence's punctuation after a URL stays, and so does a closing bracket that the URL did not open. A t.co URL
    ends after its code, so that text right behind it survives.
    """
    if "ttp" in text or "TTP" in text:
        text = _FULL_URL.sub(" ", text)
    if "ww." in text or ".co" in text or "WW." in text or ".CO" in text:
        text = _BARE_URL.sub(" ", text)
    return text


# E-mail addresses have a letter right before the @, but so do mentions in Japanese and Chinese text: only letters of
# which such addresses consist count. A second @ starts the server's name of a Mastodon account.
_NAME = r"A-Za-z0-9_À-ɏ"
_MENTION = re.compile(rf"[@＠](?<![{_NAME}@＠].)[@＠]*[{_NAME}]+(?:[@＠]+[{_NAME}.-]*[{_NAME}])*{_NOT_KEYCAP}")
_DOT_BEFORE_MENTION = re.compile(rf"(?<![\w.])\.(?=[@＠][{_NAME}])")


def remove_mentions(text: str) -> str:
    """Remove @user, ＠user, @user@server, and the period of ".@user"; e-mail addresses stay."""
    if "@" not in text and "＠" not in text:
        return text
    if ".@" in text:
        text = _DOT_BEFORE_MENTION.sub(" ", text)
    return _MENTION.sub(" ", text)


def replace_mentions(text: str) -> str:
    """Replace every mention by @user."""
    return _MENTION.sub("@user", text) if "@" in text or "＠" in text else text
