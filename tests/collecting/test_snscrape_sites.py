"""Posts of local sites that look like X and Telegram, through snscrape."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from collecting_runs import DAYS, OF_THE_DAYS, at, collect, ids, lines, newest_first, telegram_posts, tweets
from loopback import Answer, Loopback, json_answer, refusing
from running import assert_one_error
from telegram_site import TelegramPost, telegram_site
from x_site import tweet, x_limit, x_site

from utils.collecting.collect import SITES
from utils.errors import DataError, UserError

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize(
    ("source", "target"), [("twitter-hashtag", "chat"), ("twitter-search", "Tweet"), ("twitter-user", "@ana")]
)
@pytest.mark.parametrize("token_in_html", [True, False])
def test_xs_search(raw, scrape, behind_proxy, source, target, token_in_html):
    found = tweets(45)
    with behind_proxy(x_site([*found, tweet(at(99), "Other #chien", "bea")], token_in_html=token_in_html)):
        code, _, err = scrape(source, target)
    assert (code, ids(raw)) == (0, newest_first(found)), err
    first = lines(raw)[-1]
    assert (first["_type"], first["rawContent"], first["lang"]) == (
        "snscrape.modules.twitter.Tweet",
        "Tweet 0 #chat",
        "fr",
    )
    assert first["_snscrape"] == "0.7.0.20230622"


def test_a_telegram_channel(raw, scrape, behind_proxy):
    posts = [*telegram_posts(44), TelegramPost("news", 45, at(45), "Two\nlines"), TelegramPost("news", 46, at(46))]
    with behind_proxy(telegram_site(posts)):
        assert scrape("telegram-channel", "news")[0] == 0
    assert [row["url"] for row in lines(raw)] == [f"https://t.me/s/news/{number}" for number in range(46, 0, -1)]
    assert [row["content"] for row in lines(raw)[:2]] == [None, "Two\nlines"]


def test_days_on_x_and_telegram(raw, tmp_path, scrape, behind_proxy):
    found = tweets(95)
    with behind_proxy(x_site(found), telegram_site(telegram_posts(95))):
        assert scrape("twitter-hashtag", "chat", *DAYS)[0] == 0
        assert ids(raw) == newest_first([found[index] for index in OF_THE_DAYS])
        raw.unlink()
        assert scrape("telegram-channel", "news", *DAYS)[0] == 0
    assert [row["content"] for row in lines(raw)] == [f"Post {index}" for index in reversed(OF_THE_DAYS)]


def test_one_language_of_x(raw, scrape, behind_proxy):
    english = tweet(at(1), "Two #chat", lang="en")
    with behind_proxy(x_site([tweet(at(0), "Un #chat"), english])) as server:
        assert scrape("twitter-hashtag", "chat", "--lang", "en")[0] == 0
        variables = json.loads(server.sites[0].asked()[0].query["variables"])
    assert ids(raw) == [english["rest_id"]]
    assert variables["rawQuery"] == "#chat lang:en"


@pytest.mark.parametrize(
    ("source", "site", "target"),
    [
        ("twitter-hashtag", lambda: x_site(tweets(95)), "chat"),
        ("telegram-channel", lambda: telegram_site(telegram_posts(95)), "news"),
    ],
)
def test_snscrapes_sources_go_on_too(raw, behind_proxy, source, site, target):
    with behind_proxy(site()) as server:
        collect(raw, target, source, limit=30)
        server.sites[0].requests.clear()
        collect(raw, target, source)
        assert len(server.sites[0].asked()) <= 6
    urls = [row["url"] for row in lines(raw)]
    assert len(urls) == len(set(urls)) == 95


@pytest.mark.parametrize("cut", [1, 2, 3])
def test_xs_pages_that_are_cut(raw, behind_proxy, cut):
    """A cut first page is no site that can be asked again later; it may never have been one."""
    found = tweets(45)
    site = x_site(found)
    site.script(site.cut, at=cut)
    with behind_proxy(site):
        if cut == 1:
            with pytest.raises(UserError, match=r"could not be reached at twitter\.com"):
                collect(raw, "chat", "twitter-hashtag")
        else:
            assert collect(raw, "chat", "twitter-hashtag") == [1]
            assert ids(raw) == newest_first(found)


def test_xs_rate_limit(raw, behind_proxy):
    found = tweets(45)
    site = x_site(found)
    site.script(x_limit(60), at=2)
    with behind_proxy(site):
        slept = collect(raw, "chat", "twitter-hashtag")
    assert 55 < sum(slept) <= 60
    assert ids(raw) == newest_first(found)


def test_the_answer_of_x_today_is_explained(raw, scrape, behind_proxy):
    site = x_site(tweets(45))
    with behind_proxy(site):
        assert scrape("twitter-hashtag", "chat", "--limit", 25)[0] == 0
        site.script(Answer(404), forever=True)
        code, out, err = scrape("twitter-hashtag", "chat")
    assert (code, out) == (1, "")
    hint = assert_one_error(
        err, f"twitter-hashtag chat: X answered 404 Not Found; 25 posts are kept in {raw}", "error: "
    )
    assert all(way in hint for way in ("export", "X archive", "mastodon-hashtag"))
    assert len(ids(raw)) == 25


def test_an_answer_that_snscrape_does_not_know(raw, scrape, behind_proxy):
    site = x_site(tweets(3))
    site.script(json_answer({"data": {"search": []}}), forever=True)
    with behind_proxy(site):
        code, _, err = scrape("twitter-hashtag", "chat")
    assert code == 1
    assert "X archive" in assert_one_error(err, "X sent an answer in a form that snscrape does not know (KeyError:")


def test_a_telegram_name_without_a_public_channel(raw, scrape, behind_proxy):
    with behind_proxy(telegram_site(telegram_posts(3))):
        code, _, err = scrape("telegram-channel", "someone")
    assert code == 1
    assert_one_error(err, "Telegram says: No public post list for this user")


@pytest.mark.parametrize("source", [name for name in SITES if not name.startswith("mastodon")])
def test_every_source_of_snscrape_can_be_asked_and_says_who_refused(raw, behind_proxy, source):
    """That its scraper exists and takes one target is seen by a request that reaches the site."""
    site = refusing(404)
    with behind_proxy(site), pytest.raises((UserError, DataError)) as caught:
        collect(raw, "chat", source, retries=0)
    assert site.requests
    assert caught.value.exit_code == 1
    assert SITES[source].name in caught.value.problem
    assert not raw.exists()


def test_only_the_module_that_is_needed_is_imported(tmp_path):
    """The package's own loader imports all of them, and does not work on Python 3.12."""
    code = (
        "import sys; from utils.collecting import collect; from utils.collecting.posts import Query, SiteError\n"
        "assert not {'snscrape', 'mastodon', 'requests'} & sys.modules.keys()\n"
        "try: next(collect.SITES['telegram-channel'].posts(Query('telegram-channel', 'news'), None))\n"
        "except SiteError: print(*(name for name in sys.modules if name.startswith('snscrape.modules')))\n"
    )
    with Loopback(refusing(404)) as server:
        environment = {**os.environ, **server.environment(), "PYTHONPATH": str(ROOT)}
        result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert result.stdout.split() == ["snscrape.modules", "snscrape.modules.telegram"], result.stderr
