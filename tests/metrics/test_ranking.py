"""Places of right answers: values by hand, intervals against a plain bootstrap, and what is refused."""

import random
import statistics

import pytest

from utils.metrics.ranking import Ranking, places_of, share_difference, share_with_interval

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


def plain_interval(values: list[float], clusters: list[str]) -> tuple[float, float]:
    """Draws of whole clusters, with Python's own random numbers."""
    rows = {name: [value for value, one in zip(values, clusters, strict=True) if one == name] for name in clusters}
    names, drawn = sorted(rows), []
    generator = random.Random(5)
    for _ in range(4000):
        sample = [value for name in generator.choices(names, k=len(names)) for value in rows[name]]
        drawn.append(statistics.fmean(sample))
    cuts = statistics.quantiles(drawn, n=40)
    return cuts[0], cuts[-1]


def test_the_interval_is_over_clusters():
    generator = random.Random(3)
    clusters = [f"concept {number % 40}" for number in range(400)]
    luck = {name: generator.random() for name in sorted(set(clusters))}
    outcomes = [generator.random() < luck[name] for name in clusters]
    found = share_with_interval(outcomes, clusters)
    low, high = plain_interval([float(one) for one in outcomes], clusters)
    assert found["value"] == pytest.approx(sum(outcomes) / 400)
    assert (found["low"], found["high"]) == (pytest.approx(low, abs=0.01), pytest.approx(high, abs=0.01))
    unclustered = share_with_interval(outcomes, range(400))
    assert unclustered["high"] - unclustered["low"] < 0.8 * (
        found["high"] - found["low"]
    )  # as if rows were independent
    of_metric = Ranking(keep_in_memory=True).compute(
        predictions=[["a" if right else "b"] for right in outcomes], references=[["a"]] * 400, clusters=clusters
    )
    assert of_metric["top_1"] == found


def test_a_paired_difference():
    ours, theirs = [True, True, False, True] * 50, [True, False, False, False] * 50
    found = share_difference(ours, theirs, range(200))
    assert found["value"] == pytest.approx(0.5)
    low, high = plain_interval([float(a) - b for a, b in zip(ours, theirs, strict=True)], list(map(str, range(200))))
    assert (found["low"], found["high"]) == (pytest.approx(low, abs=0.015), pytest.approx(high, abs=0.015))
    assert share_difference(ours, ours, range(200)) == {"value": 0, "low": 0, "high": 0}


def test_the_seed_decides():
    assert measure(seed=1) == measure(seed=1)
    outcomes = [number % 3 == 0 for number in range(100)]
    assert share_with_interval(outcomes, range(100), 1) != share_with_interval(outcomes, range(100), 2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: places_of([["a"]], []), "1 rankings for 0 rows"),
        (lambda: places_of([["a"], []], [["a"], []]), "row 1 has no right answer"),
        (lambda: share_with_interval([], []), "no rows"),
        (lambda: share_with_interval([True], []), "0 clusters of 1 rows"),
        (lambda: share_difference([True], [], ["a"]), "1 outcomes and 0"),
    ],
)
def test_what_cannot_be_measured(call, message):
    with pytest.raises(ValueError, match=message):
        call()
