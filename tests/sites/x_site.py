"""X as it was while it answered guests, for snscrape to run against."""

import html
import json
import re
from datetime import UTC, date, datetime

from loopback import Answer, Request, Site, json_answer, number_of, page

GUEST_TOKEN = "1700000000000000000"
X_DATE = "%a %b %d %H:%M:%S %z %Y"


def x_site(tweets: list[dict], *, token_in_html: bool = True) -> Site:
    """X's search for guests over `tweets` (of `tweet`; the list may change while it runs), 20 a page, newest first.

    The guest token is in the HTML of every page of the site, or else only at api.twitter.com's activate.json. The
    query's words, from:, since:, until:, lang:, since_id: and max_id: hold; retweets are found too.
    """

    def search(request: Request) -> Answer:
        if request.headers.get("x-guest-token") != GUEST_TOKEN:
            return json_answer({"errors": [{"code": 239, "message": "Bad guest token"}]}, 403)
        variables = json.loads(request.query["variables"])
        cursor = variables.get("cursor")
        by_id = {int(one["rest_id"]): one for one in tweets if _found(one, variables["rawQuery"])}
        ids = page(by_id, 20, int(cursor.split("-")[1]) if cursor else float("inf"))
        bottom = f"DAADDAAB-{ids[-1]}" if ids else cursor or "DAADDAAB-0"
        cursors = [_cursor("top", "DAACCgAC"), _cursor("bottom", bottom)]
        entries = [_item(by_id[number]) for number in ids]
        instructions = [{"type": "TimelineAddEntries", "entries": entries if cursor else entries + cursors}]
        if cursor:  # later pages change the cursors of the first
            instructions += [
                {"type": "TimelineReplaceEntry", "entry_id_to_replace": one["entryId"], "entry": one} for one in cursors
            ]
        timeline = {"timeline": {"instructions": instructions}}
        return json_answer({"data": {"search_by_raw_query": {"search_timeline": timeline}}})

    def answer(request: Request) -> Answer:
        if request.path.endswith("/SearchTimeline"):
            return search(request)
        if request.path == "/1.1/guest/activate.json":
            return json_answer({"guest_token": GUEST_TOKEN})
        if request.path.startswith("/i/api/"):
            return Answer(404)
        cookie = f"gt={GUEST_TOKEN}; Max-Age=10800; Domain=.twitter.com; Path=/; Secure"
        script = f'document.cookie = decodeURIComponent("{cookie}");' if token_in_html else ""
        return Answer(body=f"<!DOCTYPE html><title>Twitter</title><script>{script}</script>")

    return Site(("twitter.com", "api.twitter.com"), answer, pages="/SearchTimeline$")


def _cursor(kind: str, value: str) -> dict:
    content = {"entryType": "TimelineTimelineCursor", "value": value, "cursorType": kind.title()}
    return {"entryId": f"cursor-{kind}-0", "sortIndex": "0", "content": content}


def _item(result: dict) -> dict:
    content = {"itemType": "TimelineTweet", "tweet_results": {"result": result}, "tweetDisplayType": "Tweet"}
    content = {"entryType": "TimelineTimelineItem", "itemContent": content}
    return {"entryId": f"tweet-{result['rest_id']}", "sortIndex": result["rest_id"], "content": content}


def _found(result: dict, query: str) -> bool:
    legacy, number = result["legacy"], int(result["rest_id"])
    name = result["core"]["user_results"]["result"]["legacy"]["screen_name"]
    day = datetime.strptime(legacy["created_at"], X_DATE).date()
    operators = {
        "from": lambda value: value.lower() == name.lower(),
        "since": lambda value: day >= date.fromisoformat(value),
        "until": lambda value: day < date.fromisoformat(value),
        "lang": lambda value: value == legacy["lang"],
        "since_id": lambda value: number > int(value),
        "max_id": lambda value: number <= int(value),
    }

    def holds(term: str) -> bool:
        operator, _, value = term.partition(":")
        if operator in operators:
            return operators[operator](value)
        return term.strip('"').lower() in legacy["full_text"].lower()

    return all(holds(term) for term in re.findall(r'"[^"]*"|\S+', query))


def tweet(
    created: datetime,
    text: str,
    user: str = "ana",
    *,
    lang: str = "fr",
    reply_to: dict | None = None,
    retweet: dict | None = None,
    quote: dict | None = None,
) -> dict:
    """A tweet's GraphQL result. The id comes from `created`, so two tweets need different milliseconds.

    `text` is plain; &, < and > are escaped in it, as X does. `reply_to`, `retweet` (whose text replaces `text`) and
    `quote` are other tweets.
    """
    number = str((round(created.timestamp() * 1000) - 1288834974657) << 22)
    full_text = html.escape(text, quote=False)
    if retweet:
        full_text = f"RT @{_author(retweet)}: {retweet['legacy']['full_text']}"
    legacy = {
        "id_str": number,
        "user_id_str": number_of(user),
        "created_at": created.astimezone(UTC).strftime(X_DATE),
        "full_text": full_text,
        "lang": lang,
        "conversation_id_str": reply_to["legacy"]["conversation_id_str"] if reply_to else number,
        "entities": {
            "hashtags": [{"text": found[1], "indices": found.span()} for found in re.finditer(r"#(\w+)", full_text)],
            "user_mentions": [
                {"id_str": number_of(found[1]), "screen_name": found[1], "name": found[1], "indices": found.span()}
                for found in re.finditer(r"@(\w+)", full_text)
            ],
            "symbols": [],
            "urls": [],
        },
        "is_quote_status": quote is not None,
        **dict.fromkeys(("reply_count", "retweet_count", "favorite_count", "quote_count", "bookmark_count"), 0),
    }
    if reply_to:
        legacy["in_reply_to_status_id_str"] = reply_to["rest_id"]
        legacy["in_reply_to_user_id_str"] = number_of(_author(reply_to))
        legacy["in_reply_to_screen_name"] = _author(reply_to)
    if retweet:
        legacy["retweeted_status_result"] = {"result": retweet}
    if quote:
        legacy["quoted_status_id_str"] = quote["rest_id"]
    author = {
        "__typename": "User",
        "rest_id": number_of(user),
        "is_blue_verified": False,
        "affiliates_highlighted_label": {},
        "profile_image_shape": "Circle",
        "legacy": {
            "screen_name": user,
            "name": user.title(),
            "description": "",
            "location": "",
            "created_at": "Sat Jan 05 12:00:00 +0000 2013",
            "entities": {"description": {"urls": []}},
            "profile_image_url_https": "https://pbs.twimg.com/profile_images/1/a_normal.jpg",
            **{f"{kind}_count": 0 for kind in ("followers", "friends", "statuses", "favourites", "listed", "media")},
        },
    }
    result = {"__typename": "Tweet", "rest_id": number, "core": {"user_results": {"result": author}}, "legacy": legacy}
    return result | ({"quoted_status_result": {"result": quote}} if quote else {})


def _author(result: dict) -> str:
    return result["core"]["user_results"]["result"]["legacy"]["screen_name"]


def x_limit(seconds: float) -> Answer:
    """429 until `seconds` from now."""
    reset = int(datetime.now(UTC).timestamp() + seconds)
    return Answer(429, "Rate limit exceeded", {"x-rate-limit-remaining": "0", "x-rate-limit-reset": str(reset)})
