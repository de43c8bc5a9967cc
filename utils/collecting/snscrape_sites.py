"""Posts from the sites that snscrape knows, through its own scraper classes.

X has refused searches without an account since mid-2023, and Pushshift (Reddit) and Weibo need one too; Telegram
still responses. snscrape 0.7.0 is the last release.
"""

import importlib
import json
import logging
import re
import sys
import types
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from utils.collecting.http_errors import BadResponses, connection_error
from utils.collecting.posts import Post, Query, Site, SiteError, parse_hashtag
from utils.errors import UsageError

if TYPE_CHECKING:
    import requests
    from snscrape.base import Item

OTHER_WAYS = (
    "use an export made elsewhere (twscrape, a CSV) or your own X archive with --data_path, "
    "or Mastodon with --scrape mastodon-hashtag TAG@INSTANCE"
)
LINE_BREAK = re.compile(rb"<br\s*/?>")
GAVE_UP = re.compile(r"^\d+ requests to https?://([^/]+)\S* failed, giving up\.$")


def _parse_name(target: str, pattern: str = r"[\w./-]+", characters: str = "letters, digits, _, ., / and -") -> str:
    name = target.removeprefix("@")
    if not re.fullmatch(pattern, name):
        raise UsageError(f"{target!r} is not a name: expected {characters}", "write it as the site does")
    return name


_parse_x_name = partial(_parse_name, pattern="[A-Za-z0-9_]{1,20}", characters="at most 20 of A-Z, a-z, 0-9 and _")


def _parse_words(target: str) -> str:
    if not target.strip():
        raise UsageError("there is nothing to search for", 'write it as: --scrape twitter-search "some words"')
    return target.strip()


def _module(name: str) -> types.ModuleType:
    """Import snscrape.modules.NAME only.

    The package's own __init__ imports every module, with a loader method that Python 3.12 no longer has.
    """
    import snscrape

    if "snscrape.modules" not in sys.modules:
        package = types.ModuleType("snscrape.modules")
        package.__path__ = [str(Path(snscrape.__path__[0]) / "modules")]
        sys.modules["snscrape.modules"] = package
    return importlib.import_module(f"snscrape.modules.{name}")


def _search_x(prefix: str, query: Query, below: str | None) -> Iterator[Post]:
    """Yield the results of X's search, newest first, with its own operators."""
    operators = {"since": query.since, "until": query.until, "lang": query.language}
    operators["max_id"] = None if below is None else int(below) - 1
    words = [prefix + query.target] + [f"{name}:{value}" for name, value in operators.items() if value is not None]
    return _items("twitter", "TwitterSearchScraper", " ".join(words))


def _telegram_channel(query: Query, below: str | None) -> Iterator[Post]:
    # The scraper asks for https://t.me/s/NAME, and the site's own next pages are ?before=ID.
    return _items("telegram", "TelegramChannelScraper", query.target + (f"?before={below}" if below else ""))


def _newest_first(module: str, scraper: str, query: Query, below: str | None) -> Iterator[Post]:
    return _items(module, scraper, query.target)


def _items(module: str, scraper: str, target: str) -> Iterator[Post]:
    """Yield every item of a scraper, without its own retries: `collect_posts` retries and waits, visibly."""
    with _warnings_of_snscrape() as warnings:
        try:
            scraping = getattr(_module(module), scraper)(target, retries=0)
        except ValueError as error:
            raise UsageError(f"{target!r}: {error}", "write it as the site does") from error
        with closing(scraping._session):
            scraping._session.hooks["response"].append(_keep_line_ends)
            responses = BadResponses(scraping._session)
            items = scraping.get_items()
            is_empty = True
            while (item := _next(items, responses, warnings)) is not None:
                is_empty = False
                yield _post(item)
        if warnings and is_empty:
            raise SiteError(f"says: {warnings[-1]}", hint=OTHER_WAYS)


def _keep_line_ends(response: "requests.Response", *args, **kwargs) -> None:
    """Add line ends to line breaks, without which snscrape joins the words around them."""
    if response.headers.get("Content-Type", "").startswith("text/html"):
        response._content = LINE_BREAK.sub(b"\\g<0>\n", response.content)


def _next(items: Iterator["Item"], responses: BadResponses, warnings: list[str]) -> "Item | None":
    responses.forget()
    warnings.clear()
    try:
        return next(items, None)
    # Any exception of snscrape comes from reading what a site sent, and today's pages differ from those of 2023.
    except Exception as error:
        raise _site_error(error, responses, warnings) from error


def _site_error(error: Exception, responses: BadResponses, warnings: list[str]) -> SiteError:
    from snscrape.base import ScraperException

    reasons = warnings[-1].removeprefix("Errors: ") if warnings else ""
    gave_up = GAVE_UP.match(str(error))
    if responses.last is not None:
        return responses.error(OTHER_WAYS)
    if gave_up and "(" in reasons:
        return connection_error(gave_up[1], reasons)
    if isinstance(error, ScraperException):
        return SiteError(f"sent an answer that snscrape cannot use ({reasons or error})", OTHER_WAYS)
    answer = f"sent an answer in a form that snscrape does not know ({type(error).__name__}: {error})"
    return SiteError(answer, OTHER_WAYS)


@contextmanager
def _warnings_of_snscrape() -> Iterator[list[str]]:
    """Collect snscrape's log messages from warnings up, for our error line, instead of showing them."""
    messages: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: messages.append(record.getMessage())
    logger = logging.getLogger("snscrape")
    logger.propagate = False
    logger.addHandler(handler)
    try:
        yield messages
    finally:
        logger.removeHandler(handler)
        logger.propagate = True


def _post(item: "Item") -> Post:
    line = item.json()
    return Post(_id_of("", json.loads(line)), getattr(item, "date", None), getattr(item, "lang", None), line)


def _id_of(module: str, row: dict) -> str | None:
    """Return the id of an item in snscrape's JSON; for Facebook and VK its address, for Telegram the end of that."""
    kind = str(row.get("_type"))
    if not kind.startswith(f"snscrape.modules.{module}"):
        return None
    if row.get("id") is not None:
        return str(row["id"])
    address = row.get("url") or row.get("cleanUrl")
    return address.rpartition("/")[2] if kind.startswith("snscrape.modules.telegram.") else address


def _x_site(prefix: str, parse_target: Callable[[str], str]) -> Site:
    posts, id_of = partial(_search_x, prefix), partial(_id_of, "twitter.")
    return Site("X", parse_target, posts, id_of, starts_below=True, knows_languages=True)


def _site(name: str, scraper: str, parse_target: Callable[[str], str]) -> Site:
    module = name.lower()
    posts, id_of = partial(_newest_first, module, f"{name}{scraper}Scraper"), partial(_id_of, f"{module}.")
    return Site(name, parse_target, posts, id_of, starts_below=False, knows_languages=False)


SNSCRAPE_SITES = {
    "twitter-hashtag": _x_site("#", parse_hashtag),
    "twitter-search": _x_site("", _parse_words),
    "twitter-user": _x_site("from:", _parse_x_name),
    "twitter-cashtag": _x_site("$", parse_hashtag),
    "twitter-list-posts": _x_site("list:", _parse_name),
    "telegram-channel": replace(_site("Telegram", "Channel", _parse_name), posts=_telegram_channel, starts_below=True),
    "facebook-community": _site("Facebook", "Community", _parse_name),
    "facebook-group": _site("Facebook", "Group", _parse_name),
    "facebook-user": _site("Facebook", "User", _parse_name),
    "instagram-hashtag": _site("Instagram", "Hashtag", parse_hashtag),
    "instagram-user": _site("Instagram", "User", _parse_name),
    "reddit-search": _site("Reddit", "Search", _parse_words),
    "reddit-subreddit": _site("Reddit", "Subreddit", _parse_name),
    "reddit-user": _site("Reddit", "User", _parse_name),
    "vkontakte-user": _site("VKontakte", "User", _parse_name),
    "weibo-user": _site("Weibo", "User", _parse_name),
}
