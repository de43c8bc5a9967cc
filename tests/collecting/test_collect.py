"""Posts collected by the real libraries from local sites: all of them, once each, whatever happens in between."""

import json
import os
import signal
import subprocess
import sys
import threading
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from loopback import Answer, Loopback, json_answer, proxied, refusing
from mastodon_site import mastodon_limit, mastodon_site, status
from running import assert_one_error, run_script
from telegram_site import TelegramPost, telegram_site
from x_site import tweet, x_limit, x_site

import preprocess
from utils.collecting.collect import SITES, collect_posts, validate_query
from utils.collecting.posts import Query
from utils.errors import DataError, UserError

ROOT = Path(__file__).parent.parent.parent
START = datetime(2023, 5, 1, 12, tzinfo=UTC)


def at(number: int) -> datetime:
    """Six hours a post: four posts a day."""
    return START + timedelta(hours=6 * number)


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


@pytest.fixture
def raw(tmp_path) -> Path:
    return tmp_path / "raw" / "posts.jsonl"


@pytest.fixture
def behind_proxy(monkeypatch):
    """Sites at their real https addresses, for libraries that have these built in."""
    return partial(proxied, monkeypatch)


@pytest.fixture
def scrape(raw, capsys):
    """Run preprocess.py --scrape_only: (exit code, stdout, stderr)."""

    def run(source, target, *words):
        words = ("--scrape", source, target, "--scrape_only", "--data_path", raw, "--retries", 0, *words)
        code = run_script(preprocess.main, *words)
        return code, *capsys.readouterr()

    return run


def collect(raw, target, source="mastodon-hashtag", limit=1000, retries=5, sleep=None, **query):
    """`collecting.collect` with a clock of its own: returns the seconds that it would have slept."""
    slept = []
    query = validate_query(Query(source, target, **query))
    collect_posts(query, raw, limit=limit, retries=retries, sleep=sleep or slept.append)
    return slept


# What is collected


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


def test_the_limit_counts_what_the_file_has(raw, scrape):
    statuses = toots(95)
    with Loopback(mastodon_site(statuses)) as server:
        target = f"chat@{server.url}"
        assert scrape("mastodon-hashtag", target, "--limit", 10)[0] == 0
        assert ids(raw) == newest_first(statuses)[:10]
        scrape("mastodon-hashtag", target, "--limit", 50)
        assert ids(raw) == newest_first(statuses)[:50]
        before = len(server.sites[0].requests)
        code, _, err = scrape("mastodon-hashtag", target, "--limit", 50)
        assert (code, len(server.sites[0].requests)) == (0, before)
    assert "collected 50/50, nothing new" in err


DAYS = ("--since", "2023-05-04", "--until", "2023-05-06")  # the 4th and the 5th
OF_THE_DAYS = [index for index in range(95) if date(2023, 5, 4) <= at(index).date() < date(2023, 5, 6)]


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


def test_days_on_x_and_telegram(raw, tmp_path, scrape, behind_proxy):
    found = tweets(95)
    with behind_proxy(x_site(found), telegram_site(telegram_posts(95))):
        assert scrape("twitter-hashtag", "chat", *DAYS)[0] == 0
        assert ids(raw) == newest_first([found[index] for index in OF_THE_DAYS])
        raw.unlink()
        assert scrape("telegram-channel", "news", *DAYS)[0] == 0
    assert [row["content"] for row in lines(raw)] == [f"Post {index}" for index in reversed(OF_THE_DAYS)]


def test_a_pinned_old_post_does_not_end_the_days(raw, scrape):
    statuses = toots(60)
    statuses[55]["created_at"] = "2019-01-01T00:00:00.000Z"
    with Loopback(mastodon_site(statuses)) as server:
        assert scrape("mastodon-hashtag", f"chat@{server.url}", "--since", "2023-05-10")[0] == 0
    assert ids(raw) == newest_first([one for index, one in enumerate(statuses) if index >= 34 and index != 55])


@pytest.mark.parametrize(("language", "kept"), [("fr", [0, 3]), ("pt", [2])])
def test_one_language(raw, scrape, language, kept):
    languages = ["fr", "en", "pt-BR", "fr", None]
    statuses = [status(at(n), f"Toot {n} #chat", language=spoken) for n, spoken in enumerate(languages)]
    with Loopback(mastodon_site(statuses)) as server:
        assert scrape("mastodon-hashtag", f"chat@{server.url}", "--lang", language)[0] == 0
    assert ids(raw) == newest_first([statuses[index] for index in kept])


def test_one_language_of_x(raw, scrape, behind_proxy):
    english = tweet(at(1), "Two #chat", lang="en")
    with behind_proxy(x_site([tweet(at(0), "Un #chat"), english])) as server:
        assert scrape("twitter-hashtag", "chat", "--lang", "en")[0] == 0
        variables = json.loads(server.sites[0].asked()[0].query["variables"])
    assert ids(raw) == [english["rest_id"]]
    assert variables["rawQuery"] == "#chat lang:en"


# Going on


def test_the_same_command_goes_on_below_what_it_has(raw):
    statuses = toots(200)
    with Loopback(mastodon_site(statuses)) as server:
        target = f"chat@{server.url}"
        collect(raw, target, limit=90)
        server.sites[0].requests.clear()
        collect(raw, target, limit=130)
        below = [request.query.get("max_id") for request in server.sites[0].asked()]
    assert ids(raw) == newest_first(statuses)[:130]
    assert below == [None, newest_first(statuses)[89]]


def test_newer_posts_and_gaps_are_filled_before_it_goes_on(raw):
    """Two runs that were cut short leave a gap between what they collected."""
    statuses = toots(100)
    with Loopback(mastodon_site(statuses)) as server:
        target = f"chat@{server.url}"
        collect(raw, target, limit=50)  # 99 … 50
        statuses += [status(at(index), f"Toot {index} #chat") for index in range(100, 200)]
        collect(raw, target, limit=80)  # 199 … 170
        collect(raw, target)
        assert len(ids(raw)) == len(set(ids(raw))) == 200
        assert set(ids(raw)) == set(newest_first(statuses))
        server.sites[0].requests.clear()
        collect(raw, target)
        assert len(server.sites[0].asked()) <= 6  # it jumps over the stretches that it has


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


@pytest.mark.parametrize(
    ("end", "repaired", "message"),
    [
        (b'{"id": "7", "uri": "h', b"", "removed a half-written last line (21 bytes)"),
        (b"\n\n", b"\n\n", ""),
        (b"", b"", ""),
    ],
)
def test_a_half_written_last_line_is_repaired(raw, scrape, end, repaired, message):
    statuses = toots(10)
    with Loopback(mastodon_site(statuses)) as server:
        target = f"chat@{server.url}"
        scrape("mastodon-hashtag", target, "--limit", 4)
        whole = raw.read_bytes()
        raw.write_bytes(whole + end)
        code, _, err = scrape("mastodon-hashtag", target)
    assert code == 0
    assert raw.read_bytes().startswith(whole + repaired)
    rest = raw.read_bytes()[len(whole + repaired) :].splitlines()
    assert [json.loads(line)["id"] for line in rest] == newest_first(statuses)[4:]
    assert (message in err) if message else ("half" not in err)


def test_a_last_line_that_lacks_its_end_alone_is_kept(raw, scrape):
    statuses = toots(10)
    with Loopback(mastodon_site(statuses)) as server:
        target = f"chat@{server.url}"
        scrape("mastodon-hashtag", target, "--limit", 4)
        raw.write_bytes(raw.read_bytes().removesuffix(b"\n"))
        scrape("mastodon-hashtag", target)
    assert ids(raw) == newest_first(statuses)


def test_a_file_of_another_tool_is_continued(raw, scrape, behind_proxy):
    """snscrape's own command line writes the same rows, and no note of their origin."""
    found = tweets(45)
    with behind_proxy(x_site(found)):
        scrape("twitter-hashtag", "chat", "--limit", 10)
        raw.with_name(raw.name + ".origin").unlink()
        assert scrape("twitter-hashtag", "chat")[0] == 0
    assert ids(raw) == newest_first(found)


# Interruptions


def script(raw, server, *words, source="mastodon-hashtag", target=None):
    """preprocess.py as a process, collecting."""
    target = target or f"chat@{server.url}"
    words = ["--scrape", source, target, "--data_path", str(raw), "--scrape_only", *words]
    return subprocess.Popen(
        [sys.executable, str(ROOT / "preprocess.py"), *words],
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(("signal_sent", "code"), [(signal.SIGKILL, -9), (signal.SIGINT, 130)])
def test_an_end_in_the_middle_loses_nothing(raw, signal_sent, code):
    """The third page is not answered before the process is gone: two pages are in the file, whole."""
    statuses = toots(200)
    site, reached, gone = mastodon_site(statuses), threading.Event(), threading.Event()

    def hold(request):
        reached.set()
        gone.wait(60)

    site.script(hold, at=3)
    with Loopback(site) as server:
        process = script(raw, server)
        assert reached.wait(60)
        process.send_signal(signal_sent)
        out, err = process.communicate(timeout=60)
        gone.set()
        assert (process.returncode, out) == (code, "")
        assert ids(raw) == newest_first(statuses)[:80]
        if signal_sent == signal.SIGINT:
            assert f"{raw} keeps what was collected; the same command goes on from here" in err
            assert err.endswith("interrupted\n")
            assert "Traceback" not in err
        collect(raw, f"chat@{server.url}")
    assert ids(raw) == newest_first(statuses)


def test_a_lost_network_is_waited_for(raw):
    statuses = toots(100)
    site = mastodon_site(statuses)
    site.script(site.cut, site.cut, at=2)
    with Loopback(site) as server:
        assert collect(raw, f"chat@{server.url}") == [1, 1, 1]
    assert ids(raw) == newest_first(statuses)


def test_a_network_that_stays_lost(raw, capsys):
    statuses = toots(100)
    site = mastodon_site(statuses)
    with Loopback(site) as server:
        target = f"chat@{server.url}"
        site.script(lambda request: server.lose_network(), at=2)
        with pytest.raises(UserError) as caught:
            collect(raw, target, retries=2)
    assert caught.value.exit_code == 1
    assert f"could not be reached at {server.url[7:]}" in caught.value.problem
    assert f"40 posts are kept in {raw}" in caught.value.problem
    assert ids(raw) == newest_first(statuses)[:40]


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


def test_a_full_disk_keeps_whole_lines(raw, scrape, monkeypatch):
    resource = pytest.importorskip("resource", reason="file size limits are POSIX's")
    statuses = toots(40)
    with Loopback(mastodon_site(statuses)) as server:
        limit = resource.getrlimit(resource.RLIMIT_FSIZE)
        handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limit[1]))
        try:
            code, _, err = scrape("mastodon-hashtag", f"chat@{server.url}")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limit)
            signal.signal(signal.SIGXFSZ, handler)
        assert code == 1
        assert_one_error(err, f"cannot write {raw}")
        kept = ids(raw)
        assert kept == newest_first(statuses)[: len(kept)]
        scrape("mastodon-hashtag", f"chat@{server.url}")
    assert ids(raw) == newest_first(statuses)


# Rate limits and errors


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
def test_what_the_headers_of_a_rate_limit_say(raw, header, value, seconds):
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


def test_xs_rate_limit(raw, behind_proxy):
    found = tweets(45)
    site = x_site(found)
    site.script(x_limit(60), at=2)
    with behind_proxy(site):
        slept = collect(raw, "chat", "twitter-hashtag")
    assert 55 < sum(slept) <= 60
    assert ids(raw) == newest_first(found)


def test_an_error_for_ever_ends_after_the_retries(raw, scrape):
    site = mastodon_site(toots(100))
    site.script(Answer(500), at=2, forever=True)
    with Loopback(site) as server:
        slept = []
        with pytest.raises(UserError) as caught:
            collect(raw, f"chat@{server.url}", retries=4, sleep=slept.append)
        assert sum(slept) == 1 + 2 + 4 + 8
        assert len(site.asked()) == 6
    target = f"chat@{server.url}"
    assert caught.value.problem == (
        f"mastodon-hashtag {target}: the instance answered 500 Internal Server Error; 40 posts are kept in {raw}"
    )
    assert len(ids(raw)) == 40


def test_a_success_resets_the_retries(raw):
    site = mastodon_site(toots(200))
    for page in (2, 4, 6):
        site.script(Answer(503), at=page)
    with Loopback(site) as server:
        assert collect(raw, f"chat@{server.url}", retries=1) == [1, 1, 1]
    assert len(ids(raw)) == 200


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


def test_what_x_answers_today(raw, scrape, behind_proxy):
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
    assert "X archive" in assert_one_error(err, "X answered in a form that snscrape does not know (KeyError:")


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
    assert SITES[source].site in caught.value.problem
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


# The command line


@pytest.mark.parametrize(
    ("words", "problem", "hint"),
    [
        (
            ["mastodn-hashtag", "chat@here.example"],
            "unknown source 'mastodn-hashtag'",
            "did you mean mastodon-hashtag",
        ),
        (["pigeon", "chat"], "unknown source 'pigeon'", "twitter-hashtag, twitter-search"),
        (["twitter-hashtag", "#JeudiConfession"], "'#JeudiConfession' is not a hashtag", "write JeudiConfession"),
        (["twitter-hashtag", "jeudi confession"], "is not a hashtag", "write jeudiconfession"),
        (["mastodon-hashtag", "#chat@here.example"], "'#chat' is not a hashtag", "write chat"),
        (["mastodon-hashtag", "un chat@here.example"], "'un chat' is not a hashtag", "write unchat"),
        (["mastodon-hashtag", "chat"], "does not name a Mastodon instance", "chat@INSTANCE"),
        (["mastodon-hashtag", "@here.example"], "does not name a Mastodon instance", "here.example@INSTANCE"),
        (["mastodon-user", "ana@not a host"], "does not name a Mastodon instance", "ana@INSTANCE"),
        (["mastodon-user", "a na@here.example"], "'a na' is not an account", "NAME@INSTANCE"),
        (["twitter-user", "an a"], "'an a' is not a name on X", "as X does"),
        (["telegram-channel", "the news"], "'the news' is not a name", "as the site does"),
        (["twitter-search", " "], "nothing to search for", "some words"),
        (["telegram-channel", "news", "--lang", "fr"], "does not say in which language", "leave --lang away"),
        (
            ["twitter-hashtag", "chat", "--since", "2023-05-02", "--until", "2023-05-02"],
            "is not before --until",
            "the day after",
        ),
        (["twitter-hashtag", "chat", "--since", "May"], "'May' is not a date", "--help"),
        (["twitter-hashtag", "chat", "--limit", "0"], "at least 1", "--help"),
    ],
)
def test_a_command_that_cannot_be_used(raw, scrape, words, problem, hint):
    code, out, err = scrape(*words)
    assert (code, out) == (2, "")
    assert hint in assert_one_error(err, problem)
    assert not raw.parent.exists()


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--scrape_only", "--data_path", "x.jsonl"], "--scrape_only needs --scrape"),
        (["--since", "2023-05-01", "--data_path", "x.csv"], "--since needs --scrape"),
        (["--limit", 5, "--data_path", "x.csv"], "--limit needs --scrape"),
        (["--scrape", "twitter-hashtag", "chat", "--data_path", "x.csv"], "expected one .jsonl file"),
        (["--scrape", "twitter-hashtag", "chat", "--data_path", "x.jsonl", "y.jsonl"], "expected one .jsonl file"),
    ],
)
def test_flags_that_do_not_go_together(tmp_path, monkeypatch, capsys, words, problem):
    monkeypatch.chdir(tmp_path)
    assert run_script(preprocess.main, *words) == 2
    assert_one_error(capsys.readouterr().err, problem)


def test_a_file_with_the_posts_of_another_query(raw, scrape):
    with Loopback(mastodon_site(toots(10))) as server:
        scrape("mastodon-hashtag", f"chat@{server.url}")
        before = raw.read_bytes()
        code, _, err = scrape("mastodon-user", f"ana@{server.url}")
    assert code == 3
    hint = assert_one_error(err, f"{raw} holds the posts of: --scrape mastodon-hashtag chat@{server.url}")
    assert "another --data_path" in hint
    assert raw.read_bytes() == before


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"_type": "snscrape.modules.telegram.TelegramPost", "url": "https://t.me/s/news/4"}, "line 2 is no post of"),
        ({"id": 4, "text": "hello"}, "line 2 is no post of"),
        ([1, 2], "line 2 is no post of"),
        (None, "line 2: invalid JSON"),
    ],
)
def test_a_file_with_the_rows_of_another_source(raw, scrape, row, problem):
    with Loopback(mastodon_site(toots(10))) as server:
        scrape("mastodon-hashtag", f"chat@{server.url}", "--limit", 1)
        raw.with_name(raw.name + ".origin").unlink()
        with raw.open("a") as file:
            file.write(("{" if row is None else json.dumps(row)) + "\n{}\n")
        before = raw.read_bytes()
        code, _, err = scrape("mastodon-hashtag", f"chat@{server.url}")
    assert code == 3
    assert_one_error(err, problem)
    assert raw.read_bytes() == before


def test_json_for_machines(raw, scrape):
    with Loopback(mastodon_site(toots(10))) as server:
        _, out, _ = scrape("mastodon-hashtag", f"chat@{server.url}", "--json")
    assert json.loads(out) == {"data_path": str(raw), "posts": 10}


def test_a_bar_with_a_countdown_on_a_terminal(raw):
    pty, termios = (pytest.importorskip(name, reason="terminals are POSIX's") for name in ("pty", "termios"))
    site = mastodon_site(toots(50))
    site.script(Answer(429, headers={"Retry-After": "2"}), at=2)
    with Loopback(site) as server:
        ours, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, (24, 150))
        words = ["--scrape", "mastodon-hashtag", f"chat@{server.url}", "--data_path", str(raw), "--scrape_only"]
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "preprocess.py"), *words, "--limit", "50"], stderr=theirs, stdout=theirs
        )
        os.close(theirs)
        shown = b""
        try:
            while part := os.read(ours, 4096):
                shown += part
        except OSError:  # how Linux says that the other side has closed
            pass
        os.close(ours)
        assert process.wait(60) == 0
    for part in ("the instance answered 429 Too Many Requests; asking again at", "waiting 0:02", "waiting 0:01"):
        assert part in shown.decode()
    for part in ("50/50", "reached 2023-05-01", "posts/s"):
        assert part in shown.decode()
