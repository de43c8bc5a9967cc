"""Which rows are kept, and how the dropped ones are reported."""

from dataclasses import replace

import pandas as pd
import pytest
from sentences import sentence

from utils.errors import DataError
from utils.preprocessing.filter_rows import filter_rows
from utils.preprocessing.filters import HINTS, Filters, describe_drops, filter_warnings
from utils.text.cleaning import Cleaning

ALL = Filters(
    keep_replies=True,
    keep_retweets=True,
    keep_cut=True,
    keep_content_warnings=True,
    max_words=1000,
)
DISTINCT = [sentence(number) for number in range(40)]


def rows(*texts, **columns):
    """The result of Task.to_rows: plain rows unless the columns mark them."""
    plain = {
        "text": list(texts),
        "group": [f"row {number}" for number in range(len(texts))],
        "language": None,
        "is_reply": False,
        "is_retweet": False,
        "is_cut": False,
        "is_completed": False,
        "is_private": False,
        "content_warning": "",
        "id": None,
        "date": None,
        "user": None,
    }
    return pd.DataFrame({**plain, **columns})


def kept(frame, seed=0, cleaning=None, **changes):
    return filter_rows(frame, cleaning or Cleaning(), replace(ALL, **changes), seed)


def test_each_reason_is_counted_once_and_in_order():
    frame = rows(
        "the first text that is kept here",  # 0
        "",
        " \n",
        "a retweet of the first in the file",
        "a retweet and at once a reply to it",
        "a reply to someone who asked about it",
        "une phrase en français pour ce fichier",
        "https://example.org @ann 🎉",
        "far too short",
        "this one has so many words that nobody would want to keep it at all",
        "all of these words include the SPAM word",
        "The first text, that is kept here!",  # exactly the first, but for case and punctuation
        "the first text that is kept here 2",  # nearly the first
        "the second text, about otters and their dreams",  # 13
        group=[str(number) for number in range(14)],
        language=["fr" if number == 6 else "en" for number in range(14)],
        is_retweet=[number in (3, 4) for number in range(14)],
        is_reply=[number in (1, 4, 5) for number in range(14)],
    )
    filtered = kept(
        frame,
        keep_replies=False,
        keep_retweets=False,
        language="EN",
        min_words=4,
        max_words=10,
        exclude=("spam",),
    )
    assert filtered.texts == ["the first text that is kept here", "the second text, about otters and their dreams"]
    assert filtered.groups == ["0", "13"]
    assert list(filtered.dropped.items()) == [
        ("no text", 2),
        ("retweet", 2),
        ("reply", 1),
        ("other language", 1),
        ("nothing left after cleaning", 1),
        ("too short", 1),
        ("too long", 1),
        ("excluded word", 1),
        ("exact duplicate", 1),
        ("near duplicate", 1),
    ]


def test_replies_and_retweets_are_kept_on_request():
    frame = rows(*DISTINCT[:4], is_reply=[True, False, True, False], is_retweet=[False, True, True, False])
    assert kept(frame).texts == DISTINCT[:4]
    assert kept(frame, keep_replies=False).texts == [DISTINCT[1], DISTINCT[3]]
    assert kept(frame, keep_retweets=False).texts == [DISTINCT[0], DISTINCT[3]]


def test_cut_texts_are_dropped_and_counted_and_completed_ones_counted_as_changed():
    frame = rows(*DISTINCT[:4], is_cut=[True, False, False, True], is_completed=[False, True, True, False])
    filtered = kept(frame, keep_cut=False)
    assert (filtered.texts, filtered.dropped) == (DISTINCT[1:3], {"cut off": 2})
    assert filtered.cleaned["whole_text"] == 2
    assert kept(frame).texts == DISTINCT[:4]


@pytest.mark.parametrize(
    ("shortest", "longest", "numbers"), [(2, 3, [1, 2]), (3, 4, [2, 3]), (1, 1, [0]), (0, 9, [0, 1, 2, 3])]
)
def test_both_ends_of_the_length_range_are_kept(shortest, longest, numbers):
    texts = ["amber", "basil cedar", "daisy ember fjord", "grove heron ivory jolly"]
    filtered = kept(rows(*texts), min_words=shortest, max_words=longest)
    assert filtered.texts == [texts[number] for number in numbers]


def test_lengths_count_the_cleaned_text():
    filtered = kept(rows("one two three https://example.org @ann", "four five six seven"), min_words=4)
    assert filtered.texts == ["four five six seven"]


def test_excluded_words_are_whole_words_in_any_case():
    texts = [
        "a SPAM filter for the mailbox",
        "spammers have bought my old address",
        "my antispam software is asleep",
        "we had eggs, spam, and toast",
        "he wrote C++ all through the night",
        "she wrote C all through the winter",
        "the price went up by 3.50 today",
        "the price went down by 3x50 today",
        "Zürich is cold",
    ]
    filtered = kept(
        rows(*texts), exclude=("spam", "c++", "3.50", "ZÜRICH"), cleaning=Cleaning(special_characters="keep")
    )
    assert filtered.texts == [texts[1], texts[2], texts[5], texts[7]]
    assert filtered.dropped == {"excluded word": 5}


def test_languages_with_a_region_and_several_of_one_text():
    frame = rows(*DISTINCT[:5], language=["pt-br", "pt_pt", "en,pt", "en", None])
    assert kept(frame, language="pt").texts == DISTINCT[:3]
    assert kept(frame, language="pt_BR").texts == DISTINCT[:1]


def test_the_error_for_a_missing_language_lists_the_others():
    frame = rows(*DISTINCT[:4], language=["en", "fr", "", None])
    with pytest.raises(DataError) as caught:
        kept(frame, language="de")
    assert caught.value.problem == "no row is in the language 'de': the languages are en, fr"
    assert "--lang" in caught.value.hint
    with pytest.raises(DataError, match="the data has no language column"):
        kept(rows(*DISTINCT[:4]), language="de")


def test_sample_and_max_rows_keep_the_order():
    frame = rows(*DISTINCT)
    everything = kept(frame).texts
    total = len(everything)
    assert total > 30
    for changes, expected in [
        ({"sample": 0.5}, round(total / 2)),
        ({"sample": 1.0}, total),
        ({"sample": 0.001}, 1),
        ({"max_rows": 7}, 7),
        ({"max_rows": 1000}, total),
        ({"sample": 0.5, "max_rows": 3}, 3),
        ({"sample": 0.1, "max_rows": 30}, round(total / 10)),
    ]:
        filtered = kept(frame, **changes)
        assert len(filtered.texts) == expected
        assert filtered.dropped.get("not sampled", 0) == total - expected
        assert filtered.texts == [text for text in everything if text in filtered.texts]


def test_the_seed_decides_the_sample():
    frame = rows(*DISTINCT)
    samples = [tuple(kept(frame, seed=seed, max_rows=10).texts) for seed in (1, 1, 2, 3)]
    assert samples[0] == samples[1]
    assert len(set(samples)) == 3


@pytest.mark.parametrize(
    ("frame", "changes", "problem", "hint"),
    [
        (rows("", " "), {}, "all 2 rows were dropped: 2 no text", HINTS["no text"]),
        (
            rows("x", "y", is_retweet=True),
            {"keep_retweets": False},
            "all 2 rows were dropped: 2 retweet",
            "--keep_retweets",
        ),
        (
            rows("", "x", is_reply=True),
            {"keep_replies": False, "language": "fr"},
            "all 2 rows were dropped: 1 no text, 1 reply",
            "text_column",
        ),
        (rows("x", "y", "https://t.co/x"), {"min_words": 5, "exclude": ("z",)}, "2 too short", "lower --min_words"),
        (rows("x", "y z"), {"max_words": 1, "exclude": ("x",)}, "1 too long, 1 excluded word", "raise --max_words"),
    ],
)
def test_the_error_for_no_rows_names_the_filters(frame, changes, problem, hint):
    with pytest.raises(DataError) as caught:
        kept(frame, **changes)
    assert problem in caught.value.problem
    assert hint in caught.value.hint


def test_the_audit_counts_cleaned_texts_and_shows_three():
    texts = [f"{text} https://example.org/{number}" for number, text in enumerate(DISTINCT[:9])]
    filtered = kept(rows(*texts, DISTINCT[20] + " &amp; co"))
    assert filtered.cleaned["urls"] == 9
    assert filtered.cleaned["html"] == 1
    assert filtered.cleaned["mentions"] == 0
    assert len(filtered.samples) == 3
    for sample in filtered.samples:
        assert sample["before"] != sample["after"]
        assert sample["after"] == filtered.texts[[*texts, DISTINCT[20] + " &amp; co"].index(sample["before"])]


def test_fewer_than_three_texts_are_all_shown():
    filtered = kept(rows(*DISTINCT[:2]))
    assert filtered.samples == [{"before": text, "after": text} for text in DISTINCT[:2]]


def test_a_filter_that_drops_a_fifth_gives_a_warning():
    dropped = {"reply": 19, "too short": 20, "not sampled": 90}
    assert filter_warnings(100, dropped) == ["20 of 100 rows were dropped (too short): lower --min_words"]
    assert filter_warnings(3000, {"retweet": 2500}) == [
        "2,500 of 3,000 rows were dropped (retweet): --keep_retweets keeps them"
    ]
    assert filter_warnings(0, {}) == []


def test_drops_as_part_of_a_sentence():
    assert describe_drops({"reply": 2, "too short": 1}) == "2 reply, 1 too short"
    assert describe_drops({}) == ""


# Labels ---------------------------------------------------------------------------------------------------------------


def test_rows_without_a_label_or_a_class_are_counted_before_all_filters():
    frame = rows(
        *DISTINCT[:5], "", label=["a", "", "b", "c", "a", ""], left_out=[False, False, False, True, False, False]
    )
    frame["is_reply"] = [False, True, False, True, True, False]
    filtered = kept(frame, keep_replies=False)
    assert list(filtered.dropped.items()) == [
        ("no text", 1),
        ("no label", 1),
        ("label not in the map", 1),
        ("reply", 1),
    ]
    assert (filtered.texts, filtered.labels) == ([DISTINCT[0], DISTINCT[2]], ["a", "b"])


def test_conflicts_are_those_of_the_cleaned_texts():
    texts = ["Good phone https://example.org/1", "good phone!", "@ann Good phone", *DISTINCT[:2]]
    frame = rows(*texts, label=["1", "0", "1", "0", "1"], left_out=False)
    assert kept(frame).dropped == {"conflicting labels": 3}
    filtered = filter_rows(frame, Cleaning(), ALL, 0, keep_conflicts=True)
    assert filtered.dropped == {"conflicting labels": 1, "exact duplicate": 1}
    assert (filtered.texts, filtered.labels) == (["Good phone", *DISTINCT[:2]], ["1", "0", "1"])


def test_near_duplicates_are_those_with_the_same_label():
    texts = [DISTINCT[0], DISTINCT[0] + " a", DISTINCT[0] + " b", DISTINCT[0] + " c"]
    filtered = kept(rows(*texts, label=["0", "1", "0", "1"], left_out=False))
    assert filtered.texts == texts[:2]
    assert filtered.dropped == {"near duplicate": 2}
    assert kept(rows(*texts)).texts == texts[:1]


def test_rows_without_labels_have_none():
    assert kept(rows(*DISTINCT[:3])).labels == [None] * 3


def test_no_upper_limit():
    assert kept(rows("word " * 2000), max_words=None).texts == ["word " * 1999 + "word"]


def test_the_notice_for_a_removed_post_is_no_text():
    filtered = kept(rows("[removed]", DISTINCT[0], " [deleted]\n", f"[deleted] {DISTINCT[1]}"), min_words=1)
    assert (len(filtered.texts), filtered.dropped) == (2, {"removed post": 2})
