"""Labels: the map that a user writes, the label of a cell, and labels that are not classes."""

import pytest

from utils.errors import DataError, UsageError
from utils.tasks.labels import (
    check_are_classes,
    check_are_enough,
    conflicting_labels,
    label_order,
    parse_label_map,
    read_labels,
)

# The map --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "classes"),
    [
        ("1-2=0,4-5=1", {"1": "0", "2.0": "0", "3": None, "4": "1", "5.0": "1", "4.5": "1", "five": None}),
        (" 1 - 2 = bad , 3=so so", {"1": "bad", "3": "so so", "3.0": "so so", "bad": None}),
        ("positive=good,Negative=bad", {"Positive": "good", "negative": "bad", "neutral": None}),
        ("very-bad=0,4–5=1", {"very-bad": "0", "5": "1"}),
        ("0-0.49=low,.5-1=high", {"0.37": "low", "0.495": None, "0.5": "high", "1e-3": "low"}),
        ("-1--0.1=neg,0=none,0.1-1=pos", {"-1": "neg", "-0.5": "neg", "0.0": "none", "+1": "pos", "-2": None}),
        ("1=a,2=a,3=b", {"1": "a", "2": "a", "3": "b"}),
        ("n/a=unknown,1=known", {"N/A": "unknown", "1": "known"}),
    ],
)
def test_the_map_gives_each_label_its_class(text, classes):
    label_map = parse_label_map(text)
    assert {label: label_map.class_of(label) for label in classes} == classes
    assert label_map.classes == {part.partition("=")[2].strip() for part in text.split(",")}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "'' is not LABEL=CLASS"),
        ("1-2", "'1-2' is not LABEL=CLASS"),
        ("1=0,", "'' is not LABEL=CLASS"),
        ("1=,2=1", "'1=' is not LABEL=CLASS"),
        ("=0,2=1", "'=0' is not LABEL=CLASS"),
        ("1=0=1,2=1", "'1=0=1' is not LABEL=CLASS"),
        ("1-3=0,3-5=1", "'3-5' overlaps with the range 1-3"),
        ("1-5=0,3=1", "'3' overlaps with the range 1-5"),
        ("3=0,1-5=1", "'1-5' overlaps with the range 3-3"),
        ("4=0,4.0=1", "'4.0' overlaps with the range 4-4"),
        ("2-1=0,4-5=1", "the range '2-1' runs backwards"),
        ("pos=1,neg=0,POS=0", "names 'POS' twice"),
        ("1-2=0,4-5=0", "leaves one class, '0'"),
    ],
)
def test_a_map_that_says_nothing_clear_is_refused(text, problem):
    with pytest.raises(UsageError) as caught:
        parse_label_map(text)
    assert problem in caught.value.problem
    assert "--label_map" in caught.value.problem
    assert caught.value.hint


# Cells ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "labels"),
    [
        (["1.0", "5.0", "1", "-2.00"], ["1", "5", "1", "-2"]),
        (["1.0", "2.5", "1"], ["1.0", "2.5", "1"]),
        (["1.0", "good"], ["1.0", "good"]),
        (["01", "10"], ["01", "10"]),
        ([" pos ", "so\u00a0 so", "neg"], ["pos", "so so", "neg"]),
        (["Positive", "positive ", "POSITIVE", "positive", "neg"], ["positive"] * 4 + ["neg"]),
        (["So So", "So So", "so  so", "ok"], ["So So", "So So", "So So", "ok"]),
        (["Straße", "STRASSE", "Straße", "Weg"], ["Straße", "Straße", "Straße", "Weg"]),
        (["1", "", " ", None, float("nan"), "NaN", "null", "N/A", "na", "<NA>", "#N/A"], ["1", *[""] * 10]),
        (["none", "against"], ["none", "against"]),  # a stance, and no missing one
    ],
)
def test_a_label_is_the_text_of_its_cell(cells, labels):
    assert read_labels(cells, None) == (labels, [False] * len(cells))


def test_spellings_of_one_class_are_logged(caplog):
    caplog.set_level("INFO")
    read_labels(["Pos", "pos", "Pos", "pos ", "neg"], None)
    assert caplog.messages == ["'Pos', 'pos', 'pos ' differ in case or blanks alone: they are one class, 'Pos'"]
    caplog.clear()
    read_labels(["pos", "pos", "neg"], None)
    read_labels(["1", "1.0", " 1"], None)
    assert not caplog.messages


def test_with_a_map_labels_are_classes_or_left_out_or_missing():
    labels, left_out = read_labels(["1.0", "3", "5", "", "n/a", "what", None], parse_label_map("1-2=bad,4-5=good"))
    assert labels == ["bad", "3", "good", "", "", "what", ""]
    assert left_out == [False, True, False, False, False, True, False]


@pytest.mark.parametrize(
    ("labels", "ordered"),
    [
        (["10", "9", "1", "9"], ["1", "9", "10"]),
        (["0.5", "-1", "0"], ["-1", "0", "0.5"]),
        (["positive", "negative", "Neutral"], ["Neutral", "negative", "positive"]),
        (["good", "2", "10"], ["2", "10", "good"]),
    ],
)
def test_the_order_of_the_classes(labels, ordered):
    assert label_order(labels) == ordered


# No classes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "labels",
    [
        ["0", "1"] * 3,
        ["0.5", "1.0", "1.5"] * 9,
        [str(number) for number in range(20)] * 2,
        ["a", "b"],
        ["", "", ""],
        ["a", "", "b", "a"],
    ],
)
def test_classes_are_accepted(labels):
    check_are_classes(labels, "label")


@pytest.mark.parametrize(
    ("labels", "problem", "hint"),
    [
        (
            [str(number) for number in range(21)] * 2,
            "column 'x' holds 21 different values in 42 rows: '0', '1', '2', '3' and 17 more; "
            "is this the label column?",
            "--label_column",
        ),
        (["one", "two", "three", ""], "3 different values in 3 rows", "--label_column"),
        (
            [f"0.{number}" for number in range(10, 40)],
            "column 'x' holds 30 different values in 30 rows: '0.10', '0.11', '0.12', '0.13' and 26 more; "
            "these are scores, not classes",
            '--label_map "0-0.49=negative,0.5-1=positive"',
        ),
        (
            ["1", "2", "1", "", "five", "2", "x"],
            "column 'x' mixes numbers and other labels: '1', '2', but also 'five', 'x' (first in row 5)",
            "--label_map 1=1,2=2",
        ),
        (
            ["good", "bad", "0", "good"],
            "other labels: 'bad', 'good', but also '0' (first in row 3)",
            "--label_map bad=bad,good=",
        ),
        (["`id`", "`id`", "3", "$(id)"] * 2 + ["3"], "but also '3'", "--label_map '$(id)=$(id),`id`=`id`'"),
        (["a", "a", "3"], "'a', but also '3'", "--label_map 3=3,a=a"),
        (["x" * 5000, *"abcdefghijklmnopqrstuv"] * 2, "'c', 'd' and 19 more", "--label_column"),
        (["0" * 50 + str(number) for number in range(30)], f"'{'0' * 39}…'", "--label_column"),
    ],
)
def test_labels_that_are_no_classes(labels, problem, hint):
    with pytest.raises(DataError) as caught:
        check_are_classes(labels, "x")
    assert problem in caught.value.problem
    assert hint in caught.value.hint


# Too few --------------------------------------------------------------------------------------------------------------


def singles(labels):
    return [str(row) for row in range(len(labels))]


def test_three_rows_of_each_class_are_enough():
    labels = ["a"] * 3 + ["b"] * 3
    check_are_enough(labels, singles(labels), "nothing")


@pytest.mark.parametrize(
    ("labels", "problem", "hint"),
    [
        (["good"] * 5, "all 5 rows left have the label 'good'", "(dropped: 2 no label)"),
        (
            ["a"] * 5 + ["b"],
            "class 'b' has 1 row left: too few for train, validation and test",
            "add more rows of it",
        ),
        (["1"] * 5 + ["2"] * 2 + ["3"] * 4, "class '2' has 2 rows left: too few", "--label_map 1=1,3=3"),
        (["1"] + ["2"] * 2 + ["3"] * 4, "class '1' has 1 row left; class '2' has 2 rows left: too few", "--label_map"),
    ],
)
def test_too_few_rows_of_a_class(labels, problem, hint):
    with pytest.raises(DataError) as caught:
        check_are_enough(labels, singles(labels), "2 no label")
    assert problem in caught.value.problem
    assert hint in caught.value.hint


def test_rows_of_one_group_count_once():
    with pytest.raises(DataError, match="class 'b' has 5 rows left in 2 groups that stay together: too few"):
        check_are_enough(["a"] * 4 + ["b"] * 5, [*"1234", *"55566"], "nothing")


# Conflicts ------------------------------------------------------------------------------------------------------------


def test_conflicting_labels():
    keys = ["x", "y", "x", "z", "x", "w", "w", "y"]
    labels = ["1", "0", "1", "0", "0", "1", "0", "0"]
    assert conflicting_labels(keys, labels, keep_majority=False) == [True, False, True, False, True, True, True, False]
    assert conflicting_labels(keys, labels, keep_majority=True) == [False, False, False, False, True, True, True, False]


def test_a_tie_of_three_labels_keeps_none():
    keys = ["x"] * 5
    assert conflicting_labels(keys, ["a", "b", "a", "b", "c"], keep_majority=True) == [True] * 5
    assert conflicting_labels(keys, ["a", "b", "a", "d", "c"], keep_majority=True) == [False, True, False, True, True]
