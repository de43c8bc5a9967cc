"""What the collectors of all sites share: what is asked for, what comes back, and how a site says no."""

import datetime
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from utils.errors import UsageError


@dataclass(frozen=True)
class Query:
    """What to collect. Days are UTC; `since` is the first one, `until` the one after the last, as in X's search."""

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
    """One post: what the loop must know of it, and `line`, the site's own JSON without a line end."""

    id: str
    date: datetime.datetime | datetime.date | None
    language: str | None
    line: str


@dataclass(frozen=True)
class Site:
    """A way to collect.

    `check(target)` returns the target in its plain form or raises UsageError. `posts(query, below)` yields posts,
    newest first; with `below`, the id of a post, those that are older (`starts_below` says whether it can), and
    raises SiteError. `id_of(row)` is the id of a row that this source wrote, None for other rows.
    """

    site: str
    target_form: str
    check: Callable[[str], str]
    posts: Callable[[Query, str | None], Iterator[Post]]
    id_of: Callable[[dict], str | None]
    starts_below: bool
    knows_languages: bool


class SiteError(Exception):
    """A site gave no posts.

    The message is what it answered, to be read after the site's name: "answered 404 Not Found". `transient` says that
    asking again may help even where nothing has come yet; `after` is when the site wants to be asked again, where it
    says so, and `pause` how many seconds to wait before the first retry where it does not.
    """

    def __init__(
        self,
        answer: str,
        hint: str,
        *,
        transient: bool = False,
        after: datetime.datetime | None = None,
        pause: float = 1,
    ):
        super().__init__(answer)
        self.hint = hint
        self.transient = transient
        self.after = after
        self.pause = pause


def plain_hashtag(tag: str) -> str:
    """The tag, or UsageError where it is none."""
    if not re.fullmatch(r"\w+", tag):
        plain = re.sub(r"\W", "", tag)
        raise UsageError(
            f"{tag!r} is not a hashtag: expected letters, digits and _, without # and blanks",
            f"write {plain} instead" if plain else "name one word",
        )
    return tag
