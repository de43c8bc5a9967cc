"""Turn posts in Mastodon's own forms, API statuses and the outbox.json of an account's export, into plain columns."""

import json
import re
from collections.abc import Mapping

from utils.reading.json_records import as_text
from utils.text.html import html_to_text

COLUMNS = ("text", "content_warning", "id", "date", "language",
           "in_reply_to_id", "reblogged_id", "conversation", "user", "visibility")  # fmt: skip
STATUS = {"id", "created_at", "account", "content", "spoiler_text", "visibility"}
ACTIVITY = {"id", "type", "actor", "published", "to", "object"}
PUBLIC = {"https://www.w3.org/ns/activitystreams#Public", "as:Public", "Public"}
DELETED = "deleted"  # in place of the unknown id of a post that was answered or boosted


def has_mastodon_columns(columns: Mapping[str, list]) -> bool:
    """Return whether the columns, by their names, are those of API statuses, or of the activities of an outbox."""
    return columns.keys() >= STATUS or columns.keys() >= ACTIVITY


def mastodon_columns(columns: Mapping[str, list[str | None]]) -> dict[str, list[str | None]]:
    """Return `COLUMNS` of the posts in `columns`, row by row.

    The text of a boost is that of the boosted post if the file has it, else "". Visibility is what the API says
    ("unknown" if it says nothing), or what an activity's addressees imply: public, unlisted, private (followers) or
    direct. A post that replies to or boosts another shares its conversation, as do those that name the same one.
    """
    post_of = _of_status if columns.keys() >= STATUS else _of_activity
    posts = [post_of(dict(zip(columns, cells, strict=True))) for cells in zip(*columns.values(), strict=True)]
    texts = {post["id"]: post["text"] for post in posts if post["reblogged_id"] is None}
    for post, conversation in zip(posts, _conversations(posts), strict=True):
        post["conversation"] = conversation
        if post["reblogged_id"] is not None:
            post["text"] = post["text"] or texts.get(post["reblogged_id"], "")
    return {name: [post[name] for post in posts] for name in COLUMNS}


def _of_status(row: dict[str, str | None]) -> dict[str, str | None]:
    """Return the post of an API status: docs.joinmastodon.org/entities/Status."""
    boosted = _fields(row.get("reblog"))
    shown = boosted or row
    return {
        "text": _text(shown.get("content"), [emoji.get("shortcode") for emoji in _objects(shown.get("emojis"))]),
        "content_warning": as_text(shown.get("spoiler_text")) or None,
        "id": row["id"],
        "date": row["created_at"],
        "language": as_text(shown.get("language")) or None,
        "in_reply_to_id": row.get("in_reply_to_id") or (row.get("in_reply_to_account_id") and DELETED),
        "reblogged_id": (as_text(boosted.get("id")) or DELETED) if boosted else None,
        "conversation": None,
        "user": as_text(_fields(row["account"]).get("acct")),
        "visibility": row["visibility"] or "unknown",
    }


def _of_activity(row: dict[str, str | None]) -> dict[str, str | None]:
    """Return the post of an activity, whose object is a post or a URL: docs.joinmastodon.org/spec/activitypub."""
    note = _fields(row["object"])
    boost = row["type"] == "Announce"
    by_language = _fields(note.get("contentMap"))
    content = note.get("content") or next(iter(by_language.values()), None)
    emojis = [tag.get("name") for tag in _objects(note.get("tag")) if tag.get("type") == "Emoji"]
    addressed = note if "to" in note or "cc" in note else row
    return {
        "text": _text(content, emojis),
        "content_warning": as_text(note.get("summary")) or None,
        "id": row["id"] if boost else as_text(note.get("id")) or row["id"],
        "date": row["published"],
        "language": next((language for language, text in by_language.items() if text == content), None),
        "in_reply_to_id": None if boost else as_text(note.get("inReplyTo")) or None,
        "reblogged_id": (as_text(note.get("id")) or row["object"] or DELETED) if boost else None,
        "conversation": as_text(note.get("conversation") or note.get("context")),
        "user": row["actor"] and row["actor"].rstrip("/").rpartition("/")[2].removeprefix("@"),
        "visibility": _visibility(_listed(addressed.get("to")), _listed(addressed.get("cc"))),
    }


def _visibility(to: list, cc: list) -> str:
    if any(str(name) in PUBLIC for name in to):
        return "public"
    if any(str(name) in PUBLIC for name in cc):
        return "unlisted"
    return "private" if any(str(name).endswith("/followers") for name in to + cc) else "direct"


def _conversations(posts: list[dict]) -> list[str | None]:
    """Return the key of each post's thread, from its root: a conversation, a post that the file lacks, or itself."""
    ids = {post["id"] for post in posts}
    parents, roots = {}, []
    for post in posts:
        target = post["in_reply_to_id"] or post["reblogged_id"]
        target = None if target == DELETED else target
        roots.append(target if target in ids else post["conversation"] or target or post["id"])
        if post["id"] is not None:
            parents[post["id"]] = roots[-1]
    return [_root(name, parents) for name in roots]


def _root(name: str | None, parents: dict[str, str]) -> str | None:
    """Return the last ancestor of `name`, even if posts reply in a circle; shortens the path to it for later calls."""
    path = []
    while name in parents:
        path.append(name)
        name = parents.pop(name)
    parents.update(dict.fromkeys(path, name))
    return name


def _parsed(value):
    """Parse a cell of JSON text; return any other value unchanged."""
    try:
        return json.loads(value) if isinstance(value, str) and value.startswith(("{", "[")) else value
    except (ValueError, RecursionError):
        return value


def _fields(value) -> dict:
    value = _parsed(value)
    return value if isinstance(value, dict) else {}


def _listed(value) -> list:
    value = _parsed(value)  # JSON-LD allows a single value instead of a list of one
    return value if isinstance(value, list) else [value]


def _objects(value) -> list[dict]:
    return [item for item in _listed(value) if isinstance(item, dict)]


def _text(html, emojis: list) -> str:
    """Return `html` as text, without the custom emoji, whose names come as "name" or ":name:"."""
    text = html_to_text(as_text(html) or "")
    if emojis and ":" in text:
        emoji = f"(?::(?:{'|'.join(re.escape(str(name).strip(':')) for name in emojis)}):)+"
        text = re.sub(f"(?:^|(?<= )){emoji} | ?{emoji}", "", text, flags=re.MULTILINE).strip(" \n")
    return text
