"""The raw file: repaired, continued, never mixed with other posts."""

import json
import signal

import pytest
from collecting_runs import ids, newest_first, toots, tweets
from loopback import Loopback
from mastodon_site import mastodon_site
from running import assert_one_error
from x_site import x_site


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
    assert (message in err) if message else ("half-written" not in err)


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
        (
            {"_type": "snscrape.modules.telegram.TelegramPost", "url": "https://t.me/s/news/4"},
            "line 2 is not a post of",
        ),
        ({"id": 4, "text": "hello"}, "line 2 is not a post of"),
        ([1, 2], "line 2 is not a post of"),
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
