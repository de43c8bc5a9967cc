"""The tweets that the notes of an X archive belong to."""

import pytest

from utils.reading.x_notes import texts_of_notes

LONG = "Last night we walked along the river and the whole street came out to look at the boats. " * 5
TIME, SAME = "Wed Nov 21 10:00:00 +0000 2018", "2018-11-21T10:00:00.000Z"


def note(text=LONG, time=SAME):
    return {"noteTweetId": "1", "createdAt": time, "core": {"text": text}}


@pytest.mark.parametrize(
    "cut",
    [
        LONG[:270] + "… https://t.co/AbC123",
        LONG[:270] + "…https://t.co/AbC123",
        LONG[:270] + "…",
        LONG[:275],  # newer archives
        LONG[:270].replace(" the ", "\nthe ", 1) + "…",
        "@ann @bob " + LONG[:250] + "…",
        LONG[:120] + "… https://t.co/AbC123",
    ],
)
def test_a_note_belongs_to_the_tweet_that_begins_like_it(cut):
    assert texts_of_notes([note()], ["Hello", cut, None], [TIME] * 3) == [None, LONG, None]


def test_links_and_entities_differ():
    whole = "Bread & butter & jam at https://t.co/one and then some more of it, " + LONG
    cut = whole.replace("&", "&amp;").replace("https://t.co/one", "https://t.co/two")[:250] + "… https://t.co/three"
    assert texts_of_notes([note(whole)], [cut], [TIME]) == [whole]


@pytest.mark.parametrize(
    ("cut", "time", "matches"),
    [
        (LONG[:100], "Wed Nov 21 10:00:01 +0000 2018", True),
        (LONG[:88], "Tue Nov 20 10:00:00 +0000 2018", False),  # a short tweet of the day before
        (LONG[:270] + "…", "Wed Nov 21 10:50:00 +0000 2018", True),  # edited within the hour
        (LONG[:270] + "…", "Wed Nov 28 10:00:00 +0000 2018", False),
        (LONG[:270] + "…", None, True),
        ("Another text " + LONG[:200], TIME, False),
        ("RT @me: " + LONG[:130] + "…", TIME, False),
    ],
)
def test_short_beginnings_must_be_of_the_same_time(cut, time, matches):
    assert texts_of_notes([note()], [cut], [time]) == [LONG if matches else None]


def test_of_tweets_that_begin_alike_the_nearest_in_time_is_taken():
    others = [LONG[:280] + f"and that was number {number}" for number in range(3)]
    cut = [LONG[:270] + "…"] * 3
    times = [f"Wed Nov 21 1{hour}:00:00 +0000 2018" for hour in range(3)]
    notes = [note(text, f"2018-11-21T1{hour}:00:00.000Z") for hour, text in enumerate(others)]
    assert texts_of_notes(reversed(notes), cut, times) == others


@pytest.mark.parametrize("broken", [{}, {"core": None}, {"core": {"text": None}}, {"core": {"text": ""}}])
def test_notes_without_a_text(broken):
    assert texts_of_notes([broken], ["Hello", ""], [TIME, TIME]) in ([None, None], [None, ""])
