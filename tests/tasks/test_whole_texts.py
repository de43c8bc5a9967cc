"""The version of a post's text that counts, and texts that are cut off."""

import json

import pandas as pd
import pytest

from utils.tasks.posts import to_rows
from utils.tasks.whole_texts import are_cut, version_of

CUT = "The tram was late again so we walked home along the river an… https://t.co/AbC123xyz"
WHOLE = "The tram was late again so we walked home along the river and the street came out to look"
RETWEET = f"RT @ann: {CUT[:45]}…"


def texts(**columns):
    frame = pd.DataFrame({"text": ["Hello to all"], **{name: [cell] for name, cell in columns.items()}}, dtype="str")
    return to_rows(frame, "text")["text"].tolist()[0]


@pytest.mark.parametrize(
    ("path", "version"),
    [
        ("note_tweet.text", "whole"),
        ("note_tweet.note_tweet_results.result.text", "whole"),
        ("tweet.noteTweet.text", "whole"),
        ("extended_tweet.full_text", "whole"),
        ("full_text", "longer"),
        ("fullText", "longer"),
        ("rawContent", "longer"),
        ("legacy.full_text", "longer"),
        ("longText.longTextContent", "longer"),
        ("retweeted_status.full_text", "repost"),
        ("retweeted_status.text", "repost"),
        ("retweeted_status.extended_tweet.full_text", "repost"),
        ("legacy.retweeted_status_result.result.legacy.full_text", "repost"),
        ("retweet.fullText", "repost"),
        ("retweet_text", "repost"),
        ("quoted_status.full_text", None),
        ("quoted_status.extended_tweet.full_text", None),
        ("user.full_text", None),
        ("extended_entities.media.text", None),
        ("text", None),
        ("full_name", None),
        ("raw_text_length", None),
    ],
)
def test_versions_by_their_names(path, version):
    assert version_of(path) == version


@pytest.mark.parametrize(
    "columns",
    [
        {"note_tweet": json.dumps({"text": WHOLE})},
        {"note_tweet": f"{{'text': '{WHOLE}', 'entities': None}}"},
        {"note_tweet.text": WHOLE},
        {"note_tweet": json.dumps({"note_tweet_results": {"result": {"text": WHOLE}}})},
        {"extended_tweet": json.dumps({"full_text": WHOLE, "display_text_range": [0, 90]})},
        {"extended_tweet.full_text": WHOLE, "truncated": "True"},
        {"full_text": WHOLE},
        {"fullText": WHOLE.replace("tram", "tram") + " https://t.co/other"},
        {"legacy": json.dumps({"full_text": WHOLE})},
        {"quoted_status": json.dumps({"full_text": "Something else"}), "full_text": WHOLE},
    ],
)
@pytest.mark.parametrize(
    "text",
    [
        CUT,
        CUT.partition(" https")[0],
        CUT.partition("…")[0] + "... See more",
        "@ann " + CUT,
        CUT.replace("river", "river\n"),
    ],
)
def test_the_whole_version_counts(columns, text):
    rows = to_rows(pd.DataFrame({"text": [text], **{name: [cell] for name, cell in columns.items()}}), "text")
    assert " ".join(rows["text"][0].split()).startswith(WHOLE)
    assert rows[["is_cut", "is_completed"]].values.tolist() == [[False, True]]


def test_versions_are_chosen_row_by_row(caplog):
    caplog.set_level("INFO")
    frame = pd.DataFrame(
        {"text": [CUT, CUT, "Short and &amp; sweet", None], "full_text": [WHOLE, None, "Short and & sweet", WHOLE]}
    )
    rows = to_rows(frame, "text")
    assert rows["text"].tolist() == [WHOLE, CUT, "Short and &amp; sweet", WHOLE]
    assert rows["is_cut"].tolist() == [False, True, False, False]
    assert caplog.messages[0] == "whole texts: column 'full_text', for 2 rows"
    asked = to_rows(frame, "text", whole=False)
    assert asked["text"].tolist() == [CUT, CUT, "Short and &amp; sweet", ""]
    assert not asked["is_completed"].any()


@pytest.mark.parametrize("key", ["full_text", "text"])
def test_a_retweet_is_whole_in_the_post_it_repeats(key):
    status = json.dumps({key: WHOLE, "user": {"screen_name": "ann"}})
    assert texts(text=RETWEET, retweeted_status=status) == f"RT @ann: {WHOLE}"
    assert texts(text="My own words", retweeted_status=status) == "My own words"
    assert texts(text="RT @ann: Another text, cut…", retweeted_status=status) == "RT @ann: Another text, cut…"


@pytest.mark.parametrize(
    "columns",
    [
        {"full_text": "The text of an article"},  # of another text
        {"full_text": "Hello to"},
        {"full_text": "Hello to all https://t.co/AbC123xyz"},
        {"full_text": "nan"},
        {"summary": "Hello to all and everybody"},
        {"quoted_status": json.dumps({"full_text": "Hello to all and everybody"})},
        {"user": json.dumps({"full_text": "Hello to all and everybody"})},
    ],
)
def test_other_columns_are_no_versions(columns):
    assert texts(**columns) == "Hello to all"


@pytest.mark.parametrize(
    "text",
    [
        CUT,
        CUT.replace(" https", "https"),
        CUT.replace(" https", "\nhttps"),
        CUT.partition("AbC")[0] + "…",
        "We looked at the river and then https://t.…",
        "We looked at the river and then\nhttps:/…",
        "And so… https://twitter.com/i/web/status/123456",
        "We walked home along the river in the ra... http://fb.me/AbC123",
        "We walked home along the river in the (cont) http://tl.gd/abc123",
        "We walked home along the river in the… Read more",
        "We walked home along the river in the ... See more",
        "We walked home along the river in the…more",
        "We walked home along the river in the\nShow more",
        "我们昨天沿着河边散步，然后回家吃晚饭...全文",
        "Nous sommes rentrés le long du fleuve… Voir plus",
        "We walked home along the river under the […] https://blog.example.org/?p=1",
        "x" * 115 + "... https://t.co/0123456789",
    ],
)
def test_cut_texts(text):
    assert to_rows(pd.DataFrame({"text": [text]}), "text")["is_cut"].tolist() == [True]
    assert not to_rows(pd.DataFrame({"text": [text]}), "text", infer_from_text=False)["is_cut"].any()


@pytest.mark.parametrize(
    "text",
    [
        CUT.partition(" https")[0],  # perhaps an author's
        "And so we wait… https://t.co/AbC123xyz",
        "Sigh …\nhttps://t.co/AbC123xyz",
        "Well, of course, my favorite animal of all of them is … https://t.co/AbC123xyz",
        "We walked home along the river and waited there for hours... https://t.co/AbC123xyz",
        "We walked home along the river… and it was lovely https://t.co/AbC123xyz",
        "We walked home along the river… pic.twitter.com/AbC123",
        "A quoted tweet as sites show its link: twitter.com/POTUS/status/1…",
        "Come and see more",
        "I want more",
        "We walked home along the river and there was... more!",
        "Bread and butter and then\nMore",
        "Wait for it…\nand more https://t.co/AbC123xyz",
        "1. Bread\n2. Butter\n3. More butter",
        "« […] » https://t.co/AbC123xyz",
        "",
    ],
)
def test_texts_that_are_not_cut(text):
    assert to_rows(pd.DataFrame({"text": [text]}), "text")["is_cut"].tolist() == [False]


def test_posts_marked_as_truncated_are_cut():
    frame = pd.DataFrame({"text": ["And so… https://t.co/a", "And so…", "And so on"], "truncated": ["True"] * 3})
    assert to_rows(frame, "text")["is_cut"].tolist() == [True, True, False]
    assert not to_rows(frame.assign(truncated="False"), "text")["is_cut"].any()


@pytest.mark.timeout(20)  # hours, where the end of a text is looked for from each of its blanks
@pytest.mark.parametrize("unit", ["\n", "http:", "(cont) http:"], ids=["lines", "links", "continued"])
def test_a_text_of_a_megabyte_is_not_cut(unit):
    assert not are_cut(pd.Series(["x…" + unit * (1_000_000 // len(unit)) + " y\n"]), None).any()
