"""Reviews from raw rows."""

import pandas as pd
import pytest

from utils.tasks.posts import to_rows
from utils.tasks.reviews import REVIEWS


def test_only_columns_make_a_review_a_reply_or_a_retweet():
    frame = pd.DataFrame({"text": ["@ann hello", "RT @ann: hello", "hello"], "label": list("001")})
    rows = to_rows(frame, "text", infer_from_text=False)
    assert not rows[["is_reply", "is_retweet"]].any(axis=None)
    frame = frame.assign(isRetweet=["f", "f", "t"], inReplyToTweetId=["", "5", ""])
    rows = to_rows(frame, "text", infer_from_text=False)
    assert rows["is_reply"].tolist() == [False, True, False]
    assert rows["is_retweet"].tolist() == [False, False, True]


def test_reviews_are_split_four_to_one_and_a_tenth_of_the_rest_validates():
    assert REVIEWS.split == pytest.approx((0.8 * 0.9, 0.8 * 0.1, 0.2))
    assert (REVIEWS.min_words, REVIEWS.max_words, REVIEWS.cleaning.emoji) == (1, None, "keep")
