"""A Mastodon instance, for Mastodon.py to run against."""

import html
import re
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from loopback import Answer, Request, Site, json_answer, number_of, page


def mastodon_site(statuses: list[dict], host: str = "mastodon.example") -> Site:
    """A Mastodon instance with the public ones of `statuses` (made by `status`; the list may change while it runs).

    GET /api/v1/timelines/tag/:tag and /api/v1/accounts/:id/statuses (limit, max_id, since_id, min_id, and for accounts
    exclude_replies, exclude_reblogs), /api/v1/accounts/lookup, /api/v1/instance and /api/v2/instance; anything else,
    and an account that wrote nothing, is "Record not found".
    """

    def timeline(request: Request, chosen: list[dict], next_if_full: bool = False) -> Answer:
        query, by_id = request.query, {int(one["id"]): one for one in chosen if one["visibility"] == "public"}
        limit = min(int(query.get("limit", 20)), 40)
        above = max(int(query.get("min_id", 0)), int(query.get("since_id", 0)))
        ids = [number for number in by_id if number > above]
        if "min_id" in query:  # the page just above it; since_id gives the newest page instead
            ids = sorted(ids)[:limit]
        ids = page(ids, limit, int(query["max_id"]) if "max_id" in query else float("inf"))
        reset = datetime.now(UTC) + timedelta(minutes=5)
        headers = {"X-RateLimit-Limit": "300", "X-RateLimit-Remaining": "299", "X-RateLimit-Reset": _iso(reset)}
        edges = {"next": ("max_id", ids[-1]), "prev": ("min_id", ids[0])} if ids else {}
        if next_if_full and len(ids) < limit:
            edges.pop("next", None)
        kept = {name: value for name, value in query.items() if name not in ("max_id", "min_id", "since_id")}
        links = [
            f'<{request.origin}{request.path}?{urlencode({**kept, name: value})}>; rel="{rel}"'
            for rel, (name, value) in edges.items()
        ]
        return json_answer(
            [by_id[number] for number in ids], headers=headers | ({"Link": ", ".join(links)} if links else {})
        )

    def answer(request: Request) -> Answer:
        match request.path.strip("/").split("/"):
            case ["api", "v1" | "v2", "instance"]:
                return json_answer(
                    {"uri": host, "domain": host, "title": host, "version": "4.3.2", "api_versions": {"mastodon": 2}}
                )
            case ["api", "v1", "timelines", "tag", tag]:
                return timeline(request, [one for one in statuses if tag.lower() in [t["name"] for t in one["tags"]]])
            case ["api", "v1", "accounts", "lookup"]:
                name = request.query.get("acct", "").lower().removesuffix(f"@{host}")
                for one in statuses:
                    if one["account"]["acct"].lower() == name:
                        return json_answer(one["account"])
            case ["api", "v1", "accounts", number, "statuses"]:
                theirs = [one for one in statuses if one["account"]["id"] == number]
                chosen = theirs
                if request.query.get("exclude_replies") in ("1", "true"):  # an answer to oneself is no reply there
                    chosen = [one for one in chosen if one["in_reply_to_account_id"] in (None, number)]
                if request.query.get("exclude_reblogs") in ("1", "true"):
                    chosen = [one for one in chosen if one["reblog"] is None]
                if theirs:
                    return timeline(request, chosen, next_if_full=True)
        return json_answer({"error": "Record not found"}, 404)

    return Site((host,), answer, pages="/timelines/tag/|/statuses$")


def status(
    created: datetime,
    text: str,
    account: str = "ana",
    *,
    language: str | None = "fr",
    warning: str = "",
    visibility: str = "public",
    reply_to: dict | None = None,
    reblog: dict | None = None,
    host: str = "mastodon.example",
) -> dict:
    """A full status as the API gives it. The id comes from `created`, so two statuses need different milliseconds.

    `text` is plain: its lines, #tags and @mentions become the HTML and the lists that an instance makes of them.
    `account` is a name on `host`, or name@elsewhere. `reply_to` and `reblog` are other statuses.
    """
    number = str(round(created.timestamp() * 1000) << 16)
    escaped = html.escape(text, quote=False)
    content = re.sub(
        r"#(\w+)", rf'<a href="https://{host}/tags/\1" class="mention hashtag">#<span>\1</span></a>', escaped
    )
    content = re.sub(
        r"(?<!/)@(\w+)", rf'<a href="https://{host}/@\1" class="u-url mention">@<span>\1</span></a>', content
    )
    paragraphs = "".join(f"<p>{part}</p>" for part in content.split("\n\n")).replace("\n", "<br />")
    return {
        "id": number,
        "created_at": _iso(created),
        "in_reply_to_id": reply_to and reply_to["id"],
        "in_reply_to_account_id": reply_to and reply_to["account"]["id"],
        "sensitive": bool(warning),
        "spoiler_text": warning,
        "visibility": visibility,
        "language": language,
        "uri": f"https://{host}/users/{account}/statuses/{number}",
        "url": f"https://{host}/@{account}/{number}",
        **dict.fromkeys(("replies_count", "reblogs_count", "favourites_count"), 0),
        **dict.fromkeys(("edited_at", "card", "poll")),
        "content": "" if reblog else paragraphs,
        "reblog": reblog,
        "account": {
            "id": number_of(account),
            "username": account.split("@")[0],
            "acct": account,
            "display_name": account.title(),
            "locked": False,
            "bot": False,
            "created_at": "2022-11-01T00:00:00.000Z",
            "note": "",
            "url": f"https://{host}/@{account}",
            "fields": [],
            "emojis": [],
        },
        "media_attachments": [],
        "mentions": [
            {"id": number_of(n), "username": n, "acct": n, "url": f"https://{host}/@{n}"}
            for n in re.findall(r"@(\w+)", text)
        ],
        "tags": [{"name": n.lower(), "url": f"https://{host}/tags/{n}"} for n in re.findall(r"#(\w+)", text)],
        "emojis": [],
    }


def mastodon_limit(seconds: float | None) -> Answer:
    """429 until `seconds` from now, or without saying until when."""
    headers = {} if seconds is None else {"X-RateLimit-Limit": "300", "X-RateLimit-Remaining": "0"}
    if seconds is not None:
        headers["X-RateLimit-Reset"] = _iso(datetime.now(UTC) + timedelta(seconds=seconds))
    return json_answer({"error": "Too many requests"}, 429, headers)


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
