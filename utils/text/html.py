"""HTML as the text that a reader sees: whole documents, and tags among text that people wrote.

lxml is imported for the first text with a tag.
"""

import functools
import re
from html import escape, unescape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lxml import etree

TAG = re.compile("<[a-zA-Z/!?]")
CONTROL = re.compile("[\x00-\x08\x0e-\x1b]")
WHITESPACE = re.compile("[\t-\r\x1c-\x1f ]+")
LINE_ENDS = re.compile(" ?\n[ \n]*")
BULLET = "\x00"  # texts have no such character, see CONTROL
DROPPED = {"script", "style", "title"}
PARAGRAPHS = ("p", "div", "blockquote", "pre", "ul", "ol", "dl", "table", "hr", "h1", "h2", "h3", "h4", "h5", "h6")
CLOSING = dict.fromkeys(PARAGRAPHS, "\n\n")
OPENING = CLOSING | {"br": "\n", "li": "\n" + BULLET, "tr": "\n", "dt": "\n", "dd": "\n", "td": " ", "th": " "}


def html_to_text(html: str) -> str:
    """Return the text that a reader sees, with shortened links in full.

    A blank line separates paragraphs; list items start with "- ". Without a tag, only entities change.
    """
    if not TAG.search(html):
        return unescape(html)
    from lxml import etree  # late: the scripts that read no posts start sooner

    # Fed with bytes: lxml refuses a text with an XML declaration.
    root = etree.fromstring(b"<div>" + CONTROL.sub("", html).encode("utf-8", "replace"), _html_parser())
    pieces, preformatted = [], 0
    walk = etree.iterwalk(root, ("start", "end"))
    for event, element in walk:
        tag, start = element.tag, event == "start"
        preformatted += (tag == "pre") * (1 if start else -1)
        if start and (tag in DROPPED or "quote-inline" in element.get("class", "").split()):
            walk.skip_subtree()
            continue
        pieces.append((OPENING if start else CLOSING).get(tag, ""))
        if text := element.text if start else element.tail:
            pieces.append(text if preformatted else WHITESPACE.sub(" ", text))
    text = re.sub(" {2,}", " ", "".join(pieces))
    text = LINE_ENDS.sub(lambda match: "\n\n" if match[0].count("\n") > 1 else "\n", text)
    return re.sub(rf"{BULLET}\s*", "- ", text).strip(" \n")


@functools.cache
def _html_parser() -> "etree.HTMLParser":
    from lxml import etree

    # `huge_tree` allows 2,048 levels instead of 256; deeper markup is lost.
    return etree.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True, huge_tree=True)


# "<user>", "List<String>" and "a<b and c>d" are text: a tag has the name of an element and, behind it, only attributes.
# Names that mean nothing else make a tag anywhere. The others are also names of types, variables and placeholders
# ("List<Object>", "<address>"): they need an attribute, a slash or a closing tag.
_PLAIN_NAMES = (
    "br|hr|p|div|span|li|ul|ol|dl|dt|dd|table|tbody|thead|tfoot|tr|td|th|h[1-6]|blockquote|pre|html|body|wbr|"
    "b|i|em|strong|font|center"
)
_OTHER_NAMES = (
    "a|abbr|acronym|address|area|article|aside|audio|base|big|button|canvas|caption|cite|code|col|colgroup|data|del|"
    "details|dfn|embed|figcaption|figure|footer|form|frame|frameset|head|header|iframe|img|input|ins|kbd|label|link|"
    "main|map|mark|meta|nav|noscript|object|option|param|picture|q|rp|rt|ruby|s|samp|script|section|select|small|"
    "source|strike|style|sub|summary|sup|svg|textarea|time|title|track|tt|u|var|video"
)
_NAME = rf"(?:{_PLAIN_NAMES}|{_OTHER_NAMES})(?![\w-])"
_VALUE = r"""(?:"[^"<>]*"|'[^'<>]*'|[^\s"'<>=]+)"""
_BARE = "hidden|disabled|checked|selected|async|defer|controls|autoplay|loop|muted|allowfullscreen|nowrap|noshade"
_ATTRIBUTE = rf"""(?:(?:\s+|(?<=["']))(?:[a-z][\w:.-]*\s*=\s*{_VALUE}|(?:{_BARE})(?=[\s/>])))"""
_LINE_END = re.compile(r"<\s?(?:/br|br\s?/?)\s?>", re.IGNORECASE)
_MARKUP = re.compile(
    rf"(<!--(?:(?!<!--).)*?-->|<(?:!doctype|\?xml)[^<>]*>|{_LINE_END.pattern}|</?{_NAME}{_ATTRIBUTE}*\s*/?\s*>)",
    re.IGNORECASE | re.DOTALL,
)
_CUT_ATTRIBUTE = r"""(?:\s+[a-z][\w:.-]*\s*=\s*(?:"[^"<>]*|'[^'<>]*|[^\s"'<>]*)|(?<=["']))"""
_CUT_OFF = re.compile(  # at the end of a text: '<a href="htt', "<br", "</di", perhaps with an ellipsis
    rf"<(?:{_NAME}{_ATTRIBUTE}*{_CUT_ATTRIBUTE}|(?:br|div|span|img)|/[a-z]+)\s*/?\s*(?:…|\.{{3}})?", re.IGNORECASE
)
_PLAIN_NAME = re.compile(_PLAIN_NAMES, re.IGNORECASE)
_ROUNDS = 4


def remove_tags(text: str) -> str:
    """Return a text without HTML: tags, comments, scripts and a tag at the end that is cut off.

    Entities are text here, as are "<" and ">" that belong to no tag. Tags that appear when others are gone go as well.
    """
    if "<" not in text:
        return text
    for _ in range(_ROUNDS):
        before, text = text, _without_tags(text)
        if text == before:
            return text
    return text.replace("<", " ")  # nobody nests tags in tags, and each further level would cost a round


def _without_tags(text: str) -> str:
    last = text.rfind("<")
    if _CUT_OFF.fullmatch(text, last):
        text = text[:last]
    pieces = _MARKUP.split(text)
    if len(pieces) == 1:
        return text
    names = {piece.strip("<> ").lower() for piece in pieces[1::2]}  # with the slash of closing tags
    start, found = 0, False
    for number, piece in enumerate(pieces):
        is_tag = number % 2 == 1 and _is_tag(piece, text[start - 1 : start], names)
        found |= is_tag
        start += len(piece)
        if not is_tag:
            pieces[number] = escape(piece, quote=False)
        elif _LINE_END.fullmatch(piece):
            pieces[number] = "<br>"  # the parser knows no other form
    return html_to_text("".join(pieces)) if found else text


def _is_tag(markup: str, before: str, names: set[str]) -> bool:
    """Return whether `markup` is a tag, not a type; `before`: the character in front; `names`: those of all tags."""
    name = markup.strip("<> ")
    if name == "/s":
        return "s" in names  # alone, it says that the text was meant ironically
    if not name.isalnum():  # closes, or has a slash or attributes
        return True
    glued = before.isalnum() or before == "_"
    like_a_type = name.istitle() and (glued or len(name) > 2) and name != "Br"
    if _PLAIN_NAME.fullmatch(name) and not like_a_type and not (glued and name in ("b", "i")):
        return True
    return f"/{name.lower()}" in names
