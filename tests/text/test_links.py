"""Links, through `clean` with one kind of cleaning."""

import pytest
from cleanings import NOTHING, only

from utils.text.cleaning import Cleaning, clean


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("see https://t.co/AbC9. Next", "see. Next"),
        ("see HTTP://X.FR/A, Www.Site.com! pic.twitter.com/abc t.co/a1", "see!"),
        ("https://x.fr/à-la-une?a=b&c=d;e#f~g%20h: ok", "ok"),
        ("(https://fr.wikipedia.org/wiki/Film_(1965)) (http://x.fr/a) a", "a"),
        ('[here](http://x.fr), «http://x.fr» "http://x.fr"', "here"),
        ("glued:https://t.co/abc東京", "glued: 東京"),
        ("a https:/… b https://t… c https… d http://… e https://t.co/a…", "a b c d e"),
        ("http://user:pass@x.fr:80/@me/#top", ""),
        ("nawww.yes bob@www.x.fr", "nawww.yes bob@www.x.fr"),
        ("http is a protocol; https: too", "http is a protocol; https: too"),
        ("The tram is late says bbc.co.uk/news/uk-12… again today", "The tram is late says again today"),
        ("Our new song is on youtu.be/AbCdEf1 from today on", "Our new song is on from today on"),
        ("a example.com/path?x=1 b bit.ly/abc, c t.me/durov d wa.me/33612345678 e", "a b, c d e"),
        ("a Amazon.com/dp/B00X b EXAMPLE.COM/SALE c my-site.example.org:8080/x d (cbc.ca/news) e", "a b c d e"),
        ("a github.com/ann/tool/issues/3. b spiegel.de/politik/x-1.html c done.is/a-b-c d redd.it/x1y2", "a. b c d"),
        ("long link bbc.co.uk/news/uk-12 … and so on", "long link and so on"),
    ],
)
def test_urls(text, cleaned):
    assert clean(text, only(urls="remove")) == cleaned
    assert clean(text, NOTHING) == text


@pytest.mark.parametrize(
    "text",
    [
        *("e.g. i.e./e.g. etc./misc", "index.html/a", "node.js node.js/express", "3.5/10 and 3.com"),
        *("and/or w/o he/she", "24/7 km/h 1.5/2.5", "src/main.py lib.rs/x utils.py/x", "a.m./p.m. 9.am/pm"),
        *("No.1/2 U.S./China", "vs./against"),
        *("Yes.No/maybe done.so/what love.it/hate sure.is/was 5.in/6 do.to/me", "google.com is down, bbc.co.uk too"),
        *("example.com/ alone", "ASP.NET/C# VB.Net/x", "ann@example.org/x @", "v1.2.3/v1.2.4 U.K./EU D.C./Md."),
        *("Lehrer.in/Schüler.in", "A.I./M.L. Ph.D./M.D.", "fr.wikipedia.org", "C:/x.com/"),
        *("wait.no/10 as.is/20", "x.y/z..."),
    ],
)  # fmt: skip
def test_other_texts_than_links_survive(text):
    assert clean(text, only(urls="remove")) == text


def test_kept_links_stay_whole():
    text = "https://server.org/@bob/a#top www.x.fr/@bob bit.ly/a#top"
    cleaning = Cleaning(urls="keep", hashtags="remove")
    assert clean(text, cleaning) == text
    assert clean(f"@bob {text} #tag", cleaning) == text
