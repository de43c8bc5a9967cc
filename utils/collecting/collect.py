"""Collect posts from sites into a raw JSON Lines file, one per line, without losing or repeating one.

Open `collect_posts` first.
"""

import datetime
import difflib
import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from utils.collecting.mastodon_instances import MASTODON_SITES
from utils.collecting.posts import Post, Query, Site, SiteError
from utils.collecting.raw_file import RawFile
from utils.collecting.snscrape_sites import SNSCRAPE_SITES
from utils.errors import DataError, UsageError, UserError

log = logging.getLogger(__name__)

SITES = MASTODON_SITES | SNSCRAPE_SITES
LONGEST_PAUSE = 300  # seconds between two retries if the site does not say when to retry
OLD_ENOUGH = 20  # consecutive posts from before --since; pinned ones come first, whatever their age
LOG_INTERVAL = 30  # seconds between two lines where there is no terminal for a progress bar


def validate_query(query: Query) -> Query:
    """Return the query with its target in its plain form. Raises UsageError for unsupported requests."""
    source = SITES.get(query.source)
    if source is None:
        near = difflib.get_close_matches(query.source, SITES, n=1)
        suggestion = f"did you mean {near[0]}? " if near else ""
        raise UsageError(f"unknown source {query.source!r}", f"{suggestion}the sources are: {', '.join(SITES)}")
    if query.language and not source.knows_languages:
        raise UsageError(f"{query.source} does not give the language of posts", "remove --lang")
    if query.since and query.until and query.since >= query.until:
        problem = f"--since {query.since} is not before --until {query.until}"
        raise UsageError(problem, "--until is the day after the last one")
    return replace(query, target=source.parse_target(query.target))


def collect_posts(
    query: Query, path: Path, *, limit: int, retries: int, sleep: Callable[[float], None] = time.sleep
) -> int:
    """Collect until the file at `path` has `limit` posts or the site has no more; return how many the file has.

    `query` comes from `validate_query`. A file from an earlier run is continued: first with newer posts, then with
    older ones. After an error the site is asked again, up to `retries` times in a row, at growing intervals, with
    `sleep(seconds)` between. Raises UserError if it still refuses, with the posts until then in the file, and
    DataError if the file holds other rows or no post was found.
    """
    site = SITES[query.source]
    with RawFile(path, query, site.id_of) as file, Progress(limit, len(file.ids)) as progress:

        def wait(error: SiteError, seconds: float) -> None:
            progress.wait(f"{site.name} {error}", seconds, sleep)

        try:
            posts = _matching(query, _all_posts(site, query, file.oldest_in_stretch(), retries, wait))
            while len(file.ids) < limit and (post := next(posts, None)):
                if post.id not in file.ids:
                    file.add(post)
                    progress.add(_day(post))
        except SiteError as error:
            kept = f"; {len(file.ids):,} posts are kept in {path}" if file.ids else ""
            raise UserError(f"{query.source} {query.target}: {site.name} {error}{kept}", error.hint) from error
        except KeyboardInterrupt:
            log.info("the collected posts are kept in %s; run the same command again to continue", path)
            raise
    if not file.ids:
        raise DataError(f"{site.name} has no posts for: {query}", "check the name, or ask for other days")
    if len(file.ids) < limit:
        log.info("%s has no more posts for: %s", site.name, query)
    return len(file.ids)


def _all_posts(
    site: Site, query: Query, oldest_in_stretch: dict[str, str], retries: int, wait: Callable[[SiteError, float], None]
) -> Iterator[Post]:
    """Yield the site's posts, newest first, each once; skip the stretches that were collected before."""
    below, failures, skipped = None, 0, set()
    seen: set[str] = set()
    while True:
        try:
            with closing(site.posts(query, below)) as posts:
                for post in posts:
                    if post.id in seen:
                        continue
                    seen.add(post.id)
                    failures = 0
                    yield post
                    if site.starts_below:
                        oldest = oldest_in_stretch.get(post.id, post.id)
                        below = post.id if oldest in skipped else oldest
                        if below != post.id:
                            skipped.add(below)
                            break
                else:
                    return
        except SiteError as error:
            if failures >= retries or not (error.transient or seen):
                raise
            wait(error, _seconds_to_wait(error, failures))
            failures += 1


def _seconds_to_wait(error: SiteError, failures: int) -> float:
    if error.retry_at is not None:
        return max(1, (error.retry_at - datetime.datetime.now(datetime.UTC)).total_seconds())
    return min(LONGEST_PAUSE, error.pause * 2**failures)


def _matching(query: Query, posts: Iterator[Post]) -> Iterator[Post]:
    """Yield the posts of the query's days and language; a post without a date has no day."""
    too_old = 0
    for post in posts:
        day = _day(post)
        if day is None and (query.since or query.until):
            continue
        if query.since and day < query.since:
            too_old += 1
            if too_old == OLD_ENOUGH:
                return
            continue
        too_old = 0
        if query.until and day >= query.until:
            continue
        if query.language and (post.language or "").lower().partition("-")[0] != query.language.lower():
            continue
        yield post


def _day(post: Post) -> datetime.date | None:
    """Return the post's day in UTC."""
    if not isinstance(post.date, datetime.datetime):
        return post.date
    return (post.date if post.date.tzinfo is None else post.date.astimezone(datetime.UTC)).date()


class Progress:
    """The progress of collecting (posts, date reached, rate): a bar on a terminal, otherwise lines in the log."""

    def __init__(self, limit: int, collected: int):
        self._bar = tqdm(total=limit, initial=collected, desc="collecting", unit=" posts", disable=None)
        self._limit = limit
        self._initial = self._collected = collected
        self._start = self._last_line = time.monotonic()
        self._reached = "nothing new"

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *exception) -> None:
        self._bar.close()
        if self._collected:
            log.info("%s", self)

    def __str__(self) -> str:
        rate = (self._collected - self._initial) / max(time.monotonic() - self._start, 1e-9)
        return f"collected {self._collected:,}/{self._limit:,}, {self._reached}, {rate:.1f} posts/s"

    def add(self, date: datetime.date | None) -> None:
        """Count one more post, of this date."""
        self._collected += 1
        if date is not None:
            self._reached = f"reached {date:%Y-%m-%d}"
            self._bar.set_postfix_str(self._reached, refresh=False)
        self._bar.update()
        if self._bar.disable and time.monotonic() - self._last_line >= LOG_INTERVAL:
            log.info("%s", self)
            self._last_line = time.monotonic()

    def wait(self, why: str, seconds: float, sleep: Callable[[float], None]) -> None:
        """Sleep, and count down."""
        end = datetime.datetime.now() + datetime.timedelta(seconds=seconds)
        line = f"{why}; asking again at {end:%H:%M:%S}, in {seconds:.0f} s"
        if self._bar.disable:
            log.info("%s", line)
        else:
            self._bar.write(line, file=sys.stderr)
        while seconds > 0:
            minutes, rest = divmod(round(seconds), 60)
            self._bar.set_description_str(f"waiting {minutes}:{rest:02}")
            sleep(min(1, seconds))
            seconds -= 1
        self._bar.set_description_str("collecting")
