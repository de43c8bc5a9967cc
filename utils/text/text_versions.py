"""Compare versions of one text, to recognize the beginning that a site shows and the whole text."""

import re
from html import unescape

MENTIONS = re.compile(r"(?<!\s)\s*+(?:@\w++\s++)+")
LINK = re.compile(r"https?:\S*")
MORE = (  # sites' words behind a text that they cut
    r"(?:read|show|see|view) more|continue reading|mehr (?:anzeigen|lesen)|weiterlesen|全文|展开"
    r"|(?:en )?voir plus|lire la suite|afficher plus|(?:ver|leer|mostrar) más|(?:ver|ler|mostrar) mais"
)
# "…", perhaps a link or "more" behind it, and the rest of a cut character or link in front of it.
CUT_END = re.compile(
    r"(?:\s++ht{0,2}p?s?(?=…)|\ufffd)*+\s*+"
    rf"(?:(?:…|\.{{3}})\s*(?i:{MORE}|more)\W*|(?:…|\.{{3}})?\]?\s*+(?:https?:\S*+\s*+)?)\Z"
)
LONGEST_END = 2000  # characters; looking for the end from every place in a long text takes quadratic time
SHARED_START = 8  # characters that two versions of one text have in common


def continues(whole: str, text: str) -> bool:
    """Return whether `whole` begins like `text` up to where that is cut off, and continues after it."""
    start, compared = beginning(text), comparable(whole)
    return len(start) >= SHARED_START and len(compared) > len(start) and compared.startswith(start)


def beginning(text: str) -> str:
    """Return the `comparable` part of a text that is perhaps cut off."""
    return comparable(text[:-LONGEST_END] + CUT_END.sub("", text[-LONGEST_END:]))


def comparable(text: str) -> str:
    """Return the form that all versions of a text share, without links and the names in front of a reply."""
    return " ".join(LINK.sub(" ", MENTIONS.sub("", unescape(text), count=1)).split())
