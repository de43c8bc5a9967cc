"""Random splits that keep groups whole and give every label its fractions."""

import hashlib
import os
import random
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from utils.text.splits import split_by_group

SHARES = (0.8, 0.1, 0.1)

GROUPS = st.lists(st.integers(0, 40).map(str), min_size=1, max_size=120)

ANY_SHARES = st.lists(st.sampled_from([0, 0.1, 0.25, 0.8, 3]), min_size=1, max_size=4).filter(any)


@settings(max_examples=300, deadline=None, database=None, derandomize=True)
@given(GROUPS, ANY_SHARES, st.integers(0, 1000))
def test_a_split_is_a_partition_by_group(groups, shares, seed):
    splits = split_by_group(groups, shares, seed)
    assert len(splits) == len(shares)
    assert sorted(row for split in splits for row in split) == list(range(len(groups)))
    assert all(split.tolist() == sorted(split) and split.dtype == np.intp for split in splits)
    homes = [{groups[row] for row in split} for split in splits]
    assert sum(map(len, homes)) == len(set(groups))
    for share, split in zip(shares, splits, strict=True):
        if share == 0:
            assert len(split) == 0
        elif len(set(groups)) >= sum(share > 0 for share in shares):
            assert len(split) > 0


@settings(max_examples=300, deadline=None, database=None, derandomize=True)
@given(GROUPS, ANY_SHARES, st.integers(0, 1000))
def test_shares_are_met_within_one_group(groups, shares, seed):
    largest = max(groups.count(group) for group in groups)
    targets = [share / sum(shares) * len(groups) for share in shares]
    assume(min(rows for rows in targets if rows) >= largest)  # otherwise a split is filled for the sake of having one
    for rows, split in zip(targets, split_by_group(groups, shares, seed), strict=True):
        assert abs(len(split) - rows) < largest + 1e-9


def test_rows_that_stand_alone_are_split_to_the_row():
    splits = split_by_group([str(row) for row in range(1000)], SHARES, 0)
    assert [len(split) for split in splits] == [800, 100, 100]


def test_a_group_too_large_for_a_small_split_lands_where_there_is_room():
    groups = ["thread"] * 40 + [str(row) for row in range(60)]
    for seed in range(20):
        splits = split_by_group(groups, SHARES, seed)
        assert [len(split) for split in splits] == [80, 10, 10]
        assert set(range(40)) <= set(splits[0])


def test_groups_of_every_ordinary_size_reach_every_split():
    groups = [f"pair {row // 2}" for row in range(500)] + [f"single {row}" for row in range(500)]
    for split in split_by_group(groups, SHARES, 0):
        pairs = np.mean([groups[row].startswith("pair") for row in split])
        assert 0.3 < pairs < 0.7


@pytest.mark.parametrize(
    ("rows", "sizes"), [(0, [0, 0, 0]), (1, [1, 0, 0]), (2, [1, 1, 0]), (3, [1, 1, 1]), (5, [3, 1, 1])]
)
def test_few_rows(rows, sizes):
    assert [len(split) for split in split_by_group([str(row) for row in range(rows)], SHARES, 0)] == sizes


def test_the_seed_decides_and_nothing_else():
    groups = [f"g{row % 150}" for row in range(300)]
    first = [split.tolist() for split in split_by_group(groups, SHARES, 1)]
    assert first == [split.tolist() for split in split_by_group(groups, SHARES, 1)]
    assert first != [split.tolist() for split in split_by_group(groups, SHARES, 2)]

    code = "from utils.text.splits import split_by_group; print([split.tolist() for split in split_by_group("
    code += "[f'g{row % 150}' for row in range(300)], (.8, .1, .1), 1)])"
    for hash_seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        result = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
        )
        assert result.stdout == f"{first}\n"


REVIEW_SHARES = (0.72, 0.08, 0.2)


def test_every_label_gets_its_shares():
    labels = ["a"] * 1000 + ["b"] * 200 + ["c"] * 50
    groups = [str(row) for row in range(len(labels))]
    splits = split_by_group(groups, REVIEW_SHARES, 0, labels)
    counts = [[sum(labels[row] == label for row in split) for label in "abc"] for split in splits]
    assert counts == [[720, 144, 36], [80, 16, 4], [200, 40, 10]]


@settings(max_examples=300, deadline=None, database=None, derandomize=True)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 15)), min_size=1, max_size=120), st.integers(0, 1000))
def test_every_label_of_three_groups_reaches_every_split(rows, seed):
    labels = [label for label, _ in rows]
    groups = [f"{label}{number}" for label, number in rows]  # each of one label
    splits = split_by_group(groups, REVIEW_SHARES, seed, labels)
    assert sorted(row for split in splits for row in split) == list(range(len(rows)))
    homes = [{groups[row] for row in split} for split in splits]
    assert sum(map(len, homes)) == len(set(groups))
    for label in set(labels):
        numbers = [group for group in set(groups) if group[0] == label]
        reached = sum(any(labels[row] == label for row in split) for split in splits)
        assert reached == min(3, len(numbers))
        largest = max(map(groups.count, numbers))
        total = labels.count(label)
        if min(REVIEW_SHARES) * total >= largest:
            for share, split in zip(REVIEW_SHARES, splits, strict=True):
                assert abs(sum(labels[row] == label for row in split) - share * total) < largest + 1e-9


def test_groups_of_several_labels_stay_whole_and_near_the_shares():
    generator = random.Random(3)
    groups = [f"thread {generator.randrange(300)}" for _ in range(1500)]
    labels = generator.choices("abc", weights=[10, 4, 1], k=1500)
    splits = split_by_group(groups, REVIEW_SHARES, 0, labels)
    homes = [{groups[row] for row in split} for split in splits]
    assert sum(map(len, homes)) == len(set(groups))
    for label in "abc":
        total = labels.count(label)
        for share, split in zip(REVIEW_SHARES, splits, strict=True):
            assert sum(labels[row] == label for row in split) / total == pytest.approx(share, abs=0.04)


def test_one_label_is_split_as_none():
    groups = [f"g{row % 70}" for row in range(300)]
    with_labels = split_by_group(groups, SHARES, 5, ["x"] * 300)
    assert [split.tolist() for split in with_labels] == [split.tolist() for split in split_by_group(groups, SHARES, 5)]


def test_a_file_is_split_as_it_ever_was():
    """A pickle made again must not test on what an earlier model was trained on."""
    found = hashlib.sha256()
    for rows in (1, 2, 3, 5, 40, 997):
        for labels in (1, 3):
            names = [str(row * row % labels) for row in range(rows)]
            for groups in ([str(row) for row in range(rows)], [str(row // 2) for row in range(rows)]):
                for split in split_by_group(groups, SHARES, rows, names):
                    found.update(repr(split.tolist()).encode())
    assert found.hexdigest() == "574e778f67f0157dfadd56f825c61e78f64d8d7fa255ca6859eeb769673f4fc1"
