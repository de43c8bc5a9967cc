"""Excerpts of long texts: the beginning, or the surroundings of a marked place."""

WIDTH = 400  # characters
BEFORE = 80  # of them before the marked place


def excerpt(text: str, place: tuple[int, int] | None = None, width: int = WIDTH) -> dict:
    """Return {"text": at most `width` characters of a text, "cut_before", "cut_after": how many more there are}.

    With `place` (first character, after the last), the excerpt begins shortly before it where the beginning of the text
    doesn't have it, and "copied" is where it is in the excerpt, cut at its end; without a place, "copied" is None.
    """
    first, last = place or (0, 0)
    start = 0 if last <= width else min(max(0, first - BEFORE), len(text) - width)
    shown = text[start : start + width]
    copied = None if place is None else [first - start, min(last - start, len(shown))]
    return {
        "text": shown,
        "cut_before": start,
        "cut_after": len(text) - start - len(shown),
        "copied": copied,
    }
