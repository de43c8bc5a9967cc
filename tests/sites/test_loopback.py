"""The real libraries get exactly the posts put in, page by page, and the errors that are scripted."""

import importlib.util
import itertools
import json
import os
import subprocess
import sys
import threading
import types
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import mastodon as mastodon_library
import pytest
import requests
from loopback import Answer, Loopback, json_answer, proxied, refusing
from mastodon_site import mastodon_limit, mastodon_site, status
from snscrape.base import ScraperException
from telegram_site import TelegramPost, telegram_site
from x_site import tweet, x_limit, x_site

START = datetime(2023, 5, 1, 12, tzinfo=UTC)


def day(number: int) -> datetime:
    return START + timedelta(days=number)


def scrapers(name: str) -> types.ModuleType:
    """snscrape.modules.NAME without the package's loader, which fails on Python 3.12."""
    if "snscrape.modules" not in sys.modules:
        package = types.ModuleType("snscrape.modules")
        package.__path__ = [str(Path(importlib.util.find_spec("snscrape").origin).parent / "modules")]
        sys.modules["snscrape.modules"] = package
    return importlib.import_module(f"snscrape.modules.{name}")


@pytest.fixture
def through(monkeypatch):
    """A proxy in the environment of this process, for its `with`."""
    return partial(proxied, monkeypatch)


def search(query: str) -> list:
    twitter = scrapers("twitter")
    scraper = twitter.TwitterSearchScraper(query, retries=0, guestTokenManager=twitter.GuestTokenManager())
    with scraper._session:
        return list(scraper.get_items())


def channel(name: str) -> list:
    scraper = scrapers("telegram").TelegramChannelScraper(name, retries=0)
    with scraper._session:
        return list(scraper.get_items())


@contextmanager
def client(url: str, **options):
    with requests.Session() as session:
        session.trust_env = "127.0.0.1" not in url
        yield mastodon_library.Mastodon(api_base_url=url, session=session, ratelimit_method="throw", **options)


def test_mastodon_pages_a_tag_to_its_end():
    statuses = [status(day(number), f"Jour {number} #Chat") for number in range(45)]
    site = mastodon_site([*statuses, status(day(50), "#chien"), status(day(51), "#chat", visibility="private")])
    newest_first = [int(one["id"]) for one in reversed(statuses)]
    with Loopback(site) as server, client(server.url) as api:
        page, pages = api.timeline_hashtag("chat"), []
        while page:
            pages.append([int(one.id) for one in page])
            page = api.fetch_next(page)
        assert [len(ids) for ids in pages] == [20, 20, 5]
        assert list(itertools.chain(*pages)) == newest_first
        assert [request.query.get("max_id") for request in site.asked()] == [None, *(str(ids[-1]) for ids in pages)]
        assert len(api.timeline_hashtag("chat", limit=100)) == 40
        third, middle = newest_first[2], newest_first[20]
        assert [int(one.id) for one in api.timeline_hashtag("chat", since_id=third)] == newest_first[:2]
        assert [int(one.id) for one in api.timeline_hashtag("chat", min_id=middle, limit=3)] == newest_first[17:20]


def test_mastodon_gives_an_account_its_statuses():
    first = status(day(0), "Bonjour", "zoé")
    reply = status(day(1), "Oui & non", "ana", reply_to=first, warning="repas", language="en")
    boost = status(day(2), "", "ana", reblog=first)
    with (
        Loopback(mastodon_site([first, reply, boost])) as server,
        client(server.url, version_check_mode="created") as api,
    ):
        ana = api.account_lookup("ana@mastodon.example")
        boosted, replied = page = api.account_statuses(ana.id)
        assert api.fetch_next(page) is None
        assert (boosted.reblog.content, boosted.reblog.account.acct) == ("<p>Bonjour</p>", "zoé")
        assert (replied.content, replied.spoiler_text, replied.language) == ("<p>Oui &amp; non</p>", "repas", "en")
        assert (str(replied.in_reply_to_id), replied.created_at) == (first["id"], day(1))
        assert [one.id for one in api.account_statuses(ana.id, exclude_replies=True)] == [boosted.id]
        assert [one.id for one in api.account_statuses(ana.id, exclude_reblogs=True)] == [replied.id]
        with pytest.raises(mastodon_library.MastodonNotFoundError):
            api.account_lookup("nobody")


def test_mastodon_is_reached_by_its_own_name(through):
    with through(mastodon_site([status(START, "#chat")])), client("https://mastodon.example") as api:
        assert [one.content for one in api.timeline_hashtag("chat")] == [
            '<p><a href="https://mastodon.example/tags/chat" class="mention hashtag">#<span>chat</span></a></p>'
        ]
        with (
            client("https://elsewhere.example") as other,
            pytest.raises(mastodon_library.MastodonNetworkError, match="502"),
        ):
            other.timeline_hashtag("chat")


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (mastodon_limit(60), mastodon_library.MastodonRatelimitError),
        (mastodon_limit(None), mastodon_library.MastodonRatelimitError),
        (json_answer({"error": "The access token is invalid"}, 401), mastodon_library.MastodonUnauthorizedError),
        (Answer(500), mastodon_library.MastodonInternalServerError),
        (Answer(200, "<html>Welcome</html>"), mastodon_library.MastodonAPIError),
    ],
)
def test_a_scripted_answer_reaches_mastodon_once(answer, error):
    site = mastodon_site([status(START, "#chat")])
    site.script(answer, at=2)
    with Loopback(site) as server, client(server.url) as api:
        assert len(api.timeline_hashtag("chat")) == 1
        with pytest.raises(error):
            api.timeline_hashtag("chat")
        assert len(api.timeline_hashtag("chat")) == 1


def test_a_limit_says_when_it_ends():
    site = mastodon_site([status(START, "#chat")])
    site.script(mastodon_limit(60))
    with Loopback(site) as server, client(server.url) as api:
        before = datetime.now(UTC).timestamp()
        with pytest.raises(mastodon_library.MastodonRatelimitError):
            api.timeline_hashtag("chat")
        assert before + 58 < api.ratelimit_reset < datetime.now(UTC).timestamp() + 62  # Date has whole seconds


def test_a_page_is_cut_and_an_error_may_last_for_ever():
    site = mastodon_site([status(START, "#chat")])
    site.script(site.cut)
    site.script(Answer(503), at=3, forever=True)
    with Loopback(site) as server, client(server.url) as api:
        with pytest.raises(mastodon_library.MastodonNetworkError, match="IncompleteRead"):
            api.timeline_hashtag("chat")
        assert len(api.timeline_hashtag("chat")) == 1
        for _ in range(3):
            with pytest.raises(mastodon_library.MastodonServiceUnavailableError):
                api.timeline_hashtag("chat")


@pytest.mark.parametrize("token_in_html", [True, False])
def test_x_pages_a_search_to_its_end(through, token_in_html):
    tweets = [tweet(day(number), f"Jour {number} #JeudiConfession & <3") for number in range(45)]
    site = x_site([*tweets, tweet(day(50), "autre chose")], token_in_html=token_in_html)
    with through(site):
        found = search("#jeudiconfession")
    assert [one.id for one in found] == [int(one["rest_id"]) for one in reversed(tweets)]
    assert (found[0].rawContent, found[0].date) == ("Jour 44 #JeudiConfession &amp; &lt;3", day(44))
    assert (found[0].user.username, found[0].hashtags, found[0].lang) == ("ana", ["JeudiConfession"], "fr")
    assert len(site.asked()) == 4  # the last page is empty
    assert len(site.asked("activate.json")) == (not token_in_html)


def test_x_honours_the_operators(through):
    tweets = [tweet(day(n), f"café {n}", "zoe" if n % 2 else "ana", lang="en" if n == 3 else "fr") for n in range(6)]
    fourth = tweets[3]["rest_id"]
    with through(x_site(tweets)):
        for query, expected in {
            "from:ZOE": [5, 3, 1],
            "since:2023-05-03 until:2023-05-05": [3, 2],
            "café lang:en": [3],
            f"café max_id:{fourth}": [3, 2, 1, 0],
            f"café since_id:{fourth}": [5, 4],
            '"café 4"': [4],
        }.items():
            assert [int(one.rawContent.split()[-1]) for one in search(query)] == expected, query


def test_x_tells_replies_retweets_and_quotes(through):
    first = tweet(day(0), "premier", "zoe")
    others = [
        tweet(day(1), "@zoe oui", reply_to=first),
        tweet(day(2), "", retweet=first),
        tweet(day(3), "voyez", quote=first),
    ]
    with through(x_site([first, *others])):
        quote, retweet, reply, plain = search("lang:fr")
    number = int(first["rest_id"])
    assert (plain.id, plain.inReplyToTweetId, plain.retweetedTweet, plain.quotedTweet) == (number, None, None, None)
    assert (reply.inReplyToTweetId, reply.inReplyToUser.username, reply.conversationId) == (number, "zoe", number)
    assert (retweet.rawContent, retweet.retweetedTweet.id) == ("RT @zoe: premier", number)
    assert (quote.quotedTweet.id, quote.quotedTweet.rawContent) == (number, "premier")
    assert json.loads(reply.json())["inReplyToTweetId"] == number


@pytest.mark.parametrize(
    ("answer", "reason"),
    [(x_limit(60), "429"), (Answer(404), "404"), (Answer(403), "403"), (Answer(500, "{}"), "JSON")],
)
def test_x_refuses_a_search(through, caplog, answer, reason):
    site = x_site([tweet(START, "café")])
    site.script(answer)
    with through(site):
        with pytest.raises(ScraperException, match="giving up"):
            search("café")
        assert reason in caplog.text
        assert len(search("café")) == 1


def test_telegram_pages_a_channel_to_its_end(through):
    posts = [TelegramPost("Nouvelles", number, day(number), f"Post {number}") for number in range(1, 46)]
    posts[9] = TelegramPost("Nouvelles", 10, day(10))
    posts[44] = TelegramPost("Nouvelles", 45, day(45), "<b> & https://example.org/page\nfin")
    site = telegram_site([*posts, TelegramPost("autre", 1, START, "ailleurs")])
    with through(site):
        found = channel("nouvelles")
        assert [one.url for one in found] == [f"https://t.me/s/Nouvelles/{number}" for number in range(45, 0, -1)]
        assert [one.date for one in found] == [day(number) for number in range(45, 0, -1)]
        assert (found[35].content, found[1].content) == (None, "Post 44")
        assert (found[0].content, found[0].outlinks) == (
            "<b> & https://example.org/pagefin",
            ["https://example.org/page"],
        )
        assert [request.query.get("before") for request in site.asked()] == [None, "26", "6"]
        assert channel("inconnu") == []
        assert site.requests[-1].path == "/inconnu"


def test_a_cut_page_reaches_snscrape_through_tls(through, caplog):
    site = telegram_site([TelegramPost("c", number, day(number), "x") for number in range(1, 31)])
    site.script(site.cut, at=2)
    with through(site), pytest.raises(ScraperException, match="giving up"):
        channel("c")
    assert "IncompleteRead" in caplog.text


def test_a_subprocess_goes_through_the_proxy_to_any_host():
    command = "import requests; print(requests.get('https://anything.example/a?b=c', timeout=10).status_code)"
    site = refusing(451)
    with Loopback(site) as server:
        environment = {**os.environ, **server.environment()}
        done = subprocess.run(
            [sys.executable, "-c", command], env=environment, capture_output=True, text=True, check=True
        )
    assert done.stdout == "451\n"
    [request] = site.requests
    assert (request.method, request.host, request.path, request.query) == ("GET", "anything.example", "/a", {"b": "c"})


def test_the_network_is_lost_at_a_page(through):
    site = telegram_site([TelegramPost("c", number, day(number), "x") for number in range(1, 31)])
    reached = threading.Event()
    with through(site) as server:
        site.script(lambda _: reached.set(), at=1)
        site.script(lambda _: server.lose_network(), at=2)
        with pytest.raises(ScraperException, match="giving up"):
            channel("c")
    assert reached.is_set()
    assert len(site.asked()) == 2


def test_an_error_in_a_script_is_raised_at_the_end():
    site = refusing(200)
    site.script(lambda request: request.no_such_thing)
    with pytest.raises(AttributeError, match="no_such_thing"), Loopback(site) as server:  # noqa: SIM117
        with pytest.raises(requests.ConnectionError), requests.Session() as session:
            session.get(server.url, timeout=10)
