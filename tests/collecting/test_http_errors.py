"""The wait before a rate-limiting site is asked again."""

import pytest
from collecting_runs import collect, ids, newest_first, toots
from loopback import Answer, Loopback
from mastodon_site import mastodon_limit, mastodon_site

from utils.errors import UserError


def test_a_rate_limit_with_a_date_is_waited_out(raw, capfd):
    statuses = toots(100)
    site = mastodon_site(statuses)
    site.script(mastodon_limit(90), at=2)
    with Loopback(site) as server:
        slept = collect(raw, f"chat@{server.url}")
    assert ids(raw) == newest_first(statuses)
    assert 85 < sum(slept) <= 91
    assert max(slept) <= 1  # a countdown


@pytest.mark.parametrize("header", ["Retry-After", "X-RateLimit-Reset"])
@pytest.mark.parametrize(
    ("value", "seconds"),
    [("7", 7), ("in a while", 15), ("-3", 15), ("99999999999999999999", 3600), ("2020-01-01T00:00:00Z", 1)],
)
def test_the_headers_of_a_rate_limit_are_explained(raw, header, value, seconds):
    site = mastodon_site(toots(50))
    site.script(Answer(429, headers={header: value}), at=2)
    with Loopback(site) as server:
        assert sum(collect(raw, f"chat@{server.url}")) == pytest.approx(seconds, abs=1)


def test_a_rate_limit_without_a_date_is_waited_for_longer_and_longer(raw):
    site = mastodon_site(toots(50))
    site.script(mastodon_limit(None), forever=True)
    with Loopback(site) as server:
        slept = []
        with pytest.raises(UserError, match="answered 429 Too Many Requests"):
            collect(raw, f"chat@{server.url}", retries=5, sleep=slept.append)
    assert sum(slept) == 15 + 30 + 60 + 120 + 240
    assert not raw.exists()
