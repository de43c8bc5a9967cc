"""Which character sequences are emoji, and the fully-qualified form of each, from the `emoji` package's data."""

from functools import cache

# Selectors of emoji and of text presentation: with and without them it is the same emoji.
_SELECTORS = {0xFE0E: None, 0xFE0F: None}
_BLANKS = " \t\r\n\u00a0\u200b\u2060\ufeff"


def fully_qualified(text: str) -> str | None:
    """The fully-qualified form of the one emoji that the text is, or None where it is none.

    An emoji that the package does not know, since it is newer, stays as it is.
    """
    text = text.strip(_BLANKS)
    known = _forms().get(without_selectors(text))
    if known is not None:
        return known
    return text if _shape().fullmatch(text) else None


def without_selectors(text: str) -> str:
    """The text without variation selectors 15 and 16."""
    return text.translate(_SELECTORS)


def is_known(emoji: str) -> bool:
    """Whether the package has the emoji."""
    return without_selectors(emoji) in _forms()


def is_component(emoji: str) -> bool:
    """Whether it is a skin tone or a hair that is meant to be part of another emoji."""
    import emoji as package

    return package.EMOJI_DATA.get(emoji, {}).get("status") == package.STATUS["component"]


@cache
def _forms() -> dict[str, str]:
    """Sequence without selectors → fully-qualified sequence; components stand for themselves."""
    import emoji

    complete = (emoji.STATUS["fully_qualified"], emoji.STATUS["component"])
    return {without_selectors(text): text for text, data in emoji.EMOJI_DATA.items() if data["status"] in complete}


@cache
def _shape():
    """The form of an emoji sequence (UTS #51, "possible emoji"), of emoji and of code points reserved for them."""
    import regex

    pictograph = r"(?:[\p{Emoji}&&\p{Extended_Pictographic}]|[\p{Extended_Pictographic}&&\p{Cn}])"
    element = rf"{pictograph}(?:\p{{Emoji_Modifier}}|\uFE0F\u20E3?|[\U000E0020-\U000E007E]+\U000E007F)?"
    element = rf"(?:\p{{Regional_Indicator}}{{2}}|{element})"
    return regex.compile(rf"{element}(?:\u200D{element})*", regex.VERSION1)
