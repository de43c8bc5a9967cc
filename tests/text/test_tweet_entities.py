"""Retweet prefixes, mentions and hashtags, through `clean` with one kind of cleaning."""

import pytest
from cleanings import NOTHING, only

from utils.text.cleaning import Cleaning, clean
from utils.text.tweet_entities import replace_mentions


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("RT @bob: hello", "hello"),
        ("rt @bob hello", "hello"),
        ("RT @a: RT @b: hello", "hello"),
        ("RT ＠bob: hello", "hello"),
        ("!! RT @bob: hello", "hello"),
        ("RT @ann.bsky.social: hello", "hello"),
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
        ("@bob hi @Zoé_1!", "hi!"),
        ("＠bob @@bob ok", "ok"),
        (".@bob says “.@bob”", "says"),
        ("@bob@mastodon.social. yes", "yes"),
        ("(@bob) --@bob w/@bob @bob's x", "w/ x"),
        ("は@bobさん", "は さん"),
        ("jean.dupont@site.fr andré@site.fr a+b@x.org", "jean.dupont@site.fr andré@site.fr a+b@x.org"),
        ("lol @ you @ 5", "lol @ you @ 5"),
        ("Thanks @ann.bsky.social for the warm welcome here", "Thanks for the warm welcome here"),
        ("A new essay of @jo-doe.example.org on old bridges", "A new essay of on old bridges"),
        ("Watch @user-ab1cd2 explain, @Jo-Doe too", "Watch explain, too"),
        ("one @user.name_ two @the.real.ann. Three @ann_.x: four", "one two. Three: four"),
        ("x @jo.Doe@far.example y @a-b@sub.far-away.example", "x y"),
        ("x @ann.Great, @AmericanAir.If z @BernieSanders-who w", "x. Great, If z who w"),
        ("one @united-why two @bob.thanks three @bob.it's", "one why two. thanks three. it's"),
        ("ask u/some_name or /u/other-name in r/topic", "ask in r/topic"),
        ("10 u/min, a/u/bcd, u/ml, /home/u/ann, U/mL", "10 u/min, a/u/bcd, u/ml, /home/u/ann, U/mL"),
        ("hi <@U024BE7LH|ann> and <@!80351110224678912>", "hi"),
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
        ("x (#tag), #13Novembre #a_b!", "x!", "x (tag), 13Novembre a_b!"),
        ("#one#two", "", "one two"),
        ("# alone #1 C# x#y &#bad /#top", "# alone #1 C# x#y &#bad /#top", "# alone #1 C# x#y &#bad /#top"),
    ],
)
def test_hashtags(text, removed, unhashed):
    assert clean(text, only(hashtags="remove")) == removed
    assert clean(text, only(hashtags="unhash")) == unhashed
    assert clean(text, NOTHING) == text


def test_links_mentions_and_hashtags_leave_the_keycap_after_them_whole():
    keycap = "1\ufe0f\u20e3"
    cleaning = Cleaning(emoji="keep", hashtags="remove")
    for noise in ("http://x.fr/a", "https://t.co/a", "@bob", "#tag"):
        assert clean(f"a {noise}{keycap}", cleaning) == f"a {keycap}"


@pytest.mark.parametrize(
    ("text", "replaced"),
    [
        ("@ann.bsky.social, @jo-doe.example.org and @user-ab1cd2!", "@user, @user and @user!"),
        ("u/some_name (@a@b.example) <@U024BE7LH>", "@user (@user) @user"),
        ("@ann.Great @Bob-who @bob.thanks", "@user.Great @user -who @user.thanks"),
    ],
)
def test_placeholders_stand_for_whole_names(text, replaced):
    assert replace_mentions(text) == replaced
    assert clean(text, only(mentions="placeholder")) == replaced
    assert clean(replaced, only(mentions="placeholder")) == replaced
