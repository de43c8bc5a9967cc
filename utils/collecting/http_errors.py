"""The errors of sites, read from the requests session that a library uses."""

import datetime
import re
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from http.client import responses
from typing import TYPE_CHECKING

from utils.collecting.posts import SiteError

if TYPE_CHECKING:
    import requests

CAUSE = re.compile(r"\b([A-Z]\w*(?:Error|Timeout|Disconnected|Read))\b")
WAIT_HEADERS = ("Retry-After", "X-RateLimit-Reset", "X-Rate-Limit-Reset")  # HTTP, Mastodon, X
RATE_LIMIT_PAUSE = 15  # seconds; doubled five times, it is longer than Mastodon's window of five minutes
LONGEST_WAIT = datetime.timedelta(hours=1)  # even if a site asks for more: X's windows are 15 minutes, Mastodon's 5


class BadResponses:
    """Watches a session; `last` is its last response with an error status since `forget`."""

    def __init__(self, session: "requests.Session"):
        self.last: requests.Response | None = None
        session.hooks["response"].append(self._watch)

    def _watch(self, response: "requests.Response", *args, **kwargs) -> None:
        if response.status_code >= 400:
            self.last = response

    def forget(self) -> None:
        self.last = None

    def error(self, hint: str) -> SiteError:
        """Return the last bad response as an error to raise. Failures of the server and rate limits are transient."""
        status = self.last.status_code
        too_many = status == HTTPStatus.TOO_MANY_REQUESTS
        return SiteError(
            f"answered {status} {self.last.reason or responses.get(status, '')}".rstrip(),
            hint,
            transient=too_many or status >= 500,
            retry_at=_retry_at(self.last) if too_many or status == HTTPStatus.SERVICE_UNAVAILABLE else None,
            pause=RATE_LIMIT_PAUSE if too_many else 1,
        )


def connection_error(host: str, error: object) -> SiteError:
    """Return the error for no response at all; it tells the innermost cause of `error`, an exception or its text."""
    causes = CAUSE.findall(str(error)) or [type(error).__name__]
    return SiteError(f"could not be reached at {host} ({causes[-1]})", "check the name and the network, then try again")


def _retry_at(response: "requests.Response") -> datetime.datetime | None:
    """Return when a rate limit ends; sites write seconds from now, seconds since 1970, or a date."""
    now = datetime.datetime.now(datetime.UTC)
    for header in WAIT_HEADERS:
        value = response.headers.get(header, "").strip()
        if value.isdecimal():
            seconds = int(value) - (now.timestamp() if int(value) > 1e9 else 0)
            return now + datetime.timedelta(seconds=min(max(0, seconds), LONGEST_WAIT.total_seconds()))
        if when := _date(value):
            return min(max(when, now), now + LONGEST_WAIT)
    return None


def _date(value: str) -> datetime.datetime | None:
    """Parse an ISO date or one of HTTP's; without a time zone it is UTC."""
    for parse in (datetime.datetime.fromisoformat, parsedate_to_datetime):
        try:
            when = parse(value)
        except ValueError:
            continue
        return when if when.tzinfo else when.replace(tzinfo=datetime.UTC)
    return None
