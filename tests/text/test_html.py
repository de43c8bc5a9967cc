"""HTML as text: posts that are HTML, and tags among people's own text."""

import html
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from utils.text.cleaning import Cleaning, clean
from utils.text.html import html_to_text, remove_tags


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("", ""),
        ("plain  text,\n two lines", "plain  text,\n two lines"),
        ("3 < 4 &amp; 5 > 4", "3 < 4 & 5 > 4"),
        ("&amp;lt;b&amp;gt;", "&lt;b&gt;"),
        ("<p>&amp;lt; &lt;b&gt; &quot;&#39;&hellip;&#x1F600;</p>", "&lt; <b> \"'…😀"),
        ("<p>one</p><p>two</p>", "one\n\ntwo"),
        ("<p>one<br>two<br/>three<br />four</p>", "one\ntwo\nthree\nfour"),
        ("<p>one<br><br><br><br>two</p>\n\n<p></p><p>three</p>", "one\n\ntwo\n\nthree"),
        ("<p>a <b>bold</b>  <i> word</i>\n\tand a <del>line</del></p>", "a bold word and a line"),
        ("<p>half<b>way</b>s</p>", "halfways"),
        (
            '<p>See <a href="https://quay.example/tides/2024" rel="nofollow"><span class="invisible">https://</span>'
            '<span class="ellipsis">quay.example/tides</span><span class="invisible">/2024</span></a>!</p>',
            "See https://quay.example/tides/2024!",
        ),
        (
            '<p><span class="h-card" translate="no"><a href="https://far.example/@bob" class="u-url mention">@<span>bob'
            '</span></a></span> <a href="https://far.example/tags/tide" class="mention hashtag">#<span>tide</span></a>',
            "@bob #tide",
        ),
        ('<p class="quote-inline">RE: <a href="https://far.example/1">far.example/1</a></p><p>Indeed</p>', "Indeed"),
        ('<p>Yes<span class="x quote-inline"><br><br>RE: <a href="/1">/1</a></span>, so</p>', "Yes, so"),
        ("<p>Bring:</p><ul><li>rope</li><li><p>tea</p></li></ul><p>Bye</p>", "Bring:\n\n- rope\n- tea\n\nBye"),
        ("<ol><li>one<ul><li>half</li></ul></li><li>two</li></ol>", "- one\n\n- half\n\n- two"),
        ("He said<blockquote><p>low</p><p>tide</p></blockquote>so", "He said\n\nlow\n\ntide\n\nso"),
        ("<pre><code>x = 1\ny  = 2\n</code></pre><p>is\ncode</p>", "x = 1\ny = 2\n\nis code"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc"),
        ("<ruby>潮<rp>(</rp><rt>しお</rt><rp>)</rp></ruby>", "潮(しお)"),
        ("a<script>alert('<p>')</script>b<style>p { color: red }</style>c<!-- d --><?e f?>g", "abcg"),
        ("<p>never closed <b>at <i>all", "never closed at all"),
        ("</p></div>closed <p class=>too</b> often</p></p>", "closed\n\ntoo often"),
        ('<p title="a > b">attribute</p>', "attribute"),
        ("<p>l’été — «\u00a0à Noël\u00a0» 🏳️‍🌈</p>", "l’été — «\u00a0à Noël\u00a0» 🏳️‍🌈"),
        ('<?xml version="1.0" encoding="latin-1"?><meta charset="latin-1"><p>é</p>', "é"),
        ("<p>n\x00u\x01l\x1b and\x0ba\x1fblank</p>", "nul and a blank"),
        ("cut <a href='x", "cut"),
    ],
)
def test_html_to_text(markup, text):
    assert html_to_text(markup) == text


@given(st.text(st.characters(exclude_categories=["Cs"])), st.sampled_from(["<p>{}</p>", "<p>{}", "<div>{}</div>"]))
@settings(max_examples=300, deadline=None)
def test_escaped_text_comes_back(text, markup):
    text = re.sub("[\x00-\x08\x0e-\x1b]", "", text)
    assert html_to_text(markup.format(html.escape(text))).split() == text.split()


PIECES = ["<p>", "<br>", "</p>", "<b", "</", "<!--", "<li>", "<pre>", "x", " ", "&#0;", "&lt", "<script>", "<![CDATA[",
          "='", "\x00", "\ud800", "</body></html>", "<table>"]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES)))
@settings(max_examples=300, deadline=None)
def test_broken_markup_never_raises(pieces):
    assert "\x00" not in html_to_text("<p>" + "".join(pieces))


@given(st.text(st.characters()))
@settings(max_examples=300, deadline=None)
def test_garbage_never_raises(garbage):
    html_to_text(garbage)
    html_to_text(f"<{garbage}>{garbage}</{garbage}>")


@pytest.mark.parametrize(
    "tag", ["<div>", "<b>", "<ul><li>", "<blockquote>", "<table><tr><td>", "<a href='", "<!--", "</p>"]
)
def test_markup_without_end_is_no_trouble(tag):
    assert html_to_text("<p>Start</p>" + tag * 50_000).startswith("Start")


def test_deep_markup_keeps_its_text():
    assert html_to_text("<div>" * 1000 + "deep" + "</div>" * 1000 + "<p>after</p>") == "deep\n\nafter"


@pytest.mark.parametrize(
    ("text", "without"),
    [
        ("Good film.<br /><br />I love it.", "Good film. I love it."),
        ("One<BR>two<br>three< br / >four</br>five", "One two three four five"),
        ("<p>One</p><p>two</p><ul><li>a</li><li>b</li></ul>", "One two - a - b"),
        ("half<b>way</b>s <i>so</i> <EM>good</EM>, <b>lone", "halfways so good, lone"),
        ('See <a href="https://x.example/a" target=_blank>this</a>, <A HREF=x>that</A>', "See this, that"),
        ("a<script>if (x<y) alert('<p>')</script>b<style>p {}</style>c<!-- d <b> -->e<?xml version='1'?>f", "abcef"),
        ("<font color=red>x</font> <div class=\"a\"style='b'>t</div><img src=x.png alt='a b'> <input disabled>", "x t"),
        ("&lt;br /&gt;ok &amp;lt;i&amp;gt;fine&amp;lt;/i&amp;gt;", "ok fine"),
        ("<address>Quay 1</address> <code>a<b</code> <s>old</s> new", "Quay 1 a<b old new"),
        ("<<b>b>x</b>", "x"),
        *((f"cut {tag}", "cut") for tag in ('<a href="htt', "<a href='htt…", "<br", "<br /", "</di", '<img alt="b c')),
    ],
)
def test_tags_among_text(text, without):
    assert clean(text, Cleaning()) == without
    assert clean(without, Cleaning()) == without


@pytest.mark.parametrize(
    "text",
    [
        *("a < b > c", "I <3 you </3", "x<y>z", "if a<b and c>d", "if a<b>c", "i<b;", "1<p", "a <b", "<-- here"),
        *("<user> <url> <name> <number>", "mail <name@example.org>", "my <address> and <time>", "<link> <title>"),
        *("List<String> Map<Object, Link>", "Vec<Option<Label>>", "Foo<P> T<B>", "<unk> </s>", "<!-- never closed"),
        *("<sarcasm>great</sarcasm>", "<br-x> <b_1> <bar>", "#include <map> <time.h>", "<em dash> <i am>", "<p0>"),
        *("<hello><there>", "x <= y >= z <> w << 2", "&"),
    ],
)  # fmt: skip
def test_other_angle_brackets_survive(text):
    assert remove_tags(text) == text
    assert clean(text, Cleaning()) == text


@pytest.mark.parametrize("html", ["unescape", "keep"])
def test_tags_can_be_kept(html):
    assert clean("one<br />two <i>three</i>", Cleaning(html=html)) == "one<br />two <i>three</i>"


@pytest.mark.parametrize("piece", ["<b", "<b>", "<s>", "<br", "<a href='", "<!--", "<a b=c ", "<<b>b>", "</b>"])
def test_a_hostile_text_has_its_tags_removed_in_linear_time(piece):
    """Quadratic time on any of these would run into the suite's time limit."""
    once = remove_tags(piece * 20_000)
    assert remove_tags(once) == once


def test_tags_within_tags_end():
    for nested in ("<b" * 20_000 + ">" * 20_000, "<b a" * 5_000 + "<b>" + "=c>" * 5_000):
        once = clean(nested, Cleaning())
        assert clean(once, Cleaning()) == once
