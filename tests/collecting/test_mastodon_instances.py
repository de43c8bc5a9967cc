"""Posts of local Mastodon instances, through Mastodon.py."""

from datetime import datetime, timedelta

import pytest
from collecting_runs import DAYS, OF_THE_DAYS, START, at, ids, lines, newest_first, toots
from loopback import Answer, Loopback, json_answer
from mastodon_site import mastodon_site, status
from running import assert_one_error


def test_a_hashtag_of_an_instance(raw, scrape):
    statuses = toots(95)
    other = status(at(3) + timedelta(minutes=1), "Another #chien")
    with Loopback(mastodon_site([*statuses, other])) as server:
        code, out, err = scrape("mastodon-hashtag", f"chat@{server.url}")
        asked = server.sites[0].asked()
    assert (code, out) == (0, f"{raw}\n")
    assert ids(raw) == newest_first(statuses)
    assert [request.query["limit"] for request in asked] == ["40"] * 4
    assert "collected 95/10,000, reached 2023-05-01" in err
    first = lines(raw)[-1]
    assert first["content"].startswith("<p>Toot 0 ")
    assert (first["account"]["acct"], first["language"]) == ("ana", "fr")
    assert datetime.fromisoformat(first["created_at"]) == START


def test_an_account_of_an_instance(raw, scrape):
    statuses = toots(45, account="ana")
    with Loopback(mastodon_site([*statuses, status(at(99), "Mine #chat", "bea")])) as server:
        assert scrape("mastodon-user", f"@ana@{server.url}")[0] == 0
    assert ids(raw) == newest_first(statuses)


def test_days_on_mastodon_start_below_the_last_one(raw, scrape):
    statuses = toots(400)
    with Loopback(mastodon_site(statuses)) as server:
        assert scrape("mastodon-hashtag", f"chat@{server.url}", *DAYS)[0] == 0
        pages = len(server.sites[0].asked())
    assert len(OF_THE_DAYS) == 8
    assert ids(raw) == newest_first([statuses[index] for index in OF_THE_DAYS])
    assert pages <= 3


def test_days_where_ids_do_not_tell_the_time(raw, scrape):
    statuses = toots(95)
    for number, one in enumerate(statuses):
        one["id"] = str(1000 + number)
    with Loopback(mastodon_site(statuses)) as server:
        assert scrape("mastodon-hashtag", f"chat@{server.url}", *DAYS)[0] == 0
    assert ids(raw) == [str(1000 + index) for index in reversed(OF_THE_DAYS)]


def test_a_pinned_old_post_does_not_end_the_days(raw, scrape):
    statuses = toots(60)
    statuses[55]["created_at"] = "2019-01-01T00:00:00.000Z"
    with Loopback(mastodon_site(statuses)) as server:
        assert scrape("mastodon-hashtag", f"chat@{server.url}", "--since", "2023-05-10")[0] == 0
    assert ids(raw) == newest_first([one for index, one in enumerate(statuses) if index >= 34 and index != 55])


@pytest.mark.parametrize(
    ("answer", "problem", "hint"),
    [
        (Answer(200, "<html>Welcome</html>"), "does not answer like a Mastodon server", "another instance"),
        (json_answer({"id": "1", "posts": []}), "does not answer like a Mastodon server", "another instance"),
        (json_answer([{"text": "hello"}]), "does not answer like a Mastodon server", "another instance"),
        (json_answer({"error": "This method requires an authenticated user"}, 401), "401", "MASTODON_ACCESS_TOKEN"),
        (json_answer({"error": "This method requires an authenticated user"}, 422), "422", "MASTODON_ACCESS_TOKEN"),
        (json_answer({"error": "Forbidden"}, 403), "answered 403 Forbidden", "MASTODON_ACCESS_TOKEN"),
        (Answer(404, "<html>"), "answered 404 Not Found", "another instance"),
        (Answer(500), "answered 500 Internal Server Error", "another instance"),
        (Answer(429), "answered 429 Too Many Requests", "another instance"),
        (Answer(599), "answered 599", "another instance"),
    ],
)
def test_an_instance_that_does_not_give_posts(raw, scrape, answer, problem, hint):
    with Loopback(mastodon_site([])) as server:
        server.sites[0].script(answer, on="", forever=True)
        code, out, err = scrape("mastodon-hashtag", f"chat@{server.url}")
    assert (code, out) == (1, "")
    assert hint in assert_one_error(err, problem)
    assert not raw.exists()


def test_the_access_token_is_sent_and_never_shown(raw, scrape, monkeypatch):
    monkeypatch.setenv("MASTODON_ACCESS_TOKEN", "secret-token")
    site = mastodon_site(toots(3))
    with Loopback(site) as server:
        _, _, err = scrape("mastodon-hashtag", f"chat@{server.url}")
        site.script(Answer(500), forever=True)
        err += scrape("mastodon-hashtag", f"chat@{server.url}")[2]
    assert {request.headers["authorization"] for request in site.asked()} == {"Bearer secret-token"}
    written = "".join(path.read_text() for path in raw.parent.iterdir())
    assert "secret-token" not in err + written


def test_an_instance_that_does_not_exist(raw, scrape):
    code, _, err = scrape("mastodon-hashtag", "chat@nowhere.invalid")
    assert code == 1
    assert_one_error(err, "mastodon-hashtag chat@nowhere.invalid", "could not be reached at nowhere.invalid")


def test_an_account_that_does_not_exist(raw, scrape):
    with Loopback(mastodon_site(toots(3))) as server:
        code, _, err = scrape("mastodon-user", f"nobody@{server.url}")
    assert code == 1
    assert_one_error(err, "answered 404 Not Found")


def test_a_tag_that_nobody_used(raw, scrape):
    with Loopback(mastodon_site(toots(3))) as server:
        code, _, err = scrape("mastodon-hashtag", f"chien@{server.url}")
    assert code == 3
    assert_one_error(err, "has no posts for: mastodon-hashtag chien@")
    assert not raw.exists()
