"""The fold of a text: groups stay together, every label is in every fold, and data that cannot be divided."""

from collections import Counter
from pathlib import Path

import pytest
from running import user_error
from small_models import processed_data, tiny_tokenizer

from utils.errors import DataError
from utils.processed import Split
from utils.training.folds.split import fold_of_groups, rows_inside, rows_outside
from utils.training.rows import reworded_rows, training_rows

DATA = Path("data.pkl")


def split(groups: list[str], labels: list[str | None]) -> Split:
    empty = [""] * len(groups)
    return Split(empty, empty, labels, groups, [[]] * len(groups), [0] * len(groups))


def test_each_fold_has_as_many_texts_of_each_label():
    train = split([f"text {number}" for number in range(60)], ["good", "good", "bad"] * 20)
    folds = fold_of_groups(DATA, train, ["bad", "good"], 4, seed=1)
    counts = Counter((folds[group], label) for group, label in zip(train.group, train.label, strict=True))
    assert counts == {(fold, label): texts for fold in range(4) for label, texts in (("good", 10), ("bad", 5))}
    assert folds == fold_of_groups(DATA, train, ["bad", "good"], 4, seed=1)
    assert folds != fold_of_groups(DATA, train, ["bad", "good"], 4, seed=2)


def test_texts_without_labels_are_divided_by_group():
    train = split([f"thread {number // 3}" for number in range(30)], [None] * 30)
    folds = fold_of_groups(DATA, train, None, 5, seed=0)
    assert Counter(folds.values()) == dict.fromkeys(range(5), 2)  # of the ten threads


@pytest.mark.parametrize(
    ("train", "problem"),
    [
        (split(["a", "b", "c"], ["x", "y", "x"]), "data.pkl has 3 training texts, too few for --folds 4"),
        (split(["a", "b", "c"] * 2, ["x", "y"] * 3), "data.pkl has 6 training texts in 3 groups, too few"),
        (
            split(list("abcdefghijk"), ["x"] * 8 + ["y"] * 3),
            "would have no text labeled 'y': the training split has 3",
        ),
        (split(list("abcdef"), ["x", "y"] * 3), "would have no text labeled 'x': the training split has 3"),
        (split(list("abcdefgh"), ["x"] * 8), "would have no text labeled 'y': the training split has 0"),
        (
            split(list("abcdefgh") + ["i"] * 9, ["x"] * 8 + ["y"] * 9),
            "would have no text labeled 'y': the training split has 9 in 1 group",
        ),
    ],
    ids=["few rows", "few groups", "few of a label", "few of each label", "one label", "a label in one group"],
)
@pytest.mark.filterwarnings("ignore:The least populated class")
def test_impossible_folds_are_refused(train, problem):
    error = user_error(fold_of_groups, DATA, train, ["x", "y"], 4, 0)
    assert isinstance(error, DataError)
    assert problem in error.problem


def test_copies_are_never_judged_and_stay_in_the_fold_of_their_text():
    data = processed_data(train=[f"emoji {number}" for number in range(8)])
    data.splits["train"].prompt[:] = [f"word of description {number}" for number in range(8)]
    rows = training_rows(data, tiny_tokenizer(), 64, ["train"])["train"] + reworded_rows(data, tiny_tokenizer(), 64, 0)
    assert len(rows) == 24
    fold_of = fold_of_groups(DATA, data.splits["train"], None, 4, seed=0)
    for fold in range(4):
        outside, inside = (
            {tuple(row["input_ids"][row["loss_start"] :]) for row in function(rows, fold_of, fold)}
            for function in (rows_outside, rows_inside)
        )
        assert (len(outside), len(inside)) == (6, 2)  # what is written: one text for a row and its copies
        assert not outside & inside
        assert len(rows_inside(rows, fold_of, fold)) == 2


def test_the_loss_of_a_fold_is_that_of_the_completions():
    data = processed_data(train=["answer"])
    [row] = training_rows(data, tiny_tokenizer(), 64, ["train"])["train"]
    trained = {**row, "loss_start": 0, "completion_start": row["loss_start"]}  # as with --loss_on all
    [judged] = rows_inside([trained], {row["group"]: 0}, 0)
    assert judged["loss_start"] == row["loss_start"] == 1
