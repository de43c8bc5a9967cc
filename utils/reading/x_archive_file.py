"""Read one .js file of an X (Twitter) archive, which assigns one JSON list: `window.YTD.tweets.part0 = [ … ]`."""

import codecs
import json
import re
from collections.abc import Iterator

from utils.errors import DataError
from utils.reading.json_records import DECODER

ASSIGNMENT = re.compile(r"\s*(?:window\.YTD\.(\w+)\.part\d+\s*=\s*)?\[")
BLANKS = re.compile(r"\s*")
PIECE = 1 << 20
END = object()
ASSIGNED = {"tweet": (None, "tweet", "tweets"), "noteTweet": (None, "note_tweet", "note_tweets")}
EXPECTED = {
    "tweet": 'window.YTD.tweets.part0 = [{"tweet": {"full_text": "…"}}, …]',
    "noteTweet": 'window.YTD.note_tweet.part0 = [{"noteTweet": {"core": {"text": "…"}}}, …]',
}
CUT_OFF = "the file is cut off or was changed; unpack or download the archive again"


def objects_of(text: bytes, name: str, key: str = "tweet") -> Iterator[dict]:
    """Yield every tweet, or note, of the file whose UTF-8 bytes are `text`; `name` is for errors.

    An element of the list is {"tweet": {…}} ({"noteTweet": {…}}) or, in older archives, the tweet itself. Plain JSON
    lists are accepted. Raises DataError with line and column for invalid JSON.
    """
    for number, element in enumerate(_elements(text, name, key), 1):
        inside = element.get(key, element) if isinstance(element, dict) else None
        if not isinstance(inside, dict):
            raise DataError(f"{name}: element {number} of the list is not a tweet", f"expected {EXPECTED[key]}")
        yield inside


def _elements(text: bytes, name: str, key: str) -> Iterator:
    """Yield the elements of the list in a tweets file.

    The text is decoded piece by piece and the objects are dropped as they are used: a single emoji makes Python store
    four bytes for every character, and the objects of a whole file take several times that.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    decoded, piece, passed, first = PIECE, decoder.decode(text[:PIECE]), 0, True
    start = ASSIGNMENT.match(piece)
    if start is None or start[1] not in ASSIGNED[key]:
        problem = f"starts with {piece[:40]!r}" if piece.strip() else "is empty"
        raise DataError(f"{name} {problem}; expected {EXPECTED[key]}", "name the tweets.js of an archive that X made")
    position = start.end()
    while True:
        try:
            element, position = _next(piece, position, first)
        except json.JSONDecodeError as error:
            if decoded >= len(text):
                raise _invalid(name, error.msg, text.decode(), passed + error.pos) from error
            # Twice as much as last time, so that a very long element is not parsed again and again.
            more = max(PIECE, 2 * (len(piece) - position))
            piece, passed = piece[position:] + decoder.decode(text[decoded : decoded + more]), passed + position
            decoded, position = decoded + more, 0
            continue
        except ValueError as error:
            raise DataError(f"{name}: a number of too many digits", CUT_OFF) from error
        if element is END:
            break
        yield element
        first = False
    if (piece[position:] + decoder.decode(text[decoded:])).strip() not in ("", ";"):
        raise _invalid(name, "something follows the list", text.decode(), passed + position)


def _next(piece: str, position: int, first: bool) -> tuple:
    """Return the list's next element, or END, and the position after it; JSONDecodeError also if the piece ends."""
    position = BLANKS.match(piece, position).end()
    if piece.startswith("]", position):
        return END, position + 1
    if not first:
        if not piece.startswith(",", position):
            raise json.JSONDecodeError("Expecting ',' delimiter", piece, position)
        position = BLANKS.match(piece, position + 1).end()
    return DECODER.raw_decode(piece, position)


def _invalid(name: str, message: str, text: str, position: int) -> DataError:
    error = json.JSONDecodeError(message, text, position)
    return DataError(f"{name}, line {error.lineno}, column {error.colno}: invalid JSON, {message}", CUT_OFF)
