"""The points of models that find emoji: shares against plain counts, and examples with their probabilities."""

import json
import random

import pytest

from utils.evaluation.emoji_points import emoji_points
from utils.inference.emoji_ranking import RankedEmoji
from utils.metrics.shares import share_interval
from utils.processed import Split

EMOJI = [chr(0x1F600 + number) for number in range(60)]
ROWS = 40


def split(rows: int = ROWS) -> Split:
    generator = random.Random(3)
    return Split(
        prompt=[f"description {row} \x00<b>" for row in range(rows)],
        completion=[EMOJI[row] for row in range(rows)],
        label=[None] * rows,
        group=[f"concept {row // 2}" for row in range(rows)],
        ids=[[]] * rows,
        loss_start=[0] * rows,
        metadata={
            "emoji": EMOJI[:rows],
            "group": [generator.choice(["Smileys", "Flags", None]) for _ in range(rows)],
        },
    )


@pytest.fixture(scope="module")
def case():
    generator = random.Random(1)
    orders = [generator.sample(EMOJI, len(EMOJI)) for _ in range(ROWS)]
    for row in range(0, ROWS, 3):  # a third is right
        orders[row].remove(EMOJI[row])
        orders[row].insert(0, EMOJI[row])
    ranked = [
        [RankedEmoji(emoji, emoji, first / 2**place, True) for place, emoji in enumerate(order)]
        for order, first in zip(orders, [generator.random() for _ in range(ROWS)], strict=True)
    ]
    return orders, ranked


def points(orders, ranked, test=None, targets=None, seed=0):
    test = test or split()
    rankings = {"tuned": orders, "nearest_description": [[EMOJI[row]] for row in range(len(test))]}
    right = [[EMOJI[row], "another"] for row in range(len(test))]
    rows = [10 * row for row in range(len(test))]
    first = lambda numbers: [ranked[number] for number in numbers]  # noqa: E731
    concepts = {emoji: f"name of {emoji}" for emoji in [*EMOJI, "x"][: targets or None]}
    found = emoji_points(rankings, ranked, right, test, rows, first, concepts, seed)
    json.dumps(found, allow_nan=False)
    return found


def test_the_share_that_is_right_by_rank(case):
    found = points(*case)["right_by_rank"]
    concepts = split().group
    assert len(found["tuned"]) == 50
    for rank, share in enumerate(found["tuned"], 1):
        assert share == share_interval([EMOJI[row] in case[0][row][:rank] for row in range(ROWS)], concepts)
    assert {share["value"] for share in found["nearest_description"]} == {1.0}
    one = [[RankedEmoji(EMOJI[0], EMOJI[0], 0.5, True)]] * 3
    assert len(points([EMOJI[:1]] * 3, one, split(3), targets=12)["right_by_rank"]["tuned"]) == 12


def test_the_share_that_is_right_by_probability(case):
    orders, ranked = case
    bins = points(*case)["right_by_probability"]
    assert sum(one["rows"] for one in bins) == ROWS
    for one in bins:
        members = [row for row in range(ROWS) if one["from"] <= ranked[row][0].probability < one["to"]]
        assert one["rows"] == len(members) > 0
        assert one["right"]["value"] == sum(orders[row][0] == EMOJI[row] for row in members) / len(members)
        assert one["mean_probability"] == pytest.approx(
            sum(ranked[row][0].probability for row in members) / len(members)
        )
    certain = [[RankedEmoji("x", "x", 1.0, True)]] * 4
    [one] = points([["x"]] * 4, certain, split(4))["right_by_probability"]
    assert (one["from"], one["to"], one["rows"], one["right"]["value"]) == (0.9, 1.0, 4, 0)


def test_the_share_that_is_right_by_group(case):
    orders, test = case[0], split()
    found = points(*case)["right_by_group"]
    groups = test.metadata["group"]
    assert {one["group"] for one in found} == {"Smileys", "Flags"}
    assert [one["rows"] for one in found] == sorted((one["rows"] for one in found), reverse=True)
    for one in found:
        members = [row for row in range(ROWS) if groups[row] == one["group"]]
        right = [orders[row][0] == EMOJI[row] for row in members]
        assert (one["rows"], one["tuned"]) == (
            len(members), share_interval(right, [test.group[row] for row in members])
        )  # fmt: skip
    bare = split(3)
    bare.metadata["group"][:] = [None] * 3
    assert points(orders[:3], case[1][:3], bare)["right_by_group"] == []


def test_examples_are_right_and_wrong_rows_with_their_first_emoji(case):
    orders, ranked = case
    found = points(*case)["examples"]
    for name, one in ((name, one) for name, some in found.items() for one in some):
        row = one["row"] // 10
        assert one["description"] == f"description {row} \x00<b>"
        assert (one["place"] == 1) == (name == "right") == (row % 3 == 0 or orders[row][0] == EMOJI[row])
        assert one["right"] == [EMOJI[row], "another"]
        assert one["concept"] == f"concept {row // 2}"
        assert [each["emoji"] for each in one["ranked"]] == orders[row][:5]
        assert [each["concept"] for each in one["ranked"]] == [f"name of {emoji}" for emoji in orders[row][:5]]
        assert [each["probability"] for each in one["ranked"]] == [each.probability for each in ranked[row][:5]]
    assert [len(some) for some in found.values()] == [5, 5]
    assert points(*case, seed=1)["examples"] != found
    few = points(orders[:1], ranked[:1], split(1))["examples"]
    assert [len(some) for some in few.values()] == [1, 0]


def test_figures_to_compare_models_are_of_each_row_in_order(case):
    found = points(*case)["per_text"]
    assert found["row"] == [10 * row for row in range(ROWS)]
    assert found["cluster"] == [row // 2 for row in range(ROWS)]
    expected = [case[0][row].index(EMOJI[row]) + 1 for row in range(ROWS)]
    assert found["place"] == [place if place <= 50 else None for place in expected]
    assert None in found["place"]
