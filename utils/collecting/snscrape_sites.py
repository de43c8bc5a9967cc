"""Posts through snscrape's own scraper classes, from the sites that it knows.

X has refused searches without an account since the middle of 2023, Pushshift (Reddit) and Weibo want one too; Telegram
still answers. snscrape 0.7.0 is the last release.
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
from utils.collecting.posts import Post, Query, Site, SiteError, plain_hashtag
from utils.errors import UsageError

if TYPE_CHECKING:
    import requests
    from snscrape.base import Item

OTHER_WAYS = (
    "what works: an export made elsewhere (twscrape, a CSV) or your own X archive with --data_path, "
    "or Mastodon with --scrape mastodon-hashtag TAG@INSTANCE"
)
LINE_BREAK = re.compile(rb"<br\s*/?>")
GAVE_UP = re.compile(r"^\d+ requests to https?://([^/]+)\S* failed, giving up\.$")


def _name(target: str) -> str:
    name = target.removeprefix("@")
    if not re.fullmatch(r"[\w./-]+", name):
        raise UsageError(
            f"{target!r} is not a name: expected letters, digits, _, ., / and -", "write it as the site does"
        )
    return name


def _x_name(target: str) -> str:
    name = target.removeprefix("@")
    if not re.fullmatch(r"[A-Za-z0-9_]{1,20}", name):
        raise UsageError(f"{target!r} is not a name on X: expected letters, digits and _", "write it as X does")
    return name


def _words(target: str) -> str:
    if not target.strip():
        raise UsageError("there is nothing to search for", 'write it as: --scrape twitter-search "some words"')
    return target.strip()


def _module(name: str) -> types.ModuleType:
    """snscrape.modules.NAME alone.

    The package's own __init__ imports every module, by a loader's method that Python 3.12 no longer has.
    """
    import snscrape

    if "snscrape.modules" not in sys.modules:
        package = types.ModuleType("snscrape.modules")
        package.__path__ = [str(Path(snscrape.__path__[0]) / "modules")]
        sys.modules["snscrape.modules"] = package
    return importlib.import_module(f"snscrape.modules.{name}")


def _search_x(prefix: str, query: Query, below: str | None) -> Iterator[Post]:
    """What X's search finds, newest first, by its own operators."""
    operators = {
        "since": query.since,
        "until": query.until,
        "lang": query.language,
        "max_id": None if below is None else int(below) - 1,
    }
    words = [prefix + query.target] + [f"{name}:{value}" for name, value in operators.items() if value is not None]
    return _items("twitter", "TwitterSearchScraper", " ".join(words))


def _telegram_channel(query: Query, below: str | None) -> Iterator[Post]:
    # The scraper asks for https://t.me/s/NAME, and the site's own pages go on with ?before=ID.
    return _items("telegram", "TelegramChannelScraper", query.target + (f"?before={below}" if below else ""))


def _newest_first(module: str, scraper: str, query: Query, below: str | None) -> Iterator[Post]:
    return _items(module, scraper, query.target)


def _items(module: str, scraper: str, target: str) -> Iterator[Post]:
    """Every item of a scraper. It gives up at once: repeating and waiting is the collecting loop's, which shows it."""
    with _warnings_of_snscrape() as warnings:
        try:
            scraping = getattr(_module(module), scraper)(target, retries=0)
        except ValueError as error:
            raise UsageError(f"{target!r}: {error}", "write it as the site does") from error
        with closing(scraping._session):
            scraping._session.hooks["response"].append(_keep_line_ends)
            answers = BadResponses(scraping._session)
            items = scraping.get_items()
            found = False
            while (item := _next(items, answers, warnings)) is not None:
                found = True
                yield _post(item)
        if warnings and not found:
            raise SiteError(f"says: {warnings[-1]}", hint=OTHER_WAYS)


def _keep_line_ends(response: "requests.Response", *args, **kwargs) -> None:
    """snscrape takes a page's text without its line breaks, which glues the words around them together."""
    if response.headers.get("Content-Type", "").startswith("text/html"):
        response._content = LINE_BREAK.sub(b"\\g<0>\n", response.content)


def _next(items: Iterator["Item"], answers: BadResponses, warnings: list[str]) -> "Item | None":
    answers.forget()
    warnings.clear()
    try:
        return next(items, None)
    # Whatever snscrape raises comes from reading what a site sent, and today's pages are not those of 2023.
    except Exception as error:
        raise _site_error(error, answers, warnings) from error


def _site_error(error: Exception, answers: BadResponses, warnings: list[str]) -> SiteError:
    from snscrape.base import ScraperException

    reasons = warnings[-1].removeprefix("Errors: ") if warnings else ""
    gave_up = GAVE_UP.match(str(error))
    if answers.bad is not None:
        return answers.error(OTHER_WAYS)
    if gave_up and "(" in reasons:
        return connection_error(gave_up[1], reasons)
    if isinstance(error, ScraperException):
        return SiteError(f"answered what snscrape cannot use ({reasons or error})", hint=OTHER_WAYS)
    return SiteError(
        f"answered in a form that snscrape does not know ({type(error).__name__}: {error})", hint=OTHER_WAYS
    )


@contextmanager
def _warnings_of_snscrape() -> Iterator[list[str]]:
    """What snscrape logs as a warning or worse: part of our error line, and no lines of their own."""
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
    """The id of an item in snscrape's JSON. Telegram's posts have it in their address, Facebook's and VK's are that."""
    kind = str(row.get("_type"))
    if not kind.startswith(f"snscrape.modules.{module}"):
        return None
    if row.get("id") is not None:
        return str(row["id"])
    address = row.get("url") or row.get("cleanUrl")
    return address.rpartition("/")[2] if kind.startswith("snscrape.modules.telegram.") else address


def _of_x(prefix: str, check: Callable[[str], str], form: str) -> Site:
    return Site(
        site="X",
        target_form=form,
        check=check,
        posts=partial(_search_x, prefix),
        id_of=partial(_id_of, "twitter."),
        starts_below=True,
        knows_languages=True,
    )


def _of(site: str, scraper: str, check: Callable[[str], str], form: str) -> Site:
    module = site.lower()
    return Site(
        site=site,
        target_form=form,
        check=check,
        posts=partial(_newest_first, module, scraper),
        id_of=partial(_id_of, f"{module}."),
        starts_below=False,
        knows_languages=False,
    )


SNSCRAPE_SITES = {
    "twitter-hashtag": _of_x("#", plain_hashtag, "TAG"),
    "twitter-search": _of_x("", _words, '"WORDS"'),
    "twitter-user": _of_x("from:", _x_name, "NAME"),
    "twitter-cashtag": _of_x("$", plain_hashtag, "TAG"),
    "twitter-list-posts": _of_x("list:", _name, "LIST"),
    "telegram-channel": replace(
        _of("Telegram", "TelegramChannelScraper", _name, "NAME"), posts=_telegram_channel, starts_below=True
    ),
    "facebook-community": _of("Facebook", "FacebookCommunityScraper", _name, "NAME"),
    "facebook-group": _of("Facebook", "FacebookGroupScraper", _name, "NAME"),
    "facebook-user": _of("Facebook", "FacebookUserScraper", _name, "NAME"),
    "instagram-hashtag": _of("Instagram", "InstagramHashtagScraper", plain_hashtag, "TAG"),
    "instagram-user": _of("Instagram", "InstagramUserScraper", _name, "NAME"),
    "reddit-search": _of("Reddit", "RedditSearchScraper", _words, '"WORDS"'),
    "reddit-subreddit": _of("Reddit", "RedditSubredditScraper", _name, "NAME"),
    "reddit-user": _of("Reddit", "RedditUserScraper", _name, "NAME"),
    "vkontakte-user": _of("VKontakte", "VKontakteUserScraper", _name, "NAME"),
    "weibo-user": _of("Weibo", "WeiboUserScraper", _name, "NAME"),
}
