"""Posts from Mastodon, and from servers with the same API, through Mastodon.py."""

import datetime
import json
import os
import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from utils.collecting.http_errors import BadResponses, connection_error
from utils.collecting.posts import Post, Query, Site, SiteError, parse_hashtag
from utils.errors import UsageError

if TYPE_CHECKING:
    from mastodon import Mastodon

TOKEN_VARIABLE = "MASTODON_ACCESS_TOKEN"
PAGE = 40  # the most posts that Mastodon gives at once
TIMEOUT = 30  # seconds
OTHER_INSTANCE = "name another instance, whose rules allow it; large ones know the same hashtags"
NEEDS_TOKEN = (
    f"this instance shows its posts only to its members: set {TOKEN_VARIABLE} to a token of an account there, or "
    + OTHER_INSTANCE
)


def _parse_target(what: str, parse_name: Callable[[str], str], target: str) -> str:
    """Return WHAT@INSTANCE in its plain form; the instance is a host name, or a complete http(s) address."""
    name, _, instance = target.removeprefix("@").partition("@")
    host = urlsplit(instance if "://" in instance else f"https://{instance}").netloc
    if "@" in host:
        hint = f"write {name or what}@INSTANCE; if posts are for members only, set {TOKEN_VARIABLE}"
        raise UsageError("the address of the instance has a name or a password in it, which is not used", hint)
    if not name or not re.fullmatch(r"[\w.-]+(:\d+)?", host):
        hint = f"write it as {name or what}@INSTANCE, with the host name of one whose rules allow it"
        raise UsageError(f"{target!r} does not name a Mastodon instance: expected {what}@INSTANCE", hint)
    return f"{parse_name(name)}@{instance.rstrip('/')}"


def _parse_account(name: str) -> str:
    if not re.fullmatch(r"[\w.-]+", name):
        raise UsageError(f"{name!r} is not an account: expected letters, digits and _ . -", "write NAME@INSTANCE")
    return name


def _hashtag_timeline(ask: Callable, client: "Mastodon", tag: str) -> Callable:
    return partial(ask, client.timeline_hashtag, tag)


def _account_timeline(ask: Callable, client: "Mastodon", name: str) -> Callable:
    return partial(ask, client.account_statuses, ask(client.account_lookup, name)["id"])


def _posts(timeline: Callable[..., Callable], query: Query, below: str | None) -> Iterator[Post]:
    """Yield the posts of a timeline, newest first, page by page below the last id."""
    import requests
    from mastodon import Mastodon

    name, _, instance = query.target.partition("@")
    address = instance if "://" in instance else f"https://{instance}"
    with requests.Session() as session:
        options = {"access_token": os.environ.get(TOKEN_VARIABLE), "request_timeout": TIMEOUT}
        client = Mastodon(api_base_url=address, ratelimit_method="throw", session=session, **options)
        page_of = timeline(partial(_ask, urlsplit(address).netloc, BadResponses(session)), client, name)
        until = query.until and datetime.datetime.combine(query.until, datetime.time(), datetime.UTC)
        while page := page_of(max_id=below, limit=PAGE):
            if below is None and until and _is_snowflake(page[0]) and page[0]["created_at"] > until:
                page = page_of(max_id=until, limit=PAGE)
            yield from map(_post, page)
            if not page or str(page[-1]["id"]) == below:
                return
            below = str(page[-1]["id"])


def _ask(host: str, responses: BadResponses, request: Callable, *args, **kwargs):
    """Return the result of a call of Mastodon.py, an account or posts; SiteError for any other answer."""
    from mastodon import MastodonAPIError, MastodonNetworkError, MastodonRatelimitError

    responses.forget()
    try:
        result = request(*args, **kwargs)
    except MastodonNetworkError as error:
        raise connection_error(host, error) from error
    except (MastodonAPIError, MastodonRatelimitError) as error:
        if responses.last is not None:
            closed = responses.last.status_code in (401, 403, 422)
            raise responses.error(NEEDS_TOKEN if closed else OTHER_INSTANCE) from error
        raise _not_mastodon() from error
    for item in result if isinstance(result, list) else [result]:
        if not isinstance(item, dict) or None in (item.get("id"), item.get("created_at")):
            raise _not_mastodon()
    return result


def _not_mastodon() -> SiteError:
    return SiteError("does not answer like a Mastodon server", OTHER_INSTANCE)


def _is_snowflake(post: dict) -> bool:
    """Return whether ids contain the time, in milliseconds << 16: Mastodon's do, but not on all servers with its API.

    https://github.com/mastodon/mastodon/blob/main/lib/mastodon/snowflake.rb
    """
    number = str(post["id"])
    return number.isdecimal() and abs((int(number) >> 16) / 1000 - post["created_at"].timestamp()) < 86_400


def _post(status: dict) -> Post:
    line = json.dumps(status, default=lambda date: date.isoformat())
    return Post(str(status["id"]), status["created_at"], status.get("language"), line)


def _id_of(row: dict) -> str | None:
    return str(row["id"]) if {"id", "uri", "content", "account"} <= row.keys() and "_type" not in row else None


def _site(form: str, parse_name: Callable[[str], str], timeline: Callable) -> Site:
    parse_target, posts = partial(_parse_target, form, parse_name), partial(_posts, timeline)
    return Site("the instance", parse_target, posts, _id_of, starts_below=True, knows_languages=True)


MASTODON_SITES = {
    "mastodon-hashtag": _site("TAG", parse_hashtag, _hashtag_timeline),
    "mastodon-user": _site("NAME", _parse_account, _account_timeline),
}
