"""Remove noise from texts, by settings for each kind of noise, and count the texts that had some of it.

`clean` never destroys what people wrote: accents, œ, ligatures, apostrophes, quotation marks of every language,
currency signs and the letters and marks of every alphabet survive. It is idempotent for every text and setting,
joins no two words, and its result can always be encoded as UTF-8.

The steps are in `characters.py`, `html.py` and `tweet_entities.py`. Each first makes a test that costs next to nothing
on a text that does not need it, and its expressions start with a plain class of characters, so that `re` can skip
quickly.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import cache
from typing import Literal, get_args

from utils.text import characters, html, tweet_entities
from utils.text.characters import collapse_blanks


@dataclass(frozen=True)
class Cleaning:
    """How to treat each kind of noise; stored with the model as a plain dict."""

    mojibake: Literal["repair", "keep"] = "repair"
    html: Literal["to_text", "unescape", "keep"] = "to_text"
    urls: Literal["remove", "keep"] = "remove"
    mentions: Literal["remove", "placeholder", "keep"] = "remove"
    emoji: Literal["remove", "keep"] = "remove"
    hashtags: Literal["keep", "unhash", "remove"] = "keep"
    retweet_prefix: Literal["remove", "keep"] = "remove"
    special_characters: Literal["remove", "keep"] = "remove"
    case: Literal["keep", "lower"] = "keep"


CHOICES: dict[str, tuple[str, ...]] = {field.name: get_args(field.type) for field in fields(Cleaning)}
Step = Callable[[str], str]


def clean(text: str, cleaning: Cleaning) -> str:
    """Return the cleaned text; "" if nothing of it is left."""
    return _clean(text, _steps(cleaning))[0]


def clean_all(texts: Sequence[str], cleaning: Cleaning) -> tuple[list[str], dict[str, int]]:
    """Return the cleaned texts, and for every kind of noise that is removed, how many texts had some of it."""
    steps = _steps(cleaning)
    cleaned = []
    counts = dict.fromkeys(steps, 0)
    for text in texts:
        text, kinds = _clean(text, steps)
        cleaned.append(text)
        for kind in kinds:
            counts[kind] += 1
    return cleaned, counts


def _clean(text: str, steps: dict[str, Step]) -> tuple[str, set[str]]:
    """Repeat the steps until they change nothing, which makes cleaning idempotent; also return the kinds of noise.

    What one step removes can complete a piece of noise for another ("ht\u00adtp://", "&am&#112;"). The loop ends,
    because every change is final: an entity or a broken character becomes fewer characters, a capital letter becomes
    small, and all other noise becomes a blank or nothing.
    """
    kinds = set()
    while True:
        before = text
        for kind, step in steps.items():
            if (after := step(text)) != text:
                kinds.add(kind)
                text = after
        if text is before or (text := collapse_blanks(text)) == before:
            return text, kinds


@cache
def _steps(cleaning: Cleaning) -> dict[str, Step]:
    """Return the steps by kind of noise, in their order."""
    steps: dict[str, Step] = {"surrogates": characters.join_surrogates}
    if cleaning.html != "keep":
        steps["html"] = _html_to_text if cleaning.html == "to_text" else characters.unescape_html
    if cleaning.mojibake == "repair":
        steps["mojibake"] = characters.repair_mojibake
    steps["blanks"] = collapse_blanks  # after mojibake: half of a broken "à" is a no-break space
    if cleaning.retweet_prefix == "remove":
        steps["retweet_prefix"] = tweet_entities.remove_retweet_prefix
    if cleaning.urls == "remove":
        steps["urls"] = tweet_entities.remove_urls
    if cleaning.mentions != "keep":
        removes = cleaning.mentions == "remove"
        steps["mentions"] = tweet_entities.remove_mentions if removes else tweet_entities.replace_mentions
    if cleaning.hashtags != "keep":
        steps["hashtags"] = tweet_entities.unhash if cleaning.hashtags == "unhash" else tweet_entities.remove_hashtags
    if cleaning.urls == "keep":  # "https://server/@user#top" is neither a mention nor a hashtag
        for kind in steps.keys() & {"mentions", "hashtags"}:
            steps[kind] = _outside(tweet_entities.any_url, steps[kind])
    if cleaning.emoji == "remove":
        steps["emoji"] = characters.remove_emoji
    if cleaning.special_characters == "remove":  # the parts of kept emoji are special characters on their own
        steps["special_characters"] = characters.remove_special_characters
        if cleaning.emoji == "keep":
            steps["special_characters"] = _outside(characters.emoji_sequences, characters.remove_special_characters)
    if cleaning.case == "lower":
        steps["case"] = str.lower
    return steps


def _html_to_text(text: str) -> str:
    return html.remove_tags(characters.unescape_html(text)) if "&" in text or "<" in text else text


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
