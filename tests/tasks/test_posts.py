"""Tweets from raw rows: replies, retweets, threads."""

import pandas as pd
import pytest

from utils.tasks.posts import to_rows
from utils.tasks.tweets import TWEETS


def tweets(**columns):
    length = len(next(iter(columns.values())))
    frame = pd.DataFrame({"text": ["hello"] * length, **columns})
    return to_rows(frame, "text")


@pytest.mark.parametrize(
    "column",
    ["inReplyToTweetId", "in_reply_to_status_id", "In_Reply_To_Status_ID_str", "in_reply_to_tweet_id"],
)
def test_the_reply_column_decides_about_replies(column):
    ids = ["1623000000000000001", "", None, "null", "NaN", "1.6e18"]
    texts = ["no at sign", "@ann hello", "@ann hello", "@ann hello", "hello", "@ann hello"]
    rows = tweets(**{"text": texts, column: ids})
    assert rows["is_reply"].tolist() == [True, False, False, False, False, True]


def test_the_type_column_decides_about_replies():
    rows = tweets(
        text=["@ann hi", "hi", "hi", "@ann hi", "hi", "hi"],
        Type=["normal", "reply", "Retweet", "quoting", "replied_to", "retweeted"],
    )
    assert rows["is_reply"].tolist() == [False, True, False, False, True, False]
    assert rows["is_retweet"].tolist() == [False, False, True, False, False, True]


def test_a_type_column_of_something_else_says_nothing():
    rows = tweets(text=["@ann hi", "hi", "hi"], type=["photo", "reply", "retweet"])
    assert rows["is_reply"].tolist() == [True, False, False]
    assert rows["is_retweet"].tolist() == [False, False, False]


def test_without_either_column_a_reply_starts_with_an_at_sign():
    rows = tweets(text=["@ann hello", "  @ann hello", "hello @ann", "hello", ""])
    assert rows["is_reply"].tolist() == [True, True, False, False, False]


def test_the_reply_column_goes_before_the_type_column():
    rows = tweets(type=["reply", "normal"], inReplyToTweetId=[None, "1"])
    assert rows["is_reply"].tolist() == [False, True]


@pytest.mark.parametrize("column", ["isRetweet", "is_retweet"])
def test_the_mark_decides_about_retweets(column):
    marks = ["t", "f", "True", "False", "1", "0", "", None]
    rows = tweets(**{column: marks})
    assert rows["is_retweet"].tolist() == [True, False, True, False, True, False, False, False]


def test_a_retweet_has_the_original_or_its_prefix():
    rows = tweets(
        text=["hello", "hello", "RT @ann: hello", " RT @ann hello", "we said RT @ann", "RT if you agree", "ART @ann"],
        retweetedTweet=['{"id":"1"}', None, None, "", None, None, None],
        isRetweet=["f"] * 7,
    )
    assert rows["is_retweet"].tolist() == [True, False, True, True, False, False, False]


def test_threads_are_groups():
    rows = tweets(conversationId=["10", "10", "", None, "11"])
    assert rows["group"].tolist() == ["thread 0", "thread 0", "thread 1", "thread 2", "thread 3"]
    assert tweets(id=["5", "5"])["group"].tolist() == ["thread 0", "thread 1"]


def test_the_language_is_in_lower_case_or_unknown():
    assert tweets(lang=["FR", " en ", "", None])["language"].tolist() == ["fr", "en", "", ""]
    assert tweets(id=["1"])["language"].tolist() == [None]


def test_tweets_have_at_least_six_words():
    assert (TWEETS.min_words, TWEETS.max_words, TWEETS.split) == (6, None, (0.8, 0.1, 0.1))


ID = "1623000000000000001"
DID = "did:plc:abcdefghij"
URI = f"at://{DID}/app.bsky.feed.post/3k"
NOTHING = [False, False]


@pytest.mark.parametrize(
    ("columns", "is_reply", "is_retweet"),
    [
        # rtweet and twitteR, whose blanks are NA
        (
            {"reply_to_status_id": ["NA", ID], "is_retweet": ["FALSE", "FALSE"], "is_quote": ["TRUE", "TRUE"]},
            [0, 1],
            [0, 0],
        ),
        ({"reply_to_user_id": ["NA", ID], "retweet_status_id": [ID, "NA"]}, [0, 1], [1, 0]),
        ({"replyToSN": ["NA", "ann"], "replyToSID": ["NA", ID], "isRetweet": ["TRUE", "FALSE"]}, [0, 1], [1, 0]),
        # Twitter4J
        ({"inReplyToStatusId": ["-1", ID], "retweeted": ["false", "true"]}, [0, 1], [0, 1]),
        # customer support: the second column lists the answers to a tweet
        (
            {"inbound": ["True", "False"], "response_tweet_id": ["2,3", ""], "in_response_to_tweet_id": ["", "1.0"]},
            [0, 1],
            [0, 0],
        ),
        # Apify
        ({"isReply": ["false", "true"], "isRetweet": ["true", "false"], "isQuote": ["true", "true"]}, [0, 1], [1, 0]),
        ({"inReplyToId": [None, ID], "type": ["tweet", "tweet"], "retweet": [None, '{"id":"1"}']}, [0, 1], [0, 1]),
        # X v2: JSON, CSV, tweepy, twarc's columns; a reference's own references don't count
        ({"referenced_tweets": [None, '[{"type":"replied_to","id":"1"}]']}, [0, 1], [0, 0]),
        (
            {"referenced_tweets": ["[{'type': 'retweeted', 'id': '1'}]", "[{'type': 'quoted', 'id': '1'}]"]},
            [0, 0],
            [1, 0],
        ),
        ({"referenced_tweets": ["", "[<ReferencedTweet id=1 type=replied_to]"]}, [0, 1], [0, 0]),
        (
            {"referenced_tweets": ['[{"type":"quoted","referenced_tweets":[{"type":"replied_to"}]}]', ""]},
            [0, 0],
            [0, 0],
        ),
        ({"referenced_tweets.replied_to.id": ["", ID], "referenced_tweets.retweeted.id": [ID, ""]}, [0, 1], [1, 0]),
        ({"referenced_tweets.quoted.id": [ID, ID], "in_reply_to_user_id": ["", "123"]}, [0, 1], [0, 0]),
        # GraphQL
        ({"legacy": ['{"full_text":"a"}', '{"in_reply_to_status_id_str":"7"}']}, [0, 1], [0, 0]),
        ({"legacy": ['{"retweeted_status_result":{"result":{"rest_id":"1"}}}', '{"retweeted":false}']}, None, [1, 0]),
        # twint before and after 2020: the row's author was always in the list
        (
            {
                "username": ["ann", "ann"],
                "reply_to": ["[]", "[{'screen_name': 'bob', 'id': '9'}]"],
                "retweet": ["False", "False"],
            },
            [0, 1],
            [0, 0],
        ),
        (
            {
                "username": ["Ann", "Ann"],
                "reply_to": [
                    "[{'user_id': '1', 'username': 'Ann'}]",
                    "[{'user_id': '1', 'username': 'Ann'}, {'user_id': '2', 'username': 'bob'}]",
                ],
                "user_id": ["1", "1"],
            },
            [0, 1],
            [0, 0],
        ),
        ({"user_rt_id": ["", "12345678"], "retweet_id": ["", ID], "retweets_count": ["3", "4"]}, None, [0, 1]),
        # the IRA's tweets
        ({"is_retweet": ["true", "false"], "in_reply_to_tweetid": ["", ID]}, [0, 1], [1, 0]),
        ({"retweet": ["1", "0"], "post_type": ["RETWEET", ""]}, None, [1, 0]),
        # snscrape
        (
            {
                "inReplyToTweetId": ["", "1.6e18"],
                "inReplyToUser": ["", '{"username":"bob"}'],
                "retweetedTweet": ["{}", ""],
            },
            [0, 1],
            [0, 0],
        ),
        # Bluesky: record, feed, thread and flat tables
        ({"reply": [None, f'{{"parent":{{"uri":"{URI}"}}}}']}, [0, 1], [0, 0]),
        ({"post": [f'{{"record":{{"reply":{{"parent":{{"uri":"{URI}"}}}}}}}}', '{"replyCount":3}']}, [1, 0], [0, 0]),
        (
            {"reason": ['{"$type":"app.bsky.feed.defs#reasonRepost"}', '{"$type":"app.bsky.feed.defs#reasonPin"}']},
            None,
            [1, 0],
        ),
        (
            {"reply.parent.uri": ["", URI], "reply.parent.author.displayName": ["", "Ann B"], "reason.$type": ["", ""]},
            [0, 1],
            [0, 0],
        ),
        (
            {
                "Parent DID": ["", DID],
                "Parent Text": ["", "Good morning to you"],
                "Reply_1_DID": [DID, ""],
                "ReplyCount": ["1", "0"],
            },
            [0, 1],
            [0, 0],
        ),
        ({"reply_parent": [None, URI], "repost": ["False", "True"]}, [0, 1], [0, 1]),
        ({"replyParent": ["", URI], "reply_root": ["", URI]}, [0, 1], [0, 0]),
        ({"reply_to": ["", URI], "repost_count": ["1", "0"]}, [0, 1], [0, 0]),
        # Misskey: a renote with a text is a quote
        ({"replyId": [None, "9abc"], "renoteId": ["9abc", None], "renoteCount": ["1", "1"]}, [0, 1], [0, 0]),
        ({"text": ["", "so true"], "renoteId": ["9abc", "9abc"], "replyId": [None, None]}, [0, 0], [1, 0]),
        # Mastodon as a table
        (
            {
                "in_reply_to_id": ["", "1098"],
                "reblog": ['{"id": "1"}', ""],
                "reblogged": ["True", "True"],
                "favourited": ["True", "True"],
            },
            [0, 1],
            [1, 0],
        ),
        ({"in_reply_to_account_id": ["nan", "5.0"], "is_boost": ["no", "yes"]}, [0, 1], [0, 1]),
        # Threads, Facebook, Instagram, TikTok, YouTube, Reddit, Telegram, Tumblr, Weibo
        (
            {"is_reply": ["false", "true"], "has_replies": ["true", "true"], "replied_to": [None, '{"id":"1"}']},
            [0, 1],
            [0, 0],
        ),
        ({"parent_comment_id": ["", "98"], "comments": ["5", "3"]}, [0, 1], [0, 0]),
        ({"repliesToId": [None, "71"], "replyCommentTotal": ["0", "2"]}, [0, 1], [0, 0]),
        ({"reply_id": ["0", "71"], "reply_to_reply_id": ["0", "0"]}, [0, 1], [0, 0]),
        (
            {
                "snippet": ['{"textDisplay":"a"}', '{"parentId":"Ugx"}'],
                "replies": ['{"comments":[{"snippet":{"parentId":"U"}}]}', None],
            },
            [0, 1],
            [0, 0],
        ),
        ({"parent": ["root", "Ugxabc"], "id": ["Ugxabc", "Ugxabc.1"]}, [0, 1], [0, 0]),
        ({"parentId": ["", "Ugxabc"], "totalReplyCount": ["2", "0"]}, [0, 1], [0, 0]),
        ({"parent_id": ["t3_abc", "t1_abc"], "link_id": ["t3_abc", "t3_abc"]}, [0, 1], [0, 0]),
        ({"parent_id": ["", "t3_abc"], "title": ["A post", ""]}, [0, 1], [0, 0]),
        ({"reply_to_message_id": ["", "5.0"], "forwarded_from": ["Daily News", ""]}, [0, 1], [1, 0]),
        (
            {
                "reply_to": [None, '{"reply_to_msg_id":5}'],
                "fwd_from": ['{"from_name":"A"}', None],
                "forwards": ["3", "4"],
            },
            [0, 1],
            [1, 0],
        ),
        (
            {
                "reblogged_from_id": ["", "71"],
                "reblog": ['{"comment":"","tree_html":""}'] * 2,
                "reblog_key": ["a", "b"],
            },
            None,
            [0, 1],
        ),
        ({"retweeted_status": [None, '{"id":"1"}'], "reposts_count": ["1", "2"]}, None, [0, 1]),
        (
            {"media": [f'[{{"title":"a","text_app_post":{{"is_reply":{mark}}}}}]' for mark in ("true", "false")]},
            [1, 0],
            [0, 0],
        ),
        # Discord
        ({"type": ["Default", "Reply"], "reference": [None, '{"messageId":"71","channelId":"2"}']}, [0, 1], [0, 0]),
        ({"type": ["0", "19"], "message_reference": [None, '{"message_id":"71"}']}, [0, 1], [0, 0]),
        # types
        ({"Thread Entry Type": ["reply", "share"], "Tweet Type": ["Reply", "Quote Tweet"]}, [1, 0], [0, 0]),
        ({"type": ["self-reply", "Original"]}, [1, 0], [0, 0]),
    ],
)
def test_columns_of_many_tools(columns, is_reply, is_retweet):
    rows = tweets(**{"text": ["@ann is here", "hello"], **columns})
    assert rows["is_reply"].tolist() == [bool(mark) for mark in is_reply or [True, False]]
    assert rows["is_retweet"].tolist() == [bool(mark) for mark in is_retweet]


@pytest.mark.parametrize(
    "columns",
    [
        {"reply_count": ["3", "1"], "replyCount": ["3", "1"], "replies": ["0", "1"], "comments": ["1", "1"]},
        {
            "retweets": ["0", "1"],
            "retweet_count": ["0", "1"],
            "reposts": ["1", "1"],
            "public_metrics.reply_count": ["1", "1"],
        },
        {"reply": ["3", "0"], "retweet": ["1", "0"], "repost": ["5", "2"]},
        {"reply": ["1", "0"], "retweet": ["0", "1"], "like": ["12", "3"]},
        {"reply": ["Thank you for your review", "We are sorry to hear it"], "repliedAt": ["2024", "2025"]},
        {"reply": ['{"text":"Thank you","date":"2024"}', None]},
        {"reply_settings": ["everyone", "following"], "can_reply": ["true", "true"], "who_can_reply": ["all", "all"]},
        {"favorited": ["False", "True"], "retweeted": ["False", "True"]},
        {"reply_total": ["3", "4"], "reply_tone": ["kind", "rude"], "responseTone": ["kind", "rude"]},
        {"response_tweet_id": [ID, ID], "has_replies": ["True", "True"], "replies.count": ["1", "2"]},
        {"quoted_status": ['{"in_reply_to_status_id":"7"}', None], "quoted_status_id": [ID, ""]},
        {"quotedTweet": ['{"inReplyToTweetId":"7","retweetedTweet":{"id":1}}', None]},
        {"user": ['{"lang":"fr","is_private":true}', None], "retweeters": ["ann", "bob"]},
        {"product_parent": ["123456789", "123456780"], "parent_asin": ["B0", "B1"]},
        {"reason": ["late flight", "bad food"], "share_url": ["https://a.example", ""], "SharedURL": ["x", "y"]},
        {"retweet_url": ["https://x.com/intent/retweet?tweet_id=1", ""], "reblog_key": ["a", "b"]},
        {"reference": ["A-112", "B-7"], "references": ['[{"id":"doi"}]', None]},
        {"embed": ['{"record":{"reply":{"parent":{"uri":"at://a"}}}}', None]},
    ],
)
def test_columns_that_say_nothing_of_replies_and_reposts(columns, caplog):
    caplog.set_level("INFO")
    rows = tweets(**{"text": ["@ann is here", "hello"], **columns})
    assert rows["is_reply"].tolist() == [True, False]
    assert not rows["is_retweet"].any()
    assert caplog.messages == [
        "replies: no column tells them; texts that start with @ count; "
        "reposts: no column tells them; texts that start with RT @ count"
    ]


def test_the_columns_that_decided_are_logged(caplog):
    caplog.set_level("INFO")
    tweets(reply_to=["", "at://ann"], retweet=["0", "1"], in_reply_to_user_id=["", "5"])
    assert caplog.messages == ["replies: columns 'reply_to', 'in_reply_to_user_id'; reposts: column 'retweet'"]


def test_without_a_reply_column_the_thread_tells_replies():
    rows = tweets(id=[ID, "1623000000000000002"], conversation_id=[ID, ID], text=["@ann is who I mean", "and so on"])
    assert rows["is_reply"].tolist() == [False, True]
    far = tweets(id=["5", "6"], conversation_id=["a", "b"], text=["@ann hello", "hello"])
    assert far["is_reply"].tolist() == [True, False]


@pytest.mark.parametrize(
    ("columns", "warnings"),
    [
        ({"cw": ["politics", None]}, ["politics", ""]),
        ({"spoiler_text": ["", "my dinner"]}, ["", "my dinner"]),
        ({"content_warning": ["nan", "None"]}, ["", ""]),
        ({"contentWarning": ["true", "false"]}, ["content warning", ""]),
        ({"cw": ["45", "46"]}, ["", ""]),
        ({"is_spoiler": ["true", "false"], "possibly_sensitive": ["True", "True"]}, ["", ""]),
    ],
)
def test_content_warnings(columns, warnings):
    assert tweets(**columns)["content_warning"].tolist() == warnings


@pytest.mark.parametrize(
    ("columns", "private"),
    [
        ({"visibility": ["home", "followers"]}, [False, True]),
        ({"visibility": ["PUBLIC", "CONNECTIONS"]}, [False, True]),
        ({"privacy": ["Public", "Only me"]}, [False, True]),
        ({"is_private": ["True", "False"]}, [True, False]),
        ({"visibility": ["10.0", "8"]}, NOTHING),  # in miles
        ({"user": ['{"is_private":true}', "{}"], "protected": ["True", "True"]}, NOTHING),
    ],
)
def test_posts_for_some_people_are_recognized(columns, private):
    assert tweets(**columns)["is_private"].tolist() == private


@pytest.mark.parametrize(
    ("columns", "languages"),
    [
        ({"langs": ['["en"]', '["pt-BR","fr"]']}, ["en", "pt-br,fr"]),
        ({"langs": ["['en']", "[]"]}, ["en", ""]),
        ({"record": ['{"langs":["de"]}', '{"text":"a"}']}, ["de", ""]),
        ({"record.langs": ["['de']", ""]}, ["de", ""]),
        ({"post": ['{"record":{"langs":["de","fr"]}}', '{"record":{"langs":[]}}']}, ["de,fr", ""]),
        ({"tweet_language": ["English", "fr"]}, ["english", "fr"]),
        ({"user_lang": ["fr", "fr"], "account_language": ["fr", "fr"]}, [None, None]),
        ({"user": ['{"lang":"fr"}', '{"lang":"fr"}']}, [None, None]),
    ],
)
def test_languages(columns, languages):
    assert tweets(**columns)["language"].tolist() == languages
