"""Targets, filters and splits of emoji pairs."""

from collections import Counter

import pytest

from utils.errors import DataError
from utils.preprocessing.emoji.pairs import (
    NAME_ALONE,
    NAME_OF_UNSEEN,
    filter_pairs,
    list_targets,
    split_pairs,
    split_wordings,
    with_names_of_characters,
)
from utils.preprocessing.emoji.resolve import EmojiPair
from utils.preprocessing.filters import Filters
from utils.preprocessing.usable_rows import UsableRows

SHARES = (0.8, 0.1, 0.1)
PAIRS = [
    EmojiPair(description, emoji, "Faces", None, "en")
    for description, emoji in [("grin", "😀"), ("wave", "👋"), ("waving hand", "👋"), ("light hand", "👋🏻")]
]


def test_targets_are_sorted_by_the_text_that_the_model_writes():
    assert list_targets(PAIRS, "emoji") == [
        ["👋", "👋", "Faces", "1F44B"],
        ["👋🏻", "👋🏻", "Faces", "1F44B"],
        ["😀", "😀", "Faces", "1F600"],
    ]
    assert [target[0] for target in list_targets(PAIRS, "codepoints")] == ["1F44B", "1F44B 1F3FB", "1F600"]


def test_filters_apply_to_descriptions_and_groups_are_concepts():
    table = UsableRows(PAIRS, {"no emoji": 1}, {"emoji found by its name": 2})
    filtered = filter_pairs(table, Filters(min_words=2, exclude=("light",)), seed=0)
    assert (filtered.texts, filtered.groups) == (["waving hand"], ["1F44B"])
    assert filtered.metadata == {"emoji": ["👋"], "group": ["Faces"], "sub_group": [None], "language": ["en"]}
    assert filtered.dropped == {"no emoji": 1, "too short": 2, "excluded word": 1}
    assert filtered.cleaned == table.changed
    with pytest.raises(DataError) as caught:
        filter_pairs(table, Filters(min_words=3), seed=0)
    assert caught.value.problem == "all 5 rows were dropped: 1 no emoji, 4 too short"
    assert caught.value.hint == "lower --min_words"


def test_a_concept_is_in_one_split_and_shares_count_concepts():
    emoji = [f"{each}{tone}" for each in "👋✋👌👍👎✊👊👏🙌👐" for tone in ("", "🏻", "🏿")]
    pairs = [EmojiPair(f"sign {number}", each, None, None, None) for number, each in enumerate(emoji)]
    filtered = filter_pairs(UsableRows(pairs, {}, {}), Filters(), seed=0)
    split_rows = split_pairs(filtered, SHARES, "concept", seed=1)
    concepts = [{filtered.groups[row] for row in rows} for rows in split_rows.values()]
    assert [len(each) for each in concepts] == [8, 1, 1]
    assert len(set.union(*concepts)) == 10


def test_names_of_characters_are_in_train_alone_and_tell_nothing_of_the_other_splits():
    wordings = [
        ("grin", "😀"),
        ("wave", "👋"),
        ("hand, waving sign", "👋"),
        ("a fox", "🦊"),
        ("fox", "🦊"),
        ("cat", "🐈"),
    ]
    names = [
        ("grinning face", "😀"),
        ("Waving Hand-Signs", "👋"),
        ("fox face", "🦊"),
        ("cat two", "🐈"),
        ("dog face", "🐶"),
    ]
    pairs = [EmojiPair(*pair, None, None, "en") for pair in wordings]
    pairs += [EmojiPair(*pair, None, None, "unicode") for pair in names]
    filtered = filter_pairs(UsableRows(pairs, {}, {}), Filters(), seed=0)
    split_rows = split_pairs(filtered, SHARES, "description", seed=0)
    assert sorted(row for rows in split_rows.values() for row in rows) == list(range(len(wordings)))
    split_rows = {"train": [0, 1, 3], "validation": [2], "test": [4, 5]}
    split_rows, left_out = with_names_of_characters(filtered, split_rows)
    assert left_out == {NAME_OF_UNSEEN: 2, NAME_ALONE: 1}
    assert split_rows == {"train": [0, 1, 3, 6, 8], "validation": [2], "test": [4, 5]}


def test_every_emoji_in_validation_and_test_has_another_description_in_train():
    emoji_of = [number % 40 for number in range(200)]
    keys = [f"key {number // 2 if number < 20 else number}" for number in range(200)]
    splits = split_wordings(keys, emoji_of, SHARES, seed=3)
    assert [len(rows) for rows in splits] == [160, 20, 20]
    assert sorted(row for rows in splits for row in rows) == list(range(200))
    assert {emoji_of[row] for row in splits[0]} == set(range(40))
    split_keys = [{keys[row] for row in rows} for rows in splits]
    assert sum(map(len, split_keys)) == len(set.union(*split_keys))
    assert split_wordings(keys, emoji_of, SHARES, seed=3) == splits
    assert split_wordings(keys, emoji_of, SHARES, seed=4) != splits


def test_emoji_with_one_description_stay_in_train():
    splits = split_wordings(list("abcdef"), list("112345"), (0.5, 0.25, 0.25), seed=0)
    assert sorted(map(len, splits[1:])) == [0, 1]
    assert {2, 3, 4, 5} < set(splits[0])
    assert Counter(row for rows in splits for row in rows) == Counter(range(6))
