"""What a user sees while posts are collected: a bar with the date reached, and a countdown while waiting.

MERGED: Posts from sites that still give them: into a raw JSONL file, one line each, without losing or doubling one."""

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
LINE_EVERY = 30  # seconds, where there is no terminal to draw a bar on


class Progress:
    """Collected of the limit, the date reached and the rate: a bar on a terminal, now and then a line on a log."""

    def __init__(self, limit: int, collected: int):
        self._bar = tqdm(total=limit, initial=collected, desc="collecting", unit=" posts", disable=None)
        self._limit = limit
        self._known = self._collected = collected
        self._start = self._line_at = time.monotonic()
        self._reached = "nothing new"

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *exception) -> None:
        self._bar.close()
        if self._collected:
            log.info("%s", self)

    def __str__(self) -> str:
        rate = (self._collected - self._known) / max(time.monotonic() - self._start, 1e-9)
        return f"collected {self._collected:,}/{self._limit:,}, {self._reached}, {rate:.1f} posts/s"

    def add(self, date: datetime.date | None) -> None:
        """One more post, of this date."""
        self._collected += 1
        if date is not None:
            self._reached = f"reached {date:%Y-%m-%d}"
            self._bar.set_postfix_str(self._reached, refresh=False)
        self._bar.update()
        if self._bar.disable and time.monotonic() - self._line_at >= LINE_EVERY:
            log.info("%s", self)
            self._line_at = time.monotonic()

    def wait(self, why: str, seconds: float, sleep: Callable[[float], None]) -> None:
        """Sleep, and count down."""
        end = datetime.datetime.now() + datetime.timedelta(seconds=seconds)
        line = f"{why}; asking again at {end:%H:%M:%S}, in {seconds:.0f} s"
        if self._bar.disable:
            log.info("%s", line)
        else:
            self._bar.write(line, file=sys.stderr)
        left = seconds
        while left > 0:
            minutes, rest = divmod(round(left), 60)
            self._bar.set_description_str(f"waiting {minutes}:{rest:02}")
            sleep(min(1, left))
            left -= 1
        self._bar.set_description_str("collecting")


SITES = MASTODON_SITES | SNSCRAPE_SITES
LONGEST_PAUSE = 300  # seconds between two retries where the site does not say when
OLD_ENOUGH = 20  # posts in a row from before --since; pinned ones stand at the top whatever their age


def validate_query(query: Query) -> Query:
    """The query with its target in its plain form. Raises UsageError for what the source cannot do."""
    source = SITES.get(query.source)
    if source is None:
        near = difflib.get_close_matches(query.source, SITES, n=1)
        meant = f"did you mean {near[0]}? " if near else ""
        raise UsageError(f"unknown source {query.source!r}", f"{meant}the sources are: {', '.join(SITES)}")
    if query.language and not source.knows_languages:
        raise UsageError(f"{query.source} does not say in which language a post is", "leave --lang away")
    if query.since and query.until and query.since >= query.until:
        raise UsageError(
            f"--since {query.since} is not before --until {query.until}", "--until is the day after the last one"
        )
    return replace(query, target=source.check(query.target))


def collect_posts(
    query: Query, path: Path, *, limit: int, retries: int, sleep: Callable[[float], None] = time.sleep
) -> int:
    """Collect until the file at `path` has `limit` posts or the site has no more; returns how many the file has.

    `query` comes from `checked`. A file from an earlier run is continued: what is newer first, then what is older.
    After an error the site is asked again, up to `retries` times in a row, later and later, with `sleep(seconds)`
    between. Raises UserError where it still refuses, with the posts until then in the file, and DataError where the
    file holds other rows or no post was found.
    """
    source = SITES[query.source]
    with RawFile(path, query, source.id_of) as file, Progress(limit, len(file.ids)) as progress:

        def wait(error: SiteError, seconds: float) -> None:
            progress.wait(f"{source.site} {error}", seconds, sleep)

        try:
            for post in _missing(file, limit, _within(query, _posts(source, query, file.stretches(), retries, wait))):
                file.add(post)
                progress.add(_day(post))
        except SiteError as error:
            kept = f"; {len(file.ids):,} posts are kept in {path}" if file.ids else ""
            raise UserError(f"{query.source} {query.target}: {source.site} {error}{kept}", error.hint) from error
        except KeyboardInterrupt:
            log.info("%s keeps what was collected; the same command goes on from here", path)
            raise
    if not file.ids:
        raise DataError(f"{source.site} has no posts for: {query}", "check the name, or ask for other days")
    if len(file.ids) < limit:
        log.info("%s has no more posts for: %s", source.site, query)
    return len(file.ids)


def _posts(
    source: Site, query: Query, stretches: dict[str, str], retries: int, wait: Callable[[SiteError, float], None]
) -> Iterator[Post]:
    """The site's posts, newest first, each once; those of a stretch that was collected before are jumped over."""
    below, failures, jumps = None, 0, set()
    seen: set[str] = set()
    while True:
        try:
            with closing(source.posts(query, below)) as posts:
                for post in posts:
                    if post.id in seen:
                        continue
                    seen.add(post.id)
                    failures = 0
                    yield post
                    if source.starts_below:
                        oldest = stretches.get(post.id, post.id)
                        below = post.id if oldest in jumps else oldest
                        if below != post.id:
                            jumps.add(below)
                            break
                else:
                    return
        except SiteError as error:
            if failures >= retries or not (error.transient or seen):
                raise
            wait(error, _seconds(error, failures))
            failures += 1


def _seconds(error: SiteError, failures: int) -> float:
    if error.after is not None:
        return max(1, (error.after - datetime.datetime.now(datetime.UTC)).total_seconds())
    return min(LONGEST_PAUSE, error.pause * 2**failures)


def _within(query: Query, posts: Iterator[Post]) -> Iterator[Post]:
    """The posts of the days and the language; one without a date is of no day."""
    before = 0
    for post in posts:
        day = _day(post)
        if day is None and (query.since or query.until):
            continue
        if query.since and day < query.since:
            before += 1
            if before == OLD_ENOUGH:
                return
            continue
        before = 0
        if query.until and day >= query.until:
            continue
        if query.language and (post.language or "").lower().partition("-")[0] != query.language.lower():
            continue
        yield post


def _missing(file: RawFile, limit: int, posts: Iterator[Post]) -> Iterator[Post]:
    while len(file.ids) < limit and (post := next(posts, None)):
        if post.id not in file.ids:
            yield post


def _day(post: Post) -> datetime.date | None:
    """The post's day in UTC."""
    if not isinstance(post.date, datetime.datetime):
        return post.date
    return (post.date if post.date.tzinfo is None else post.date.astimezone(datetime.UTC)).date()
