"""The counts of the audit, and their display on a terminal."""

import array

from utils.preprocessing.audit import count_emoji, format_audit, token_statistics
from utils.processed import Split


def test_token_statistics():
    ids = [array.array("I", numbers) for numbers in ([0, 5, 6, 9], [0, 7, 9], [0, 5, 5, 5, 9])]
    statistics = {"median": 4, "p95": 4, "max": 5, "total": 12}
    assert token_statistics(ids, None) == {**statistics, "unknown_share": 0}
    assert token_statistics(ids, 5) == {**statistics, "unknown_share": 4 / 6}


def test_descriptions_of_several_emoji_are_counted():
    metadata = {"emoji": ["📅", "📆", "😀"], "language": ["en", None, None]}
    split = Split(["calendar", "Calendar", "grin"], list("abc"), [None] * 3, ["A", "B", "C"], [], [], metadata)
    counts = count_emoji({"train": split}, [["x", "📅", None, "A"], ["y", "📆", None, "A"]])
    assert counts == {
        "emoji": 2,
        "concepts": 1,
        "splits": {"train": {"concepts": 3, "emoji": 3, "descriptions": 3}},
        "languages": {"en": 1, "unknown": 2},
        "shared_descriptions": 1,
        "shared_example": ["calendar", ["📅", "📆"]],
    }


def test_the_audit_for_a_terminal():
    audit = {
        "rows_read": 1200,
        "further_turns": 3,
        "dropped": {"too short": 1150},
        "kept": {"train": 40, "validation": 8, "test": 5},
        "labels": {"bad": {"train": 20, "validation": 4, "test": 3}},
        "cleaned": {"urls": 7, "html": 0},
        "tokens": {"median": 9, "p95": 12, "max": 1300, "unknown_share": 0.125},
        "samples": [{"before": "a\n b", "after": "a b"}, {"prompt": "q\n" + "x" * 900, "answer": "y"}],
        "emoji": {
            "emoji": 1500,
            "concepts": 900,
            "splits": {"train": {"concepts": 1, "emoji": 2, "descriptions": 3}},
            "languages": {"en": 4, "unknown": 2},
            "shared_descriptions": 1,
            "shared_example": ["calendar", ["📅", "📆"]],
        },
    }
    assert format_audit(audit).splitlines() == [
        "rows read          1,200",
        "further turns          3",
        "  dropped          1,150  too short",
        "rows kept             53  train 40, validation 8, test 5",
        "  label               27   50.9%  bad: train 20, validation 4, test 3",
        "  changed              7  urls",
        "tokens per text        9  median; 95th percentile 12, maximum 1,300",
        "unknown tokens    12.50%",
        "before: a b",
        "after:  a b",
        "prompt:",
        "  | q",
        "  | " + "x" * 798 + " …",
        "answer:",
        "  | y",
        "emoji              1,500  of 900 concepts, all that the model can write",
        "  train                2  of 1 concepts",
        "  language             4  en",
        "  language             2  unknown",
        "descriptions           1  shared by several emoji, such as 'calendar': 📅, 📆",
    ]
