"""Remove what makes sense only with a link, a mention or a hashtag that was removed: "(via )", "thanks , & for".

Each removed item leaves a mark (`links.REMOVED_LINK`, `tweet_entities.REMOVED_NAME` and `REMOVED_TAG`). Only text that
touches a mark, with or without a blank between, is ever changed: "( )" that somebody wrote stays.
"""

import re
from operator import itemgetter

from utils.text.links import REMOVED_LINK
from utils.text.tweet_entities import REMOVED_NAME, REMOVED_TAG

_MARKS = REMOVED_LINK + REMOVED_NAME + REMOVED_TAG
_LAST_WORDS = ("via", "vía", "tip", "h/t", "cc", "c/c", "ht", "by", "par", "von", "por", "and", "und", "et", "or", "ou")
_MARK = f"[{REMOVED_LINK}-{REMOVED_TAG}]"
# Most marks stand between blanks and words, and leave no stump.
_CREDITS = r"(?<=(?i:\b(?:via|vía|tip|par|von|por|and|und)) .)|(?<=(?i:\b(?:cc|ht|/t|by|et|or|ou)) .)"
_SUSPECT = re.compile(
    rf"{_MARK}(?:(?=[^\w\s']| [^\w\s!?#@$€£']|['’]s)|(?<=[^\w\s.!?…)\]”’'].)|(?<=[^\w\s.!?…)\]”’'] .)|(?<='.)(?=')|"
    rf"(?<=[acdhprtuyACDHPRTUY] .)(?:{_CREDITS}))"
)
_WINDOW_BEFORE, _WINDOW_AFTER = 24, 12  # characters around a suspect, up to the next blank

_NO_FACE = r"(?![:;][-'^]?[()DPpOo/|*3\\])"  # ":)" right behind a mark is no punctuation
_CREDIT = r"(?<![\w@#])(?:/{1,2}|-)?(?<!\w/)(?i:via|vía|cc|c/c|h/t|ht|hat ?tip)"
_BETWEEN = (
    r"(?: ?(?:[,;:/|·•+&>~–—-]|->|=>|, ?&|\.{3}|…)? ?|"
    r",? (?i:and|und|et|y|e|or|ou|o|vs?\.?|x|with|w/|feat\.?|ft\.?) )"
)
_ENDS = r"(?=$| ?[)\]}>»”’.,;:!?…](?:[\s)\]}>»”’.,;:!?…\"]|$)|\"(?:\s|$))"
# The two most frequent stumps need no more than this: "word @bob: text" and "“@bob: text".
_JOIN = "\x1f"  # with the blank before it
_ATTACHED = re.compile(
    rf"{_MARK}(?<=[\w)”] .)(?=(?:[.,;!?…:)”]|\"+)(?: |$))(?!{_BETWEEN}{_MARK})(?<!\b[RMQ]T .)(?!{_CREDITS})"
)
_QUOTED = re.compile(rf"{_MARK}(?:(?<=“.)|(?<=[\s\"(\[]\".)|(?<=^\".))(?!{_BETWEEN}{_MARK}):? ")
_INTRODUCES = (
    r"(?:(?<![\s:;=8^'<_-])|(?<= )) ?(?:[,;:&+|/]|[-–—~]{1,3}|[-=]{0,3}>{1,3}|→)|"
    r"(?:(?<=\s)|^)(?i:by|par|von|por|and|und|et|or|ou|w/):?"
)
_PREPOSITIONS = "on|in|at|of|about|for|to|from|with|sur|dans|pour|über|auf|für|in|sobre|en|para"
_OPENS = r"^|[(\[{“„«‘]|(?<![^\s\"(\[])\""
_LEADING = r"(?:[,;:](?!\w)|\.(?![.\d])|[-–—|~&+/]{1,3}(?=\s)) ?"
_kept = itemgetter(1)  # of the match; much faster than templates


def _both(match: re.Match) -> str:
    return match[1] + match[2]


# A necessary expression, found fast because it starts with a mark; the pattern to replace; and the replacement.
_RULES = [
    (re.compile(needed), re.compile(pattern), replacement)
    for needed, pattern, replacement in (
        # "@a, @b and @c": several are as one
        (rf"{_MARK}[^{REMOVED_LINK}-{REMOVED_TAG}]{{0,9}}{_MARK}", rf"({_MARK})(?:{_BETWEEN}{_MARK})+", _kept),
        (rf"{REMOVED_NAME}['’]s", rf"({REMOVED_NAME})['’]s\b", _kept),
        (rf"{REMOVED_NAME}[-–—]", rf"{REMOVED_NAME}[-–—](?=[^\W\d])", REMOVED_NAME + " "),
        (
            rf"{_MARK}(?<=[iíIÍcCh/:tTpP][acAC/tTpP:] .)|{_MARK}(?<=[acACtTpP]:.)",
            rf"{_CREDIT}:? ?({_MARK})(?: ?:(?=\s|$))?",
            _kept,
        ),
        (rf"{REMOVED_NAME}(?<=[T: ].) ?:", rf"(?<![\w@#/])(?:RT|MT|QT)[ :]*({REMOVED_NAME}) ?:", _kept),
        (rf"{_MARK} ?[)\]}}>]", rf"\( ?{_MARK} ?\)|\[ ?{_MARK} ?\]|\{{ ?{_MARK} ?\}}|< ?{_MARK} ?>", REMOVED_TAG),
        (
            rf"{_MARK}(?<=[«“„‘\"' ].) ?[»”“’\"']",
            rf"« ?{_MARK} ?»|[“„] ?{_MARK} ?[”“]|‘ ?{_MARK} ?’|\"{_MARK}\"|(?<!\w)'{_MARK}'(?!\w)",
            REMOVED_TAG,
        ),
        # "by @ann" before another preposition, as in "an essay by @ann on bridges"
        (
            rf"{REMOVED_NAME}(?<=(?i:[ynr]) .) ",
            rf"(?<!\S)(?i:by|par|von|por) ({REMOVED_NAME})(?= (?:{_PREPOSITIONS}) )",
            _kept,
        ),
        # X shows a long link as "bbc.co.uk/news …"
        (rf"{REMOVED_LINK} ?…", rf"({REMOVED_LINK}) ?…(?=\s|$)", _kept),
        (rf"{REMOVED_LINK}(?<=[@＠] .)", rf"(?<![\w@＠])[@＠] ({REMOVED_LINK})", _kept),
        (
            rf"{_MARK}(?:(?<=[,;:&+|/~>→–—-].)|(?<=[,;:&+|/~>→–—-] .)|(?<=(?i:by|[adont][rdt]|ou) .)){_ENDS}",
            rf"(?:{_INTRODUCES}) ?({_MARK}){_ENDS}",
            _kept,
        ),
        (rf"(?:^{_MARK}|{_MARK}(?<=[^\w\s].)) ?{_LEADING}", rf"({_OPENS})({_MARK}) ?{_NO_FACE}{_LEADING}", _both),
        (rf"{_MARK} ?[,;:.]", rf"([.!?…,;:–—&]) ?({_MARK}) ?{_NO_FACE}[,;:.](?=[\sA-Z…]|$)", _both),
    )
]
_FIRST = re.compile(rf"{_MARK}(?!{_BETWEEN}{_MARK}|['’\")\]}}>])(?: ?{_NO_FACE}{_LEADING})? ?")
_ROUNDS = 3  # "(cc @a, @b)" takes two
_MARKDOWN = re.compile(rf"!?\[([^\[\]{REMOVED_LINK}-{REMOVED_TAG}]*)\]\(({_MARK})\)")
_AFTER_OPENING = re.compile(rf"([(\[{{“„‘]|(?:^|(?<=\s))\")(?:{_MARK} *)+")
_BEFORE_WORD = re.compile(rf" ?{_MARK}{_NO_FACE}([.,;:!?])(?=\w)")
_BEFORE_PUNCTUATION = re.compile(rf" ?{_MARK}(?={_NO_FACE}(?:[)\]}}”’.,;:!?…]|\"+(?:[\s.,;:!?]|$)))")


def remove_stumps(text: str) -> str:
    """Replace the marks in a text by spaces, and remove text that only made sense with the removed items."""
    if not _has_marks(text):
        return text
    # Most marks are the first or the last thing of a text.
    if leading := _FIRST.match(text):
        text = text[leading.end() :]
    if text[-1:] in _MARKS:
        text = _without_last(text)
    if not _has_marks(text):
        return text
    if _SUSPECT.search(text):
        text = _QUOTED.sub("", _ATTACHED.sub(_JOIN, text)).replace(" " + _JOIN, "")
        if _SUSPECT.search(text):
            text = _without_stumps(text)
    return text.replace(REMOVED_NAME, " ").replace(REMOVED_LINK, " ").replace(REMOVED_TAG, " ")


def _has_marks(text: str) -> bool:
    return REMOVED_NAME in text or REMOVED_LINK in text or REMOVED_TAG in text


def _without_last(text: str) -> str:
    """Return a text without the marks at its end, and without the colon or dash before them; unchanged if that is
    not all.
    """
    rest = text.rstrip(_MARKS + " ")
    if rest[-1:] in ":,;|–—→" and (rest[-2:-1].isalnum() or rest[-2:-1] in (" ", ")")):
        rest = rest[:-1].rstrip()
    whole = (rest[-1:].isalnum() or rest[-1:] in ".!?…)”’»") and not rest[-4:].lower().endswith(_LAST_WORDS)
    whole = whole and not _has_marks(rest[-10:])  # "@a vs @b" is a list
    return rest if whole else text


def _without_stumps(text: str) -> str:
    if "](" in text:
        text = _MARKDOWN.sub(_both, text)
    pieces, rest = [], 0
    for start, end in _windows(text):
        pieces += text[rest:start], _apply_rules(text[start:end])
        rest = end
    return "".join(pieces) + text[rest:]


def _windows(text: str) -> list[tuple[int, int]]:
    """Return the starts and ends of the surroundings of suspects: at blanks, so that each holds whole words."""
    windows = []
    for match in _SUSPECT.finditer(text):
        start = max(0, text.rfind(" ", 0, max(0, match.start() - _WINDOW_BEFORE)))
        end = text.find(" ", match.start() + _WINDOW_AFTER)
        if windows and start <= windows[-1][1]:
            start = windows.pop()[0]
        windows.append((start, len(text) if end < 0 else end))
    return windows


def _apply_rules(text: str) -> str:
    for _ in range(_ROUNDS):
        before = text
        for needed, pattern, replacement in _RULES:
            if needed.search(text):
                text = pattern.sub(replacement, text)
        if not _SUSPECT.search(text):
            return text
        if text == before:
            break
    text = _AFTER_OPENING.sub(_kept, text)
    text = _BEFORE_WORD.sub(lambda match: match[1] + " ", text)
    return _BEFORE_PUNCTUATION.sub("", text)
