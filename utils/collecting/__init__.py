"""Posts from sites that still give them: into a raw JSONL file, one line each, without losing or doubling one."""

import datetime
import difflib
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from utils.collecting import mastodon_instances, snscrape_sites
from utils.collecting.posts import Post, Query, SiteError, Source
from utils.collecting.progress import Progress
from utils.collecting.raw_file import RawFile
from utils.errors import DataError, UsageError, UserError

log = logging.getLogger(__name__)

SOURCES = mastodon_instances.SOURCES | snscrape_sites.SOURCES

LONGEST_PAUSE = 300  # seconds between two retries where the site does not say when
OLD_ENOUGH = 20  # posts in a row from before --since; pinned ones stand at the top whatever their age


def checked(query: Query) -> Query:
    """The query with its target in its plain form. Raises UsageError for what the source cannot do."""
    source = SOURCES.get(query.source)
    if source is None:
        near = difflib.get_close_matches(query.source, SOURCES, n=1)
        meant = f"did you mean {near[0]}? " if near else ""
        raise UsageError(f"unknown source {query.source!r}", f"{meant}the sources are: {', '.join(SOURCES)}")
    if query.language and not source.knows_languages:
        raise UsageError(f"{query.source} does not say in which language a post is", "leave --lang away")
    if query.since and query.until and query.since >= query.until:
        raise UsageError(
            f"--since {query.since} is not before --until {query.until}", "--until is the day after the last one"
        )
    return replace(query, target=source.check(query.target))


def collect(query: Query, path: Path, *, limit: int, retries: int, sleep: Callable[[float], None] = time.sleep) -> int:
    """Collect until the file at `path` has `limit` posts or the site has no more; returns how many the file has.

    `query` comes from `checked`. A file from an earlier run is continued: what is newer first, then what is older.
    After an error the site is asked again, up to `retries` times in a row, later and later, with `sleep(seconds)`
    between. Raises UserError where it still refuses, with the posts until then in the file, and DataError where the
    file holds other rows or no post was found.
    """
    source = SOURCES[query.source]
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
    source: Source, query: Query, stretches: dict[str, str], retries: int, wait: Callable[[SiteError, float], None]
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
