"""Links, with and without "https://", as every site writes them. They can be removed from texts.

`utils.text.cleaning` chains these pure functions.
"""

import re
from functools import cache

REMOVED_LINK = "\x1c"  # a blank that no text has after `collapse_blanks`; utils.text.stumps makes it a space

# The last character of a URL, mention or hashtag must not be the digit of a keycap emoji.
NOT_KEYCAP = r"(?![\ufe0f\u20e3])"
_URL_CHARACTER = r"!#-'*-;=?-\[\]_a-z~À-ӿ"
_URL_LAST = r"#$%&+\-/0-9=@A-Z_a-z~À-ӿ"
_URL_REST = rf"(?:[{_URL_CHARACTER}]*[{_URL_LAST}]{NOT_KEYCAP}|\([{_URL_CHARACTER}]*\))*+…?"

# The most common top-level domains of IANA's root zone, https://data.iana.org/TLD/tlds-alpha-by-domain.txt. Of those
# that are words as well ("done.so/what"), a link is what has a site's name or a path that is no word.
_DOMAINS = (
    *(
        "com",
        "org",
        "net",
        "edu",
        "gov",
        "mil",
        "int",
        "info",
        "biz",
        "app",
        "dev",
        "io",
        "ai",
        "xyz",
        "online",
        "site",
    ),
    *("website", "store", "shop", "blog", "tech", "page", "link", "social", "club", "eu", "uk", "ca", "au", "nz", "ie"),
    *("za", "de", "fr", "es", "nl", "ch", "dk", "fi", "pl", "pt", "cz", "sk", "gr", "hu", "ro", "bg", "hr", "lt", "lv"),
    *("ee", "ua", "ru", "tr", "il", "jp", "cn", "kr", "tw", "hk", "sg", "th", "vn", "ph", "br", "mx", "ar", "cl", "pe"),
    *(
        "ae",
        "ir",
        "eg",
        "ng",
        "ke",
        "pk",
        "lk",
        "lu",
        "tv",
        "fm",
        "co",
        "cc",
        "ly",
        "gl",
        "gg",
        "gd",
        "gle",
        "su",
        "kz",
    ),
)
_WORDS = (
    "it",
    "in",
    "is",
    "me",
    "my",
    "us",
    "at",
    "be",
    "am",
    "as",
    "by",
    "to",
    "so",
    "no",
    "se",
    "la",
    "id",
    "ms",
    "news",
)
_SITES = (
    *(
        "youtu.be",
        "t.me",
        "wa.me",
        "m.me",
        "fb.me",
        "wp.me",
        "paypal.me",
        "amzn.to",
        "nbcnews.to",
        "lnkd.in",
        "redd.it",
    ),
    *(
        "dlvr.it",
        "ift.tt",
        "pin.it",
        "cnn.it",
        "bbc.in",
        "chng.it",
        "gofund.me",
        "instagr.am",
        "nyti.ms",
        "po.st",
        "n.pr",
    ),
    *("flic.kr", "spoti.fi", "reut.rs", "bloom.bg", "rb.gy", "a.co", "discord.gg", "hubs.la", "zurl.to", "about.me"),
)

_TCO = rf"(?i:t\.co/[a-z0-9]+(?:\?amp=1)?){NOT_KEYCAP}…?"
_FULL_URL_PATTERN = rf"[Hh](?i:ttps?)(?:://{_TCO}|:/{{1,2}}{_URL_REST}|:?…)"
_BARE_URL_PATTERN = rf"(?<![\w.@/-])(?:{_TCO}|(?:(?:www|WWW|Www)\.|(?i:pic\.(?:twitter|x)\.com/)){_URL_REST})"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\."
# A digit beside a letter, a capital behind a small letter, a query, an ellipsis, two hyphens: no word.
_NO_WORD = rf"(?=/[{_URL_CHARACTER}]*(?:[A-Za-z][0-9]|[0-9][A-Za-z]|[a-z][A-Z]|[?=%]|…|-[A-Za-z0-9]+-))"
_BEFORE_PATH = "|".join(
    (
        rf"(?i:{'|'.join(map(re.escape, _SITES))})",
        rf"(?:{_LABEL})+(?:{'|'.join(_DOMAINS)}|COM|ORG)(?::[0-9]{{2,5}})?",
        rf"(?:{_LABEL})+(?:{'|'.join(_WORDS)}){_NO_WORD}",
    )
)
_SCHEMELESS_PATTERN = rf"(?<![\w.@/-])(?:{_BEFORE_PATH})/(?=[{_URL_CHARACTER}(]){_URL_REST}"
_FULL_URL = re.compile(_FULL_URL_PATTERN)
_BARE_URL = re.compile(_BARE_URL_PATTERN)
_SCHEMELESS = re.compile(_SCHEMELESS_PATTERN)
_DOMAIN_AND_SLASH = re.compile(r"[.:](?:[A-Za-z]{2,7}|[0-9]{2,5})/")


@cache
def any_url() -> re.Pattern:
    """Return the pattern of everything that `remove_urls` removes."""
    return re.compile(f"{_FULL_URL_PATTERN}|{_BARE_URL_PATTERN}|{_SCHEMELESS_PATTERN}")


def remove_urls(text: str) -> str:
    """Replace by `REMOVED_LINK`: http(s)://…, www.…, t.co/… and pic.twitter.com/…, even truncated ("https://t…"), and
    bbc.co.uk/news: a domain with a path.

    The sentence's punctuation after a URL stays, and so does a closing bracket that the URL did not open. A t.co URL
    ends after its code, so that text right behind it survives.
    """
    slash = "/" in text
    if (slash or "…" in text) and ("ttp" in text or "TTP" in text):
        text = _FULL_URL.sub(REMOVED_LINK, text)
        slash = "/" in text
    if "ww." in text or "WW." in text or (slash and (".co" in text or ".CO" in text)):
        text = _BARE_URL.sub(REMOVED_LINK, text)
    if slash and _DOMAIN_AND_SLASH.search(text):
        text = _SCHEMELESS.sub(REMOVED_LINK, text)
    return text
