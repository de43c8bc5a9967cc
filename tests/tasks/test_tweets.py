"""What tweets make of raw rows: replies, retweets, threads."""

import pandas as pd
import pytest

from utils.tasks.tweets import TWEETS, to_rows


def tweets(**columns):
    length = len(next(iter(columns.values())))
    frame = pd.DataFrame({"text": ["hello"] * length, **columns})
    return to_rows(frame, "text")


@pytest.mark.parametrize(
    "column",
    ["inReplyToTweetId", "in_reply_to_status_id", "In_Reply_To_Status_ID_str", "in_reply_to_tweet_id"],
)
def test_a_reply_is_what_the_reply_column_says(column):
    ids = ["1623000000000000001", "", None, "null", "NaN", "1.6e18"]
    texts = ["no at sign", "@ann hello", "@ann hello", "@ann hello", "hello", "@ann hello"]
    rows = tweets(**{"text": texts, column: ids})
    assert rows["is_reply"].tolist() == [True, False, False, False, False, True]


def test_a_reply_is_what_the_type_column_says():
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
def test_a_retweet_is_what_its_mark_says(column):
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


def test_tweets_keep_the_lengths_of_the_jeudiconfession_recipe():
    assert (TWEETS.min_words, TWEETS.max_words, TWEETS.split) == (6, 30, (0.8, 0.1, 0.1))
