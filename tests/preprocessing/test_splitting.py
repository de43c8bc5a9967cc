"""Which rows train, validate and test: large groups are divided, uneven splits are said to be so."""

import logging

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from utils.errors import DataError
from utils.preprocessing.filters import FilteredRows
from utils.preprocessing.splitting import DIVIDED, assign_splits
from utils.tasks.tasks import TASKS


def rows(groups, parts=None, labels=None):
    """Filtered rows of these groups; without parts, every row is one."""
    count = len(groups)
    parts = [str(row) for row in range(count)] if parts is None else parts
    return FilteredRows([f"t{row}" for row in range(count)], labels or [None] * count, groups, parts, {}, {}, {}, [])


def sizes(filtered, task="tweets", seed=0):
    filtered, split_rows = assign_splits(filtered, TASKS[task], seed)
    return filtered, [len(numbers) for numbers in split_rows.values()]


def test_one_group_of_all_rows_is_divided():
    filtered, numbers = sizes(rows(["instruction 0"] * 100), "alpaca")
    assert numbers == [85, 10, 5]
    assert len(set(filtered.groups)) == 100
    assert filtered.cleaned == {DIVIDED: 100}


def test_a_large_group_is_in_every_split_and_small_groups_stay_whole(caplog):
    caplog.set_level(logging.INFO)
    groups = ["instruction 0"] * 2888 + [f"instruction {1 + row // 3}" for row in range(3000)]
    filtered, split_rows = assign_splits(rows(groups), TASKS["alpaca"], 0)
    for name, share in (("train", 0.85), ("validation", 0.1), ("test", 0.05)):
        assert sum(row < 2888 for row in split_rows[name]) == pytest.approx(2888 * share, rel=0.3)
    assert filtered.groups[2888:] == groups[2888:]
    homes = [{groups[row] for row in numbers if row >= 2888} for numbers in split_rows.values()]
    assert sum(map(len, homes)) == 1000
    assert filtered.cleaned == {DIVIDED: 2888}
    assert "1 group is too large for one split and divided; the largest, instruction 0, has 2,888 rows" in caplog.text
    assert "warning" not in caplog.text


def test_rows_of_a_part_stay_together():
    parts = [str(row // 4) for row in range(400)]
    _, split_rows = assign_splits(rows(["instruction 0"] * 400, parts), TASKS["alpaca"], 0)
    assert [len(numbers) for numbers in split_rows.values()] == [340, 40, 20]
    assert sum(len({parts[row] for row in numbers}) for numbers in split_rows.values()) == 100


def test_a_split_that_is_impossible_is_a_warning(caplog):
    parts = ["same"] * 40 + [str(row) for row in range(60)]
    _, numbers = sizes(rows(["instruction 0"] * 100, parts), "alpaca")
    assert numbers == [85, 10, 5]
    assert "warning" not in caplog.text
    parts = ["same"] * 90 + [str(row) for row in range(10)]
    _, numbers = sizes(rows(["instruction 0"] * 100, parts), "alpaca")
    assert sum(numbers) == 100
    assert numbers[0] >= 90
    assert (
        "instead of 85% / 10% / 5%: rows that ask or belong to the same stay together, such as the 90 of" in caplog.text
    )


def test_few_rows_are_a_warning(caplog):
    _, numbers = sizes(rows([f"row {row}" for row in range(8)]), "alpaca")
    assert numbers == [6, 1, 1]
    assert "there are only 8 rows" in caplog.text


def test_fewer_than_three_parts():
    with pytest.raises(DataError, match="20 rows in 1 groups are left, too few for three splits") as caught:
        assign_splits(rows(["a"] * 20, ["same"] * 20), TASKS["tweets"], 0)
    assert caught.value.hint.startswith("add more rows")


def test_other_answers_to_the_same_question_are_split_by_conversation(caplog):
    filtered = rows(["instruction 0"] * 100, ["same"] * 100)
    filtered.metadata["location"] = [f"a.jsonl, row {1 + row // 2}" for row in range(100)]
    divided, split_rows = assign_splits(filtered, TASKS["alpaca"], 0)
    assert [len(numbers) for numbers in split_rows.values()] == pytest.approx([85, 10, 5], abs=1)
    assert len(set(divided.groups)) == 50
    assert sum(len({row // 2 for row in numbers}) for numbers in split_rows.values()) == 50
    assert "nearly all rows ask the same question" in caplog.text


def test_small_groups_are_divided_only_where_the_splits_would_be_uneven():
    threads = [f"thread {row // 3}" for row in range(60)]
    filtered, _ = sizes(rows(threads, labels=["ab"[row % 2] for row in range(60)]), "reviews")
    assert len(set(filtered.groups)) in (20, 60)
    threads = [f"thread {row // 3}" for row in range(300)]
    filtered, numbers = sizes(rows(threads))
    assert filtered.groups == threads
    assert numbers == pytest.approx([240, 30, 30], abs=3)


@settings(max_examples=150, deadline=None, database=None, derandomize=True)
@given(
    st.lists(st.integers(1, 80), min_size=1, max_size=40),
    st.sampled_from(["tweets", "reviews", "alpaca"]),
    st.integers(0, 99),
)
def test_splits_are_within_two_points_where_rows_are_enough(group_sizes, task, seed):
    groups = [f"group {number}" for number, size in enumerate(group_sizes) for _ in range(size)]
    if len(groups) < 100:
        return
    labels = ["ab"[row % 2] for row in range(len(groups))] if task == "reviews" else None
    filtered, split_rows = assign_splits(rows(groups, labels=labels), TASKS[task], seed)
    for fraction, numbers in zip(TASKS[task].split, split_rows.values(), strict=True):
        assert abs(len(numbers) / len(groups) - fraction) <= 0.02
    homes = [{filtered.groups[row] for row in numbers} for numbers in split_rows.values()]
    assert sum(map(len, homes)) == len(set(filtered.groups))
    assert sorted(row for numbers in split_rows.values() for row in numbers) == list(range(len(groups)))
