"""The long tweets of an X archive, whose whole texts are in a file of their own, data/note-tweet.js.

In tweets.js such a tweet is cut at 280 characters or before. A note has its own id, so it belongs to the tweet that
begins like it and was written at the same time.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime

from utils.text.text_versions import beginning, comparable

KEY_LENGTH = 40  # characters by which tweets are looked up; a note is longer than 280
SAME_MINUTE = 60
CUT_LENGTH = 200  # a beginning this long is enough if the tweet was edited or published later
SAME_DAY = 24 * 60 * 60
TWEET_TIME = "%a %b %d %H:%M:%S %z %Y"


def texts_of_notes(notes: Iterable[dict], texts: Sequence[str | None], times: Sequence[str | None]) -> list[str | None]:
    """Return the whole text of every tweet that a note continues, None of the others.

    `texts` and `times` are the tweets' full_text and created_at.
    """
    rows_by_start = defaultdict(list)
    for row, text in enumerate(texts):
        start = beginning(text or "")
        rows_by_start[start[:KEY_LENGTH]].append((row, start))
    whole, distance_of = [None] * len(texts), {}
    for note in notes:
        core = note.get("core")
        text = core.get("text") if isinstance(core, dict) else None
        if not isinstance(text, str):
            continue
        compared = comparable(text)
        found = []
        for row, start in rows_by_start[compared[:KEY_LENGTH]]:
            distance = _seconds_between(note.get("createdAt"), times[row])
            if compared.startswith(start) and distance <= (SAME_DAY if len(start) >= CUT_LENGTH else SAME_MINUTE):
                found.append((distance, row))
        distance, row = min(found, default=(None, None))
        if row is not None and distance <= distance_of.get(row, distance):
            whole[row], distance_of[row] = text, distance
    return whole


def _seconds_between(note_time: str | None, tweet_time: str | None) -> float:
    """Return the time between a note and a tweet; half a minute if one of them is not known."""
    try:
        made = datetime.fromisoformat(note_time)
        return abs((made - datetime.strptime(tweet_time, TWEET_TIME)).total_seconds())
    except (TypeError, ValueError):
        return SAME_MINUTE / 2
