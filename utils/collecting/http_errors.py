"""The last bad answer of a site, read off the requests session that a library uses."""

import datetime
import re
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING

from utils.collecting.posts import SiteError

if TYPE_CHECKING:
    import requests

TOO_MANY_REQUESTS, UNAVAILABLE = 429, 503
CAUSE = re.compile(r"\b([A-Z]\w*(?:Error|Timeout|Disconnected|Read))\b")
WAIT_HEADERS = ("Retry-After", "X-RateLimit-Reset", "X-Rate-Limit-Reset")  # HTTP, Mastodon, X
RATE_LIMIT_PAUSE = 15  # seconds; doubled five times it outlasts Mastodon's window of five minutes
LONGEST_WAIT = datetime.timedelta(hours=1)  # whatever a site says: X's windows are 15 minutes, Mastodon's 5


class BadResponses:
    """Watches a session; `bad` is its last answer with an error status since `forget`."""

    def __init__(self, session: "requests.Session"):
        self.bad: requests.Response | None = None
        session.hooks["response"].append(self._see)

    def _see(self, response: "requests.Response", *args, **kwargs) -> None:
        if response.status_code >= 400:
            self.bad = response

    def forget(self) -> None:
        self.bad = None

    def error(self, hint: str) -> SiteError:
        """The last bad answer as an error to raise. Servers' own failures and rate limits pass."""
        status = self.bad.status_code
        return SiteError(
            f"answered {status} {_reason(self.bad)}".rstrip(),
            hint,
            transient=status == TOO_MANY_REQUESTS or status >= 500,
            after=_ask_again_at(self.bad) if status in (TOO_MANY_REQUESTS, UNAVAILABLE) else None,
            pause=RATE_LIMIT_PAUSE if status == TOO_MANY_REQUESTS else 1,
        )


def connection_error(host: str, error: object) -> SiteError:
    """No answer at all. `error` is an exception or its text, of which the innermost cause is told."""
    causes = CAUSE.findall(str(error)) or [type(error).__name__]
    return SiteError(f"could not be reached at {host} ({causes[-1]})", "check the name and the network, then try again")


def _reason(response: "requests.Response") -> str:
    if response.reason:
        return response.reason
    try:
        return HTTPStatus(response.status_code).phrase
    except ValueError:
        return ""


def _ask_again_at(response: "requests.Response") -> datetime.datetime | None:
    """When a rate limit ends: seconds from now, seconds since 1970, or a date, whichever the site writes."""
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
    """An ISO date or one of HTTP's; without a zone it is UTC."""
    for parse in (datetime.datetime.fromisoformat, parsedate_to_datetime):
        try:
            when = parse(value)
        except ValueError:
            continue
        return when if when.tzinfo else when.replace(tzinfo=datetime.UTC)
    return None
