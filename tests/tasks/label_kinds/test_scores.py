"""Scores: cells that are numbers, equal texts, the strata of the splits, and the targets of the model."""

import statistics
from collections import Counter

import pytest

from utils.errors import DataError
from utils.tasks.label_kinds.scores import SCORES, score_scale


def test_cells_are_numbers_or_empty():
    cells = ["4", " 4.5 ", "-1e1", "", None, "n/a", "NaN"]
    assert SCORES.read(cells, "stars", None) == ([4.0, 4.5, -10.0, "", "", "", ""], [False] * 7)


@pytest.mark.parametrize(
    ("cells", "found"),
    [
        (["4", "good"], "'good' in row 2"),
        (["4/5", "4,5", "", "5 stars", "x", "y"], "'4/5' in row 1, '4,5' in row 2, '5 stars' in row 4 and 2 more"),
        (["1", "inf"], "'inf' in row 2"),
        (["1", "1e999"], "'1e999' in row 2"),
    ],
)
def test_other_cells_are_refused_with_their_rows(cells, found):
    with pytest.raises(DataError) as raised:
        SCORES.read(cells, "stars", None)
    assert raised.value.problem == f"column 'stars' holds scores that aren't numbers: {found}"
    assert "--labels score" in raised.value.hint


def test_equal_texts_get_the_mean_of_their_scores():
    assert SCORES.settle(["a", "b", "a"], [1.0, 5.0, 2.0], False) == ([1.5, 5.0, 1.5], [False] * 3)


def test_strata_are_parts_of_equal_size_and_equal_scores_share_one():
    strata = SCORES.strata([float(number) for number in range(1000)])
    assert sorted(Counter(strata).values()) == [100] * 10
    assert strata == sorted(strata)
    stars = [5.0] * 700 + [4.0] * 200 + [1.0] * 100
    assert len({(star, part) for star, part in zip(stars, SCORES.strata(stars), strict=True)}) == 3
    assert SCORES.strata([3.0, 1.0, 2.0]) == [0, 0, 0]
    assert SCORES.strata([]) == []


def test_targets_have_the_deviation_one_and_stand_for_the_scores():
    train = [1.0, 5.0, 3.0, 30.0]
    targets = SCORES.targets(train, ["score"], train)
    assert statistics.pstdev(targets) == pytest.approx(1)
    assert [SCORES.text(target, ["score"], train) for target in targets] == ["1", "5", "3", "30"]
    assert SCORES.targets([10.0], ["score"], train) == [10.0 / score_scale(train)]


def test_one_score_alone_teaches_nothing():
    with pytest.raises(DataError, match="all 2 rows left have the score 5: there is nothing to learn"):
        SCORES.check([5.0, 5.0], ["a", "b"], "1 no text")
    with pytest.raises(DataError, match="the same score"):
        SCORES.targets([5.0], ["score"], [5.0, 5.0])
