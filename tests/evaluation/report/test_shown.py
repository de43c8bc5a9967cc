"""Figures in words, and excerpts with their cuts."""

from utils.evaluation.report.shown import in_order, listed, medians, percent, share_histogram, shown_excerpt


def test_shares_are_said_in_per_cent():
    assert percent({"value": 0.031, "low": 0.0049, "high": 0.096}) == "3% [0, 10]"
    assert percent(None) == "–"


def test_names_come_in_the_same_order_everywhere():
    assert in_order(["test texts", "base", "tuned", "unknown"]) == ["tuned", "base", "test texts"]
    assert [listed("a"), listed("ab"), listed("abc")] == ["a", "a and b", "a, b and c"]


def test_a_histogram_of_samples_of_different_sizes_is_in_per_cent():
    counted = {
        "edges": [0, 5, 10],
        "counts": {"test texts": [1, 2], "tuned": [0, 0]},
        "above": {"test texts": 1, "tuned": 0},
        "median": {"test texts": 6.0, "tuned": None},
    }
    plot = share_histogram("Lengths", counted, "words", "texts", "Medians.")
    assert plot.header == ("words", "this model", "test texts")
    assert plot.rows == (("0 to 5", "0", "25"), ("5 to 10", "0", "50"))
    assert plot.description == "Medians. Beyond the axis: 1 of test texts."
    assert medians(counted) == "test texts 6"


def test_an_excerpt_marks_its_cuts():
    piece = {"text": "bcd", "cut_before": 1, "cut_after": 2_000, "copied": [1, 2]}
    text = shown_excerpt("tuned", piece, "note")
    assert (text.text, text.marked) == ("bcd", ((1, 2),))
    assert text.note == "note · 1 character cut before · 2,000 characters cut after"
    assert shown_excerpt("tuned", None).text == "–"
    assert shown_excerpt("tuned", {**piece, "text": "", "copied": None}).text == "(nothing)"
