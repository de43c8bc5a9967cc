"""Remove noise from texts, by settings for each kind of noise, and count the texts that had some of it.

`clean` never destroys what people wrote: accents, œ, ligatures, apostrophes, quotation marks of every language,
currency signs and the letters and marks of every alphabet survive. It is idempotent for every text and setting,
joins no two words, and its result can always be encoded as UTF-8.

The steps are in `characters.py`, `html.py`, `links.py`, `tweet_entities.py` and `stumps.py`. Each first makes a test
that costs next to nothing on a text that does not need it, and its expressions start with a plain class of characters,
so that `re` can skip quickly.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import cache
from typing import Literal, get_args

from utils.text import characters, first_rules, html, links, stumps, tweet_entities
from utils.text.characters import collapse_blanks


@dataclass(frozen=True)
class Cleaning:
    """The treatment of each kind of noise; stored with the model as a plain dict."""

    mojibake: Literal["repair", "keep"] = "repair"
    html: Literal["to_text", "unescape", "keep"] = "to_text"
    urls: Literal["remove", "keep"] = "remove"
    mentions: Literal["remove", "placeholder", "keep"] = "remove"
    emoji: Literal["remove", "keep"] = "remove"
    hashtags: Literal["keep", "unhash", "remove"] = "keep"
    retweet_prefix: Literal["remove", "keep"] = "remove"
    special_characters: Literal["remove", "keep"] = "remove"
    case: Literal["keep", "lower"] = "keep"
    rules: int = 2  # 1: retweet prefixes, links and mentions as X alone writes them, and stumps stay (`first_rules`)


CHOICES: dict[str, tuple[str, ...]] = {
    field.name: get_args(field.type) for field in fields(Cleaning) if field.type is not int
}
Step = Callable[[str], str]


def from_saved(settings: dict) -> Cleaning:
    """Return the cleaning that a model or a pickle was made with; older ones don't name their rules."""
    return Cleaning(**{"rules": 1, **settings})


def clean(text: str, cleaning: Cleaning) -> str:
    """Return the cleaned text; "" if nothing of it is left."""
    return _clean(text, _steps(cleaning))[0]


def clean_all(texts: Sequence[str], cleaning: Cleaning) -> tuple[list[str], dict[str, int]]:
    """Return the cleaned texts, and for every kind of noise that is removed, how many texts had some of it."""
    steps = _steps(cleaning)
    cleaned = []
    counts = {kind: 0 for kind, _ in steps.for_all if kind != "stumps"}
    for text in texts:
        text, kinds = _clean(text, steps)
        cleaned.append(text)
        for kind in kinds:
            counts[kind] += 1
    return cleaned, counts


def _clean(text: str, steps: "_Steps") -> tuple[str, set[str]]:
    """Repeat the steps until they change nothing, which makes cleaning idempotent; also return the kinds of noise.

    What one step removes can complete a piece of noise for another ("ht\u00adtp://", "&am&#112;"). The loop ends,
    because every change is final: an entity or a broken character becomes fewer characters, a capital letter becomes
    small, and all other noise becomes a blank or nothing.
    """
    kinds = set()
    while True:
        before = text
        letters = _LETTERS.fullmatch(text)
        only_words = letters and steps.leave_words and _are_words(text, steps.tags)
        for kind, step in steps.for_words if only_words else steps.for_letters if letters else steps.for_all:
            if (after := step(text)) is not text and after != text:
                kinds.add(kind)
                text = after
        if only_words or text is before:
            break
        text = _collapse_spaces_and_line_ends(text) if letters else collapse_blanks(text)
        if text == before or (letters and steps.leave_words and text.isascii() and _are_words(text, steps.tags)):
            break
    kinds.discard("stumps")  # always of links, mentions or hashtags
    return text, kinds


# Letters, digits and punctuation without entities, of which nothing may be a broken character: accented letters and
# quotation marks stand only before ASCII characters (see `characters._MOJIBAKE`).
_LETTERS = re.compile(
    r"(?:[ -%'-~\n’‘…€«»°]++|&(?![#A-Za-z])|"
    r"[ÀÁÄÆ-ÍÏÑ-ÖØÚ-áä-öø-ÿœ“”–—](?=[ -~\n]|\Z)|[ÂÃâã](?=[A-Za-z.,!;:'\"]))*+"
)
_OF_OTHER_CHARACTERS = ("surrogates", "mojibake", "emoji", "special_characters")


def _are_words(text: str, tags: bool) -> bool:
    """Return whether `_LETTERS` have nothing that starts a tag, a link, a mention or, with `tags`, a hashtag."""
    return not (
        "@" in text or "/" in text or "<" in text or "ww." in text or "WW." in text or (tags and "#" in text)
    ) and (
        text.isascii() or ("ttp" not in text and "TTP" not in text)  # "https…"
    )


@dataclass(frozen=True)
class _Steps:
    """The steps in their order, with the kind of noise of each. Most texts need few, and the others cost time."""

    for_all: tuple[tuple[str, Step], ...]
    for_letters: tuple[tuple[str, Step], ...]  # for texts that match _LETTERS
    for_words: tuple[tuple[str, Step], ...]  # and that are words
    leave_words: bool  # whether words need no others
    tags: bool  # whether hashtags are changed


@cache
def _steps(cleaning: Cleaning) -> _Steps:
    links_of, names_of = (links, tweet_entities) if cleaning.rules > 1 else (first_rules, first_rules)
    steps: dict[str, Step] = {"surrogates": characters.join_surrogates}
    if cleaning.html != "keep":
        steps["html"] = _html_to_text if cleaning.html == "to_text" else characters.unescape_html
    if cleaning.mojibake == "repair":
        steps["mojibake"] = characters.repair_mojibake
    steps["blanks"] = collapse_blanks  # after mojibake: half of a broken "à" is a no-break space
    if cleaning.retweet_prefix == "remove":
        steps["retweet_prefix"] = names_of.remove_retweet_prefix
    if cleaning.urls == "remove":
        steps["urls"] = links_of.remove_urls
    if cleaning.mentions != "keep":
        removes = cleaning.mentions == "remove"
        steps["mentions"] = names_of.remove_mentions if removes else names_of.replace_mentions
    if cleaning.hashtags != "keep":
        steps["hashtags"] = tweet_entities.unhash if cleaning.hashtags == "unhash" else tweet_entities.remove_hashtags
    if cleaning.urls == "keep":  # "https://server/@user#top" is neither a mention nor a hashtag
        for kind in steps.keys() & {"mentions", "hashtags"}:
            steps[kind] = _outside(links_of.any_url, steps[kind])
    if cleaning.rules > 1:
        steps["stumps"] = stumps.remove_stumps
    if cleaning.emoji == "remove":
        steps["emoji"] = characters.remove_emoji
    if cleaning.special_characters == "remove":  # the parts of kept emoji are special characters on their own
        steps["special_characters"] = characters.remove_special_characters
        if cleaning.emoji == "keep":
            steps["special_characters"] = _outside(characters.emoji_sequences, characters.remove_special_characters)
    if cleaning.case == "lower":
        steps["case"] = str.lower
    for_letters = {kind: step for kind, step in steps.items() if kind not in _OF_OTHER_CHARACTERS}
    for_letters["blanks"] = _collapse_spaces_and_line_ends
    return _Steps(
        for_all=tuple(steps.items()),
        for_letters=tuple(for_letters.items()),
        for_words=(("blanks", _collapse_spaces_and_line_ends),),
        leave_words="case" not in steps,
        tags="hashtags" in steps,
    )


def _html_to_text(text: str) -> str:
    return html.remove_tags(characters.unescape_html(text)) if "&" in text or "<" in text else text


def _collapse_spaces_and_line_ends(text: str) -> str:
    """The same as `collapse_blanks`, for texts that have no other white space."""
    return text if "  " not in text and "\n" not in text and text.strip() == text else " ".join(text.split())


def _outside(kept: Callable[[], re.Pattern], step: Step) -> Step:
    """Return a step that applies `step` only to the pieces of a text between the matches of `kept`."""

    def outside(text: str) -> str:
        if step(text) == text:
            return text
        pieces = []
        end = 0
        for match in kept().finditer(text):
            pieces += step(text[end : match.start()]), match[0]
            end = match.end()
        return "".join(pieces) + step(text[end:])

    return outside
