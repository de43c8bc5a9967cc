"""The types that the collectors of all sites share: a query, a collected post, and the error of a site."""

import datetime
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from utils.errors import UsageError


@dataclass(frozen=True)
class Query:
    """A query for posts. Days are UTC; `since` is the first one, `until` the one after the last, as in X's search."""

    source: str
    target: str
    since: datetime.date | None = None
    until: datetime.date | None = None
    language: str | None = None

    def __str__(self) -> str:
        limits = {"since": self.since, "until": self.until, "lang": self.language}
        given = [f" --{name} {value}" for name, value in limits.items() if value is not None]
        return f"{self.source} {self.target}" + "".join(given)


@dataclass(frozen=True)
class Post:
    """One post: the fields that collecting needs, and `line`, the site's own JSON without a line end."""

    id: str
    date: datetime.datetime | datetime.date | None
    language: str | None
    line: str


@dataclass(frozen=True)
class Site:
    """A way to collect.

    `parse_target(target)` returns the target in its plain form or raises UsageError. `posts(query, below)` yields
    posts, newest first; with `below`, the id of a post, only older ones (if the site `starts_below`); it raises
    SiteError. `id_of(row)` returns the id of a row that this source wrote, None for other rows.
    """

    name: str  # for messages
    parse_target: Callable[[str], str]
    posts: Callable[[Query, str | None], Iterator[Post]]
    id_of: Callable[[dict], str | None]
    starts_below: bool
    knows_languages: bool


@dataclass(eq=False)
class SiteError(Exception):
    """A site gave no posts.

    The message is what it answered, and follows the site's name: "answered 404 Not Found". If `transient`, asking
    again may help even if no post has come yet; `retry_at` is when the site wants to be asked again, if it says so,
    and `pause` the seconds to wait before the first retry if it does not.
    """

    answer: str
    hint: str
    transient: bool = False
    retry_at: datetime.datetime | None = None
    pause: float = 1

    def __str__(self) -> str:
        return self.answer


def parse_hashtag(tag: str) -> str:
    """Return the tag. Raises UsageError if it is not a hashtag without #."""
    if not re.fullmatch(r"\w+", tag):
        plain = re.sub(r"\W", "", tag)
        hint = f"write {plain} instead" if plain else "name one word"
        raise UsageError(f"{tag!r} is not a hashtag: expected letters, digits and _, without # and blanks", hint)
    return tag
