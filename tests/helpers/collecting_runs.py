"""Posts of the local sites, and the output of collecting them."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from mastodon_site import status
from telegram_site import TelegramPost
from x_site import tweet

from utils.collecting.collect import collect_posts, validate_query
from utils.collecting.posts import Query

START = datetime(2023, 5, 1, 12, tzinfo=UTC)


def at(number: int) -> datetime:
    """Six hours a post: four posts a day."""
    return START + timedelta(hours=6 * number)


DAYS = ("--since", "2023-05-04", "--until", "2023-05-06")  # the 4th and the 5th
OF_THE_DAYS = [index for index in range(95) if date(2023, 5, 4) <= at(index).date() < date(2023, 5, 6)]


def toots(number: int, **options) -> list[dict]:
    return [status(at(index), f"Toot {index} #chat", **options) for index in range(number)]


def tweets(number: int, **options) -> list[dict]:
    return [tweet(at(index), f"Tweet {index} #chat", **options) for index in range(number)]


def telegram_posts(number: int) -> list[TelegramPost]:
    return [TelegramPost("news", index + 1, at(index), f"Post {index}") for index in range(number)]


def lines(path: Path) -> list[dict]:
    content = path.read_text(encoding="utf-8")
    assert content.endswith("\n")
    return [json.loads(line) for line in content.splitlines()]


def ids(path: Path) -> list[str]:
    return [str(row["id"]) for row in lines(path)]


def newest_first(statuses: list[dict]) -> list[str]:
    """The ids of Mastodon's statuses or X's tweets, as their site gives them."""
    return sorted((one.get("rest_id") or one["id"] for one in statuses), key=int, reverse=True)


def collect(raw, target, source="mastodon-hashtag", limit=1000, retries=5, sleep=None, **query):
    """`collecting.collect` with a clock of its own: returns the seconds that it would have slept."""
    slept = []
    query = validate_query(Query(source, target, **query))
    collect_posts(query, raw, limit=limit, retries=retries, sleep=sleep or slept.append)
    return slept
