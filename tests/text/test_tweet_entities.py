"""Retweet prefixes, links, mentions and hashtags, through `clean` with one kind of cleaning."""

import pytest
from cleanings import NOTHING, only

from utils.text.cleaning import Cleaning, clean


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("RT @bob: hello", "hello"),
        ("rt @bob hello", "hello"),
        ("RT @a: RT @b: hello", "hello"),
        ("RT ＠bob: hello", "hello"),
        ("RT if you agree, RT @bob", "RT if you agree, RT @bob"),
        ("ART @bob: x", "ART @bob: x"),
    ],
)
def test_retweet_prefix(text, cleaned):
    assert clean(text, only(retweet_prefix="remove")) == cleaned
    assert clean(text, NOTHING) == text


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("see https://t.co/AbC9. Next", "see . Next"),
        ("see HTTP://X.FR/A, Www.Site.com! pic.twitter.com/abc t.co/a1", "see , !"),
        ("https://x.fr/à-la-une?a=b&c=d;e#f~g%20h: ok", ": ok"),
        ("(https://fr.wikipedia.org/wiki/Film_(1965)) (http://x.fr/a)", "( ) ( )"),
        ('[here](http://x.fr), «http://x.fr» "http://x.fr"', '[here]( ), « » " "'),
        ("glued:https://t.co/abc東京", "glued: 東京"),
        ("a https:/… b https://t… c https… d http://… e https://t.co/a…", "a b c d e"),
        ("http://user:pass@x.fr:80/@me/#top", ""),
        ("pinterest.co/a at.co/b nawww.yes bob@www.x.fr", "pinterest.co/a at.co/b nawww.yes bob@www.x.fr"),
        ("http is a protocol; https: too", "http is a protocol; https: too"),
    ],
)
def test_urls(text, cleaned):
    assert clean(text, only(urls="remove")) == cleaned
    assert clean(text, NOTHING) == text


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("@bob hi @Zoé_1!", "hi !"),
        ("＠bob @@bob ok", "ok"),
        (".@bob says “.@bob”", "says “ ”"),
        ("@bob@mastodon.social. yes", ". yes"),
        ("(@bob) --@bob w/@bob @bob's", "( ) -- w/ 's"),
        ("は@bobさん", "は さん"),
        ("jean.dupont@site.fr andré@site.fr a+b@x.org", "jean.dupont@site.fr andré@site.fr a+b@x.org"),
        ("lol @ you @ 5", "lol @ you @ 5"),
    ],
)
def test_mentions(text, cleaned):
    assert clean(text, only(mentions="remove")) == cleaned
    assert clean(text, NOTHING) == text


@pytest.mark.parametrize(
    ("text", "removed", "unhashed"),
    [
        ("a #été b", "a b", "a été b"),
        ("#東京 #हिन्दी #می‌خواهم #e\u0301te\u0301 ＃ok", "", "東京 हिन्दी می‌خواهم e\u0301te\u0301 ok"),
        ("(#tag), #13Novembre #a_b!", "( ), !", "(tag), 13Novembre a_b!"),
        ("#one#two", "", "one two"),
        ("# alone #1 C# x#y &#bad /#top", "# alone #1 C# x#y &#bad /#top", "# alone #1 C# x#y &#bad /#top"),
    ],
)
def test_hashtags(text, removed, unhashed):
    assert clean(text, only(hashtags="remove")) == removed
    assert clean(text, only(hashtags="unhash")) == unhashed
    assert clean(text, NOTHING) == text


def test_kept_links_stay_whole():
    text = "https://server.org/@bob/a#top www.x.fr/@bob"
    cleaning = Cleaning(urls="keep", hashtags="remove")
    assert clean(text, cleaning) == text
    assert clean(f"@bob {text} #tag", cleaning) == text


def test_links_mentions_and_hashtags_leave_the_keycap_after_them_whole():
    keycap = "1\ufe0f\u20e3"
    cleaning = Cleaning(emoji="keep", hashtags="remove")
    for noise in ("http://x.fr/a", "https://t.co/a", "@bob", "#tag"):
        assert clean(f"a {noise}{keycap}", cleaning) == f"a {keycap}"
