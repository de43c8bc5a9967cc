"""Mastodon's posts, from its API and from its exports, and twscrape's tweets."""

import json
import random

import pandas as pd
import pytest

from utils.reading.json_records import columns_of
from utils.reading.mastodon_posts import COLUMNS, has_mastodon_columns, mastodon_columns
from utils.reading.read_frame import read_frame
from utils.tasks.column_choice import Candidate, choose_text
from utils.tasks.posts import to_rows
from utils.tasks.tweets import TWEETS

PUBLIC = "https://www.w3.org/ns/activitystreams#Public"
ANN = "https://quay.example/users/ann"


def account(number="1", acct="ann"):
    return {"id": number, "username": acct.split("@")[0], "acct": acct, "note": "<p>Harbour person</p>", "fields": []}


def status(number, content, **changes):
    """A status as Mastodon's API has it."""
    return {
        "id": str(number),
        "created_at": "2024-03-01T08:00:00.000Z",
        "in_reply_to_id": None,
        "in_reply_to_account_id": None,
        "sensitive": False,
        "spoiler_text": "",
        "visibility": "public",
        "language": "en",
        "uri": f"{ANN}/statuses/{number}",
        "url": f"https://quay.example/@ann/{number}",
        "content": content,
        "reblog": None,
        "account": account(),
        "media_attachments": [],
        "mentions": [],
        "tags": [],
        "emojis": [],
        "poll": None,
        **changes,
    }


def note(number, content, **changes):
    """The object of a Create."""
    return {
        "id": f"{ANN}/statuses/{number}",
        "type": "Note",
        "summary": None,
        "inReplyTo": None,
        "published": "2024-03-01T08:00:00Z",
        "attributedTo": ANN,
        "to": [PUBLIC],
        "cc": [f"{ANN}/followers"],
        "content": content,
        "contentMap": {"en": content},
        "attachment": [],
        "tag": [],
        **changes,
    }


def activity(post, kind="Create", number=None, **changes):
    """An entry of an outbox: a post, or with kind="Announce" a boost of a post or an URL."""
    number = number or post["id"].rpartition("/")[2]
    return {
        "id": f"{ANN}/statuses/{number}/activity",
        "type": kind,
        "actor": ANN,
        "published": "2024-03-01T08:00:00Z",
        "to": post["to"] if isinstance(post, dict) else [PUBLIC],
        "cc": post["cc"] if isinstance(post, dict) else [],
        "object": post,
        **changes,
    }


def posts(*rows):
    """The rows that come of statuses or activities."""
    columns = columns_of(rows, "a.json")
    assert has_mastodon_columns(columns)
    columns = mastodon_columns(columns)
    assert tuple(columns) == COLUMNS
    assert {len(column) for column in columns.values()} == {len(rows)}
    return [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]


def values(name, rows):
    return [row[name] for row in rows]


# --- which files


@pytest.mark.parametrize(
    "row",
    [
        {"content": "hello"},
        {"id": "1", "content": "hello", "account": "@ann", "visibility": "public", "created_at": "2024"},
        # snscrape's Toot and Boost, TelegramPost and Tweet
        {"_type": "snscrape.modules.mastodon.Toot", "url": "u", "id": "1", "user": {}, "date": "d", "text": "t",
         "spoilerText": None, "attachments": None, "poll": None},
        {"_type": "snscrape.modules.mastodon.Boost", "user": {}, "toot": {"id": "1", "text": "t"}},
        {"_type": "snscrape.modules.telegram.TelegramPost", "url": "u", "date": "d", "content": "c", "outlinks": []},
        {"_type": "snscrape.modules.twitter.Tweet", "id": 1, "rawContent": "t", "date": "d", "user": {}, "lang": "en"},
        # events of another kind that have an actor and an object
        {"id": "1", "type": "push", "actor": "ann", "object": "branch"},
    ],
)  # fmt: skip
def test_other_files_are_not_recognized(row):
    assert not has_mastodon_columns(columns_of([row], "a.json"))


def test_both_forms_are_recognized_by_their_columns():
    assert has_mastodon_columns(columns_of([status(1, "hello")], "a.json"))
    assert has_mastodon_columns(columns_of([activity(note(1, "hello"))], "a.json"))
    assert has_mastodon_columns(columns_of([activity("https://far.example/1", "Announce", 2)], "a.json"))


# --- API statuses


def test_a_status():
    (row,) = posts(
        status(
            112036789012345678,
            "<p>Gr&uuml;&szlig;e vom Hafen</p>",
            spoiler_text="Wetter",
            language="de",
            visibility="unlisted",
            account=account(acct="ann@quay.example"),
        )
    )
    assert row == {
        "text": "Grüße vom Hafen",
        "content_warning": "Wetter",
        "id": "112036789012345678",
        "date": "2024-03-01T08:00:00.000Z",
        "language": "de",
        "in_reply_to_id": None,
        "reblogged_id": None,
        "conversation": "112036789012345678",
        "user": "ann@quay.example",
        "visibility": "unlisted",
    }


def test_posts_keep_their_order_and_language():
    rows = posts(
        status(3, "<p>The tide is out.</p>"),
        status(1, "<p>La marée est basse.</p>", language="fr"),
        status(2, "<p>潮が引いた。</p>", language="ja"),
        status(4, "<p>?</p>", language=None),
    )
    assert values("text", rows) == ["The tide is out.", "La marée est basse.", "潮が引いた。", "?"]
    assert values("language", rows) == ["en", "fr", "ja", None]


def test_the_text_of_a_boost_is_the_boosted_one():
    far = status(
        7,
        "<p>Regen :duck:</p>",
        language="de",
        spoiler_text="nass",
        account=account("2", "bob@far.example"),
        emojis=[{"shortcode": "duck"}],
    )
    rows = posts(
        status(8, "", reblog=far, language=None, emojis=[]),
        status(9, "<p>Pluie :duck:</p>"),
        status(10, "", reblog=status(9, "")),
        status(11, "", reblog=status(12, "")),
    )
    assert values("text", rows) == ["Regen", "Pluie :duck:", "Pluie :duck:", ""]
    assert values("reblogged_id", rows) == ["7", None, "9", "12"]
    assert (rows[0]["language"], rows[0]["content_warning"], rows[0]["user"]) == ("de", "nass", "ann")


def test_a_thread_shares_its_conversation_whatever_the_order():
    own = {"in_reply_to_account_id": "1"}
    rows = posts(
        status(4, "four", in_reply_to_id="3", **own),
        status(1, "one"),
        status(3, "three", in_reply_to_id="1", **own),
        status(5, "to a post elsewhere", in_reply_to_id="99", in_reply_to_account_id="2"),
        status(6, "to the same", in_reply_to_id="99", in_reply_to_account_id="2"),
        status(7, "alone"),
        status(8, "", reblog=status(1, "one")),
    )
    assert values("conversation", rows) == ["1", "1", "1", "99", "99", "7", "1"]
    assert values("in_reply_to_id", rows) == ["3", None, "1", "99", "99", None, None]


def test_a_reply_to_a_deleted_post_is_a_reply_in_a_conversation_of_its_own():
    rows = posts(
        status(1, "one", in_reply_to_account_id="2"), status(2, "two", in_reply_to_account_id="2"), status(3, "three")
    )
    assert [bool(row["in_reply_to_id"]) for row in rows] == [True, True, False]
    assert values("conversation", rows) == ["1", "2", "3"]


def test_posts_that_reply_in_a_circle_end():
    rows = posts(
        status(1, "a", in_reply_to_id="3"),
        status(2, "b", in_reply_to_id="1"),
        status(3, "c", in_reply_to_id="2"),
        status(4, "d", in_reply_to_id="4"),
        status(5, "e", in_reply_to_id="2"),
    )
    assert len(set(values("conversation", rows[:3] + rows[4:]))) == 1
    assert rows[3]["conversation"] == "4"


def test_a_long_thread_is_one_conversation():
    thread = [status(n, "and", in_reply_to_id=str(n - 1) if n else None) for n in range(5000)]
    random.Random(0).shuffle(thread)
    assert set(values("conversation", posts(*thread))) == {"0"}


def test_visibility_is_that_of_the_api():
    said = ["public", "unlisted", "private", "direct", "local", None]
    rows = posts(*[status(n, "hello", visibility=visibility) for n, visibility in enumerate(said)])
    assert values("visibility", rows) == ["public", "unlisted", "private", "direct", "local", "unknown"]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("<p>Quay :duck: is open</p>", "Quay is open"),
        ("<p>:duck: quack</p>", "quack"),
        ("<p>quack :duck:</p>", "quack"),
        ("<p>quack :duck: :sea_gull: now</p>", "quack now"),
        ("<p>one<br>:duck::sea_gull: two</p>", "one\ntwo"),
        ("<p>:duck:</p>", ""),
        ("<p>at 12:30:15, :duckling: and duck: stay</p>", "at 12:30:15, :duckling: and duck: stay"),
    ],
)
def test_custom_emoji_of_the_post_are_removed(content, text):
    emojis = [{"shortcode": "duck", "url": "https://quay.example/duck.png"}, {"shortcode": "sea_gull"}]
    (row,) = posts(status(1, content, emojis=emojis))
    assert row["text"] == text
    tags = [{"type": "Hashtag", "name": "#a"}] + [
        {"type": "Emoji", "name": f":{name}:"} for name in ("duck", "sea_gull")
    ]
    (row,) = posts(activity(note(1, content, tag=tags)))
    assert row["text"] == text


def test_a_poll_is_its_question():
    poll = {"id": "5", "options": [{"title": "tea"}, {"title": "coffee"}], "votes_count": 3}
    (row,) = posts(status(1, "<p>Tea or coffee?</p>", poll=poll))
    assert row["text"] == "Tea or coffee?"
    question = note(1, "<p>Thé ou café ?</p>", type="Question", oneOf=[{"type": "Note", "name": "thé"}])
    (row,) = posts(activity(question))
    assert row["text"] == "Thé ou café ?"


# --- the outbox of an export


def test_a_post_of_the_outbox():
    text = "<p>Le bac part &agrave; midi.</p>"
    (row,) = posts(activity(note(110, text, contentMap={"fr": text}, summary="transports")))
    assert row == {
        "text": "Le bac part à midi.",
        "content_warning": "transports",
        "id": f"{ANN}/statuses/110",
        "date": "2024-03-01T08:00:00Z",
        "language": "fr",
        "in_reply_to_id": None,
        "reblogged_id": None,
        "conversation": f"{ANN}/statuses/110",
        "user": "ann",
        "visibility": "public",
    }


def test_a_boost_of_the_outbox():
    rows = posts(
        activity(note(1, "<p>Mine</p>")),
        activity("https://far.example/users/bob/statuses/7", "Announce", 2),
        activity(f"{ANN}/statuses/1", "Announce", 3),
        activity(note(4, "<p>For followers</p>", to=[f"{ANN}/followers"], cc=[]), "Announce", 5),
    )
    assert values("text", rows) == ["Mine", "", "Mine", "For followers"]
    assert values("reblogged_id", rows) == [
        None, "https://far.example/users/bob/statuses/7", f"{ANN}/statuses/1", f"{ANN}/statuses/4",
    ]  # fmt: skip
    assert rows[2]["id"] == f"{ANN}/statuses/3/activity"
    assert rows[2]["conversation"] == rows[0]["conversation"]
    assert rows[3]["visibility"] == "private"


@pytest.mark.parametrize(
    ("to", "cc", "visibility"),
    [
        ([PUBLIC], [f"{ANN}/followers"], "public"),
        ("as:Public", [], "public"),
        (["Public"], None, "public"),
        ([f"{ANN}/followers"], [PUBLIC, "https://far.example/users/bob"], "unlisted"),
        (f"{ANN}/followers", "as:Public", "unlisted"),
        ([f"{ANN}/followers"], [], "private"),
        ([f"{ANN}/followers", "https://far.example/users/bob"], [], "private"),
        (["https://far.example/users/bob"], [], "direct"),
        ([], [], "direct"),
        (None, None, "direct"),
        ([{"id": PUBLIC}], [], "direct"),
    ],
)
def test_visibility_is_by_whom_a_post_is_addressed_to(to, cc, visibility):
    (row,) = posts(activity(note(1, "hello", to=to, cc=cc)))
    assert row["visibility"] == visibility
    (row,) = posts(activity("https://far.example/1", "Announce", 2, to=to, cc=cc))
    assert row["visibility"] == visibility


def test_a_post_goes_by_its_own_addresses_before_those_of_its_activity():
    (row,) = posts(activity(note(1, "hello", to=["https://far.example/users/bob"], cc=[]), to=[PUBLIC]))
    assert row["visibility"] == "direct"


def test_threads_of_the_outbox_go_by_conversation_and_by_reply():
    rows = posts(
        activity(note(1, "one", conversation="tag:quay.example:5")),
        activity(note(2, "two", conversation="tag:quay.example:5", inReplyTo="https://far.example/9")),
        activity(note(3, "three", inReplyTo=f"{ANN}/statuses/2")),
        activity(note(4, "four")),
        activity(note(5, "five", context="https://quay.example/contexts/8")),
    )
    assert values("conversation", rows) == [
        "tag:quay.example:5", "tag:quay.example:5", "tag:quay.example:5", f"{ANN}/statuses/4",
        "https://quay.example/contexts/8",
    ]  # fmt: skip
    assert values("in_reply_to_id", rows)[:3] == [None, "https://far.example/9", f"{ANN}/statuses/2"]


def test_content_may_stand_under_its_language_alone():
    bare = {key: value for key, value in note(1, "").items() if key != "content"}
    rows = posts(
        activity({**bare, "contentMap": {"de": "<p>Ebbe</p>", "en": "<p>Low tide</p>"}}),
        activity(note(2, "<p>Low tide</p>", contentMap={"de": "<p>Ebbe</p>", "en": "<p>Low tide</p>"})),
        activity({**bare, "contentMap": None}),
    )
    assert values("text", rows) == ["Ebbe", "Low tide", ""]
    assert values("language", rows) == ["de", "en", None]


def test_other_objects_with_content_are_posts_and_those_without_have_no_text():
    rows = posts(
        activity(note(1, "<h2>Tides</h2><p>They come.</p>", type="Article")),
        activity({"id": f"{ANN}/statuses/2", "type": "Tombstone", "to": [PUBLIC], "cc": []}),
        activity("{no JSON", number=3),
        activity(note(4, "one emoji", tag={"type": "Emoji", "name": ":x:"})),
    )
    assert values("text", rows) == ["Tides\n\nThey come.", "", "", "one emoji"]


# --- through the reader and the task


def read(tmp_path, name, rows, wrap=None):
    path = tmp_path / name
    if name.endswith(".jsonl"):
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        path.write_text(json.dumps(wrap | {"orderedItems": rows} if wrap else rows))
    frame, (source,) = read_frame([path])
    assert source.rows == len(rows)
    return frame, to_rows(frame, text_column_of(frame))


def text_column_of(frame):
    return choose_text(TWEETS, [Candidate(name, frame[name].fillna("").tolist) for name in frame]).name


STATUSES = [
    status(1, "<p>Boats are late.</p>"),
    status(2, "<p>Still late.</p>", in_reply_to_id="1", in_reply_to_account_id="1"),
    status(3, "", reblog=status(90, "<p>Le bac est en retard.</p>", language="fr")),
    status(4, "<p>@bob secret</p>", visibility="direct"),
]


@pytest.mark.parametrize("name", ["statuses.json", "statuses.jsonl"])
def test_the_tweets_task_understands_statuses(tmp_path, name):
    _, rows = read(tmp_path, name, STATUSES)
    assert rows["text"].tolist() == ["Boats are late.", "Still late.", "Le bac est en retard.", "@bob secret"]
    assert rows["is_reply"].tolist() == [False, True, False, False]
    assert rows["is_retweet"].tolist() == [False, False, True, False]
    assert rows["language"].tolist() == ["en", "en", "fr", "en"]
    assert rows["group"].tolist() == ["thread 0", "thread 0", "thread 1", "thread 2"]
    assert rows["is_private"].tolist() == [False, False, False, True]


@pytest.mark.parametrize("context", ["https://www.w3.org/ns/activitystreams", ["https://w3id.org/x", {"toot": "x#"}]])
def test_the_tweets_task_understands_an_outbox(tmp_path, context):
    rows = [
        activity(note(1, "<p>Boats are late.</p>")),
        activity(note(2, "<p>Still late.</p>", inReplyTo=f"{ANN}/statuses/1", to=[f"{ANN}/followers"], cc=[PUBLIC])),
        activity("https://far.example/1", "Announce", 3),
        activity(note(4, "<p>@bob secret</p>", to=["https://far.example/users/bob"], cc=[])),
        activity(note(5, "<p>For followers</p>", to=[f"{ANN}/followers"], cc=[])),
    ]
    collection = {"@context": context, "id": "outbox.json", "type": "OrderedCollection", "totalItems": 5}
    _, rows = read(tmp_path, "outbox.json", rows, wrap=collection)
    assert rows["text"].tolist() == ["Boats are late.", "Still late.", "", "@bob secret", "For followers"]
    assert rows["is_reply"].tolist() == [False, True, False, False, False]
    assert rows["is_retweet"].tolist() == [False, False, True, False, False]
    assert rows["group"].nunique() == 4
    assert rows["group"][0] == rows["group"][1]
    assert rows["is_private"].tolist() == [False, False, False, True, True]


def twscrape_tweet(number, text, **changes):
    """A tweet as twscrape 0.20.1 writes it: json.dumps of its Tweet, default=str."""
    user = {"id": 44196, "id_str": "44196", "url": "https://x.com/ann", "username": "ann", "displayname": "Ann",
            "rawDescription": "harbour", "_type": "snscrape.modules.twitter.User"}  # fmt: skip
    return {
        "id": number, "id_str": str(number), "url": f"https://x.com/ann/status/{number}",
        "date": "2024-03-01 08:00:00+00:00", "user": user, "lang": "en", "rawContent": text,
        "replyCount": 0, "retweetCount": 2, "likeCount": 3, "quoteCount": 0, "bookmarkedCount": 1,
        "conversationId": number, "conversationIdStr": str(number), "hashtags": [], "cashtags": [],
        "mentionedUsers": [], "links": [], "media": {"photos": [], "videos": [], "animated": []}, "viewCount": None,
        "retweetedTweet": None, "quotedTweet": None, "place": None, "coordinates": None, "inReplyToTweetId": None,
        "inReplyToTweetIdStr": None, "inReplyToUser": None, "source": None, "sourceUrl": None, "sourceLabel": None,
        "card": None, "possibly_sensitive": None, "isQuoteStatus": False, "isTranslatable": False,
        "displayTextRange": [0, 10], "inReplyToScreenName": None, "editControl": None, "voiceInfo": None,
        "_type": "snscrape.modules.twitter.Tweet", **changes,
    }  # fmt: skip


def test_the_tweets_task_understands_twscrape(tmp_path):
    first = 1763900000000000001  # no float has this value
    other = twscrape_tweet(first + 9, "Le bac est en retard.", lang="fr")
    to_ann = {"id": 44196, "id_str": "44196", "username": "ann", "displayname": "Ann"}
    reply = {"inReplyToTweetId": first, "inReplyToTweetIdStr": str(first), "inReplyToUser": to_ann}
    tweets = [
        twscrape_tweet(first, "@bob late & “wet” 🚢"),
        twscrape_tweet(first + 1, "Still late.", conversationId=first, conversationIdStr=str(first), **reply),
        twscrape_tweet(first + 2, "RT @bob: Le bac est en retard.", lang="fr", retweetedTweet=other),
        twscrape_tweet(first + 3, "Indeed", quotedTweet=other, isQuoteStatus=True, lang="und"),
    ]
    frame, rows = read(tmp_path, "tweets.jsonl", tweets)
    assert text_column_of(frame) == "rawContent"
    assert rows["text"].tolist() == [tweet["rawContent"] for tweet in tweets]
    assert rows["is_reply"].tolist() == [False, True, False, False]
    assert rows["is_retweet"].tolist() == [False, False, True, False]
    assert rows["language"].tolist() == ["en", "en", "fr", "und"]
    assert rows["group"].tolist() == ["thread 0", "thread 0", "thread 1", "thread 2"]
    assert rows["id"].tolist() == [str(first + n) for n in range(4)]
    assert frame["inReplyToTweetId"][1] == str(first)
    assert pd.isna(frame["inReplyToTweetId"][0])
    assert not rows["is_private"].any()
