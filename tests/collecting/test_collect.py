"""Posts collected from local sites by the real libraries: all of them, once each, whatever happens in between."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from collecting_runs import at, collect, ids, newest_first, toots
from loopback import Answer, Loopback
from mastodon_site import mastodon_site, status
from running import assert_one_error, run_script

import preprocess
from utils.errors import UserError

ROOT = Path(__file__).parent.parent.parent


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


@pytest.mark.parametrize(("language", "kept"), [("fr", [0, 3]), ("pt", [2])])
def test_one_language(raw, scrape, language, kept):
    languages = ["fr", "en", "pt-BR", "fr", None]
    statuses = [status(at(n), f"Toot {n} #chat", language=spoken) for n, spoken in enumerate(languages)]
    with Loopback(mastodon_site(statuses)) as server:
        assert scrape("mastodon-hashtag", f"chat@{server.url}", "--lang", language)[0] == 0
    assert ids(raw) == newest_first([statuses[index] for index in kept])


def test_the_same_command_continues_below_what_it_has(raw):
    statuses = toots(200)
    with Loopback(mastodon_site(statuses)) as server:
        target = f"chat@{server.url}"
        collect(raw, target, limit=90)
        server.sites[0].requests.clear()
        collect(raw, target, limit=130)
        below = [request.query.get("max_id") for request in server.sites[0].asked()]
    assert ids(raw) == newest_first(statuses)[:130]
    assert below == [None, newest_first(statuses)[89]]


def test_newer_posts_and_gaps_are_filled_before_it_continues(raw):
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
            assert f"the collected posts are kept in {raw}; run the same command again to continue" in err
            assert re.search(r"(?m)^interrupted\nto continue: .* --scrape_only$", err)
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
        (["twitter-user", "an a"], "'an a' is not a name: expected at most 20", "as the site does"),
        (["telegram-channel", "the news"], "'the news' is not a name", "as the site does"),
        (["twitter-search", " "], "--scrape is empty", "leave --scrape out"),
        (["telegram-channel", "news", "--lang", "fr"], "does not give the language of posts", "remove --lang"),
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
