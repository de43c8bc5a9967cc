"""Places of right answers: values by hand, intervals over clusters, and refusals."""

import pytest

from utils.metrics.ranking import Ranking, places_of
from utils.metrics.shares import share_interval

PREDICTIONS = [["a", "b", "c"], ["b", "a"], ["x", "y", "z", "u", "a", "b"], [], ["x"], list("qrstua")]
REFERENCES = [["a"], ["a"], ["a"], ["a"], ["a"], ["b", "a"]]
CLUSTERS = ["one", "one", "two", "three", "three", "three"]


def measure(**options) -> dict:
    return Ranking(keep_in_memory=True).compute(predictions=PREDICTIONS, references=REFERENCES, **options)


def test_values_by_hand():
    found = measure()
    assert found["top_1"]["value"] == pytest.approx(1 / 6)
    assert found["top_5"]["value"] == pytest.approx(3 / 6)
    assert found["mean_reciprocal_rank"]["value"] == pytest.approx((1 + 1 / 2 + 1 / 5 + 0 + 0 + 1 / 6) / 6)
    assert (found["rows"], found["clusters"]) == (6, 6)
    assert measure(clusters=CLUSTERS)["clusters"] == 3


def test_places_below_the_depth_count_for_nothing():
    assert places_of(PREDICTIONS, REFERENCES) == [1, 2, 5, None, None, 6]
    assert places_of(PREDICTIONS, REFERENCES, depth=2) == [1, 2, None, None, None, None]
    assert measure(depth=2)["mean_reciprocal_rank"]["value"] == pytest.approx(1.5 / 6)
    # Whichever right answer comes first counts.
    assert places_of([["c", "b", "a"]], [["a", "b"]]) == [2]


def test_the_interval_is_over_clusters():
    outcomes = [number % 7 > 1 for number in range(60)]
    clusters = [number // 4 for number in range(60)]
    found = Ranking(keep_in_memory=True).compute(
        predictions=[["a" if right else "b"] for right in outcomes], references=[["a"]] * 60, clusters=clusters
    )
    assert found["top_1"] == share_interval(outcomes, clusters) != share_interval(outcomes)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: places_of([["a"]], []), "1 rankings for 0 rows"),
        (lambda: places_of([["a"], []], [["a"], []]), "row 1 has no right answer"),
        (lambda: Ranking(keep_in_memory=True)._compute([], []), "no rows"),
        (lambda: measure(clusters=["one"]), "1 clusters of 6 rows"),
    ],
)
def test_rankings_that_do_not_fit_the_rows_are_an_error(call, message):
    with pytest.raises(ValueError, match=message):
        call()
