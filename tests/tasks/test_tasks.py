"""What the tasks make of raw rows, and what every task must hold."""

import string
from dataclasses import asdict

import pandas as pd
import pytest

from utils.errors import DataError
from utils.models.chat_templates import TEMPLATES
from utils.models.tokenization import apply_template
from utils.tasks.alpaca import ALPACA
from utils.tasks.base import Example
from utils.tasks.columns import choose_label_column, choose_text_column
from utils.tasks.emoji import EMOJI
from utils.tasks.reviews import REVIEWS
from utils.tasks.tasks import TASKS
from utils.tasks.tweets import TWEETS
from utils.text.cleaning import CHOICES

# Every task -----------------------------------------------------------------------------------------------------------


@pytest.fixture(params=sorted(TASKS))
def task(request):
    return TASKS[request.param]


def test_a_task_is_whole(task):
    assert TASKS[task.name] is task
    assert task.kind in ("generate", "classify", "instruct", "emoji")
    assert task.summary
    assert "\n" not in task.summary
    assert len(task.split) == 3
    assert sum(task.split) == pytest.approx(1)
    assert min(task.split) > 0
    assert 0 <= task.min_words < (task.max_words or 10**9)
    if task.kind == "instruct":
        assert task.template in TEMPLATES
    else:
        assert [field for _, field, _, _ in string.Formatter().parse(task.template) if field is not None] == ["prompt"]
    if task.kind in ("instruct", "emoji"):
        assert (task.cleaning, task.to_rows, task.to_example) == (None, None, None)
    else:
        assert all(value in CHOICES[name] for name, value in asdict(task.cleaning).items())
    assert all(name == name.lower().strip() for name in task.text_columns + task.label_columns)
    assert bool(task.label_columns) == (task.kind == "classify")
    assert not set(task.text_columns) & set(task.label_columns)


@pytest.mark.parametrize("name", [name for name, task in TASKS.items() if task.to_rows is not None])
def test_a_task_turns_rows_into_examples(name):
    task = TASKS[name]
    frame = pd.DataFrame({task.text_columns[0]: ["one two", None, "", float("nan")]})
    rows = task.to_rows(frame, task.text_columns[0])
    assert list(rows.columns) == [
        *("text", "group", "language", "is_reply", "is_retweet"),
        *("is_private", "content_warning", "id", "date", "user"),
    ]
    assert rows["text"].tolist() == ["one two", "", "", ""]
    example = task.to_example("one two", "a group", None)
    assert (example.prompt + example.completion, example.group) == ("one two", "a group")


@pytest.mark.parametrize(
    ("name", "template", "kind"),
    [
        ("tweets", "{prompt}", "generate"),
        ("reviews", "Review: {prompt}\nSentiment:", "classify"),
        ("alpaca", "stanford", "instruct"),
        ("emoji", "Description: {prompt}\nEmoji:", "emoji"),
    ],
)
def test_golden_templates(name, template, kind):
    assert (TASKS[name].template, TASKS[name].kind) == (template, kind)


def test_every_task_has_its_golden_template():
    (marker,) = test_golden_templates.pytestmark
    assert {name for name, _, _ in marker.args[1]} == TASKS.keys()


def test_braces_in_a_prompt_are_text():
    assert apply_template("Q: {prompt}\nA:", "{x} {prompt}") == "Q: {x} {prompt}\nA:"
    assert apply_template(TWEETS.template, "") == ""


# The text column ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("columns", "wanted", "chosen"),
    [
        (["id", "text"], None, "text"),
        (["id", " Tweet_Text\ufeff"], None, " Tweet_Text\ufeff"),
        (["id", "TEXT "], None, "TEXT "),
        (["content", "rawContent"], None, "rawContent"),
        (["content", "text"], None, "text"),
        (["0", "1", "2", "3"], None, "2"),
        (["whatever"], None, "whatever"),
        (["text", "Review"], "review", "Review"),
        (["text", "Review"], "1", "Review"),
        (["1", "text"], "1", "1"),
    ],
)
def test_the_text_column_is_recognised(columns, wanted, chosen):
    assert choose_text_column(TWEETS, columns, wanted) == chosen


@pytest.mark.parametrize(
    ("wanted", "said"), [(None, "no column looks like the text of tweets"), ("txt", "there is no column 'txt'")]
)
def test_without_a_text_column_the_columns_are_listed(wanted, said):
    with pytest.raises(DataError) as caught:
        choose_text_column(TWEETS, ["id", "my words"], wanted)
    assert caught.value.problem == f"{said}; the columns are: 'id', 'my words'"
    assert caught.value.hint == "name it with --text_column"


# Tweets ---------------------------------------------------------------------------------------------------------------


def tweets(**columns):
    length = len(next(iter(columns.values())))
    frame = pd.DataFrame({"text": ["hello"] * length, **columns})
    return TWEETS.to_rows(frame, "text")


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


def test_a_tweet_is_all_completion():
    assert TWEETS.to_example("hello", "row 1") == Example(prompt="", completion="hello", group="row 1", label=None)


def test_tweets_keep_the_lengths_of_the_jeudiconfession_recipe():
    assert (TWEETS.min_words, TWEETS.max_words, TWEETS.split) == (6, 30, (0.8, 0.1, 0.1))


# Reviews --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("columns", "wanted", "text", "chosen"),
    [
        (["Review", "Liked"], None, "Review", "Liked"),
        (["score", "text", "Label "], None, "text", "Label "),
        (["text", "anything"], None, "text", "anything"),
        (["label", "kind"], None, "label", "kind"),  # the column called label is the text that was asked for
        (["a", "b", "label"], "b", "a", "b"),
        (["a", "b", "label"], "1", "a", "b"),
    ],
)
def test_the_label_column_is_recognised(columns, wanted, text, chosen):
    assert choose_label_column(REVIEWS, columns, wanted, text) == chosen


def test_a_text_column_that_the_label_leaves():
    assert choose_text_column(REVIEWS, ["label", "said"], None, "label") == "said"


def test_only_columns_make_a_review_a_reply_or_a_retweet():
    frame = pd.DataFrame({"text": ["@ann hello", "RT @ann: hello", "hello"], "label": list("001")})
    rows = REVIEWS.to_rows(frame, "text")
    assert not rows[["is_reply", "is_retweet"]].any(axis=None)
    rows = REVIEWS.to_rows(frame.assign(isRetweet=["f", "f", "t"], inReplyToTweetId=["", "5", ""]), "text")
    assert rows["is_reply"].tolist() == [False, True, False]
    assert rows["is_retweet"].tolist() == [False, False, True]


def test_a_review_is_all_prompt():
    example = REVIEWS.to_example("hello", "row 1", "good")
    assert example == Example(prompt="hello", completion="", group="row 1", label="good")


def test_reviews_are_split_four_to_one_and_a_tenth_of_the_rest_validates():
    assert REVIEWS.split == pytest.approx((0.8 * 0.9, 0.8 * 0.1, 0.2))
    assert (REVIEWS.min_words, REVIEWS.max_words, REVIEWS.cleaning.emoji) == (1, None, "keep")


# Alpaca ---------------------------------------------------------------------------------------------------------------


def test_alpaca_is_split_85_10_5_whatever_the_lengths():
    assert ALPACA.split == (0.85, 0.1, 0.05)
    assert (ALPACA.min_words, ALPACA.max_words) == (1, None)


# Emoji ----------------------------------------------------------------------------------------------------------------


def test_emoji_are_split_80_10_10_whatever_the_lengths():
    assert EMOJI.split == (0.8, 0.1, 0.1)
    assert (EMOJI.min_words, EMOJI.max_words) == (1, None)
