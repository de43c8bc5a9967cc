"""Tweets: short texts for a model to imitate, without the replies and retweets among them."""

import functools
from typing import TYPE_CHECKING

from utils.reading.columns import find_columns
from utils.tasks.base import Task
from utils.text.cleaning import Cleaning

if TYPE_CHECKING:
    import pandas

# snscrape, the X API (v1.1 and v2 flattened) and common CSV exports.
REPLY_COLUMNS = (
    *("inreplytotweetid", "in_reply_to_tweet_id", "in_reply_to_status_id", "in_reply_to_status_id_str"),
    *("in_reply_to_id", "in_reply_to_user_id", "in_reply_to_user_id_str"),  # a user alone: a reply to no post
)
RETWEET_MARKS = ("isretweet", "is_retweet")
RETWEETED_COLUMNS = ("retweetedtweet", "retweeted_status", "retweeted_status_id", "reblogged_id")
TYPE_COLUMNS = ("type", "tweet_type")
TYPES = {"normal", "original", "tweet", "reply", "replied_to", "retweet", "retweeted", "quote", "quoted", "quoting"}
LANGUAGE_COLUMNS = ("lang", "language")
THREAD_COLUMNS = ("conversationid", "conversation_id", "thread_id", "conversation")
ID_COLUMNS = ("id_str", "id", "tweet_id", "tweetid", "status_id")
DATE_COLUMNS = ("date", "created_at", "createdat", "created", "timestamp", "datetime")
USER_COLUMNS = ("user", "username", "user_name", "screen_name", "author", "handle")
PUBLIC = {"", "public", "unlisted", "none", "nan"}
BLANK = {"", "nan", "none", "null", "<na>"}
TRUE = {"t", "true", "1", "1.0", "yes", "y"}


def to_rows(frame: "pandas.DataFrame", text_column: str, *, infer_from_text: bool = True) -> "pandas.DataFrame":
    """Return the columns text, group (the thread), language (None if unknown), is_reply, is_retweet, is_private,
    content_warning (or ""), id, date and user (None if unknown) of every row; cells are text, None or NaN if missing.

    A reply is what the reply column or the type column says; only in a file without either is it a text that
    starts with @. A retweet is what a column says, or a text that starts with "RT @". Without `infer_from_text`, only
    the columns count. A row is private if the file says that it was not written for everybody.
    """
    import pandas

    texts = frame[text_column].fillna("").astype(str)

    def first_filled(names):
        """Return, row by row, the first filled cell of the columns with these names; None without such a column."""
        cells = [frame[column].fillna("").astype(str).str.strip() for column in find_columns(list(frame), names)]
        return functools.reduce(lambda first, other: first.where(_is_filled(first), other), cells) if cells else None

    kinds = first_filled(TYPE_COLUMNS)
    kinds = None if kinds is None else kinds.str.lower()
    if kinds is not None and not set(kinds) - {""} <= TYPES:
        kinds = None

    if (replied_to := first_filled(REPLY_COLUMNS)) is not None:
        is_reply = _is_filled(replied_to)
    elif kinds is not None:
        is_reply = kinds.isin({"reply", "replied_to"})
    else:
        is_reply = texts.str.lstrip().str.startswith("@") & infer_from_text

    is_retweet = texts.str.match(r"\s*RT @") & infer_from_text
    if kinds is not None:
        is_retweet |= kinds.isin({"retweet", "retweeted"})
    if (marks := first_filled(RETWEET_MARKS)) is not None:
        is_retweet |= marks.str.lower().isin(TRUE)
    if (originals := first_filled(RETWEETED_COLUMNS)) is not None:
        is_retweet |= _is_filled(originals)

    rows = pandas.Series([f"row {number}" for number in range(len(frame))], index=frame.index)
    threads = first_filled(THREAD_COLUMNS)
    groups = rows if threads is None else threads.where(_is_filled(threads), rows)
    ids = first_filled(ID_COLUMNS)
    languages = first_filled(LANGUAGE_COLUMNS)
    visibility = first_filled(("visibility",))
    warnings = first_filled(("content_warning",))
    return pandas.DataFrame(
        {
            "text": texts,
            # Numbers instead of the file's own names, which in the fediverse are addresses with people's names in them.
            "group": [f"thread {number}" for number in pandas.factorize(groups)[0]],
            "language": None if languages is None else languages.str.lower(),
            "is_reply": is_reply,
            "is_retweet": is_retweet,
            "is_private": False if visibility is None else ~visibility.str.lower().isin(PUBLIC),
            "content_warning": "" if warnings is None else warnings,
            "id": None if ids is None else _id_of_address(ids),
            "date": first_filled(DATE_COLUMNS),
            "user": first_filled(USER_COLUMNS),
        }
    )


def _id_of_address(ids: "pandas.Series") -> "pandas.Series":
    """Return the number at the end of ids that are addresses, as in the fediverse."""
    if not ids.str.contains("/", regex=False).any():
        return ids
    return ids.str.removesuffix("/activity").str.rpartition("/")[2]


def _is_filled(cells: "pandas.Series") -> "pandas.Series":
    return ~cells.str.lower().isin(BLANK)


TWEETS = Task(
    name="tweets",
    kind="generate",
    summary="short texts to imitate",
    # "2" is the text of the notebook's scrape, whose columns are 0, 1, 2, 3 = date, id, text, user.
    text_columns=("text", "full_text", "rawcontent", "content", "tweet", "tweet_text", "body", "message", "2"),
    template="{prompt}",
    cleaning=Cleaning(),
    split=(0.8, 0.1, 0.1),
    # The JeudiConfession recipe kept tweets of more than 5 and at most 30 blank-separated words.
    min_words=6,
    max_words=30,
)
