"""The meaning of columns of a table of posts, by the words in their names: a reply, a repost, a warning, a language.

Names differ by tool (in_reply_to_status_id, inReplyToTweetId, Parent DID, reply.parent.uri, isReply), and similar ones
mean something else (reply_count, reply_settings, response_tweet_id). So a name counts by its words, however they are
joined, and `post_marks.py` looks at the cells before it trusts the name.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from utils.reading.nested import nested_cells

if TYPE_CHECKING:
    import pandas

WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
# Words for a post, which mean nothing in front of another word, as in tweet_lang or post.record.reply.
CONTAINERS = {
    *("tweet", "tweets", "post", "posts", "status", "toot", "message", "msg", "comment"),
    *("record", "value", "legacy", "data", "result", "snippet", "node"),
}
# Inside these is another post, or none; and what counts or allows replies is none.
OTHERS = re.compile("quot|user|author|account|profile|channel|embed|entit|extended|media|replies|comments|place|card")
NO_MARKS = {"count", "counts", "number", "num", "total", "settings", "policy", "allowed", "enabled"}
_POST = "tweet|status|post|comment|message|msg|note|toot|peer|story"
_WHO = "user|account|author|screen|sn|name|handle|channel|chat|from|display"
_ID = "ids|id|str|uris|uri|did|cid|uuid|uid|sid"
_WHAT = f"(?:{_POST}|{_WHO}|{_ID}|url|link|result)"
_REPOSTED = "(?:retweeted|reposted|reblogged|boosted|forwarded)"
_REPOST = "(?:retweet|repost|reblog|boost|forward|fwd|rt)"
NAMES = {
    meaning: re.compile(pattern)
    for meaning, pattern in {
        "is reply": rf"is(?:a|an|{_POST})?reply(?:{_POST}|to{_WHAT}*)?",
        "reply": "reply",
        "reply to": rf"(?:in)?(?:repl(?:y|ied|ying|ies)|respon(?:se|ding))to(?:reply)?{_WHAT}*"
        r"|reply(?:id|uri|parent\w*)",
        "parent": rf"parent(?:{_POST}|{_WHO}|{_ID}|url|reply)*",
        "references": "referencedtweets?",
        "reference": "reference",  # Discord's: messageId, channelId
        "type": "type|kind|entrytype|threadentrytype|verb",
        "is repost": rf"is(?:a|an)?(?:{_REPOST}|forwarded)(?:{_POST})?",
        "repost": _REPOST,
        "reposted": _REPOSTED,
        "original": rf"{_REPOSTED}(?:from|of|root)?{_WHAT}+|{_REPOST}(?:from|of){_WHAT}*"
        rf"|{_REPOST}(?:{_POST}|{_WHO}|{_ID})+|userrt(?:id)?",
        "renote": "renote(?:id)?",
        "reason": "reason",
        "language": "(?:text|content|detected|primary|main|iso)?lang(?:uage)?s?(?:code)?s?",
        "warning": "(?:has)?contentwarnings?(?:text)?|cw|spoilertext",
        "visibility": "visibility|privacy|audience",
        "private": "(?:is)?private",
        # Their own cells do not matter: they identify the columns beside them.
        "count": "likes?|favou?rites?|views?|quotes?|shares?",
        "own mark": "favou?rited|liked|bookmarked",
        "cut": "(?:is)?truncated",
    }.items()
}


@dataclass(frozen=True)
class PostColumn:
    """A column, or a path inside one, with the meaning of its name: one of `NAMES`."""

    path: str
    meaning: str
    cells: "pandas.Series"  # without blanks around them, "" for none


def post_columns(frame: "pandas.DataFrame", nested: Sequence[str]) -> list[PostColumn]:
    """Return the columns and nested paths whose names mean something of a post, in the order of the file.

    `nested` are the frame's nested paths.
    """
    import pandas

    found = []
    for column in frame.columns:
        if meant := meaning_of(column):
            found.append(PostColumn(column, meant[0], _stripped(frame[column])))
    names = {column.path for column in found}
    for path in nested:
        meant = meaning_of(path)
        if meant and meant[1] not in names and meant[1].partition(".")[0] not in names:
            names.add(meant[1])
            cells = pandas.Series(nested_cells(frame, meant[1]), index=frame.index, dtype="str")
            found.append(PostColumn(meant[1], meant[0], _stripped(cells)))
    return found


def meaning_of(path: str) -> tuple[str, str] | None:
    """Return the meaning of a column's name or a nested path, and the part of the path that has it, or None."""
    parts = path.split(".")
    referenced = False
    for number, part in enumerate(parts, 1):
        name, last = name_of(part), number == len(parts)
        meaning = next((meaning for meaning, pattern in NAMES.items() if pattern.fullmatch(name)), None)
        if meaning == "references" and not last:  # twarc's referenced_tweets.replied_to.id
            referenced = True
            continue
        if meaning == "reposted" and (referenced or not last):
            meaning = "original"
        if meaning in ("is reply", "is repost", "type", "language", "visibility", "private") and not last:
            return None
        if meaning:
            rest = {word.lower() for word in WORD.findall(".".join(parts[number:]))}
            return None if rest & NO_MARKS else (meaning, ".".join(parts[:number]).replace("[]", ""))
        if OTHERS.match(name) and not last and not (name == "media" and name_of(parts[-1]) == "isreply"):
            return None  # but Threads marks a post's media as replies
    return None


def name_of(part: str) -> str:
    """Return the words of a part of a path, joined, without words for a post in front: "lang" of "Tweet Lang"."""
    words = [word.lower() for word in WORD.findall(part)]
    while words and words[0] in CONTAINERS:
        words = words[1:]
    return "".join(words)


def _stripped(cells: "pandas.Series") -> "pandas.Series":
    return cells.fillna("").astype(str).str.strip()
