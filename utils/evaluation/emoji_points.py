"""The points that the report draws of emoji models: accuracy by rank, by probability and by group; examples."""

import random
from collections.abc import Callable, Mapping, Sequence

from utils.inference.emoji_ranking import RankedEmoji
from utils.metrics.bootstrap import cluster_numbers
from utils.metrics.ranking import RANKING_DEPTH, places_of
from utils.metrics.shares import share_interval
from utils.processed import Split

EXAMPLES = 5  # of right and of wrong ones
EXAMPLE_EMOJI = 5  # of each example
PROBABILITY_BINS = 10
FirstEmoji = Callable[[list[int]], list[list[RankedEmoji]]]  # rows of the test split → the most likely emoji of each


def emoji_points(
    rankings: Mapping[str, Sequence[Sequence[str]]],
    ranked: Sequence[Sequence[RankedEmoji]],
    right: Sequence[Sequence[str]],
    test: Split,
    rows: Sequence[int],
    first_emoji: FirstEmoji,
    concept_of: Mapping[str, str],
    seed: int,
) -> dict:
    """Return the points as plain JSON values.

    `rankings` has the emoji of each model and baseline for each row of `test`, and `ranked` those of the tuned model
    with their probabilities; they may end after the first right one. `right` are the right emoji of each row, `rows`
    its numbers in the test split of the data, and `concept_of` the concept of each emoji that can be found.
    `first_emoji` gives at least the first `EXAMPLE_EMOJI` of the tuned model for the examples, which are drawn with the
    seed.
    """
    places = {name: places_of(some, right) for name, some in rankings.items()}
    tuned = places["tuned"]
    return {
        "right_by_rank": {name: _right_by_rank(some, test.group, len(concept_of)) for name, some in places.items()},
        "right_by_probability": _right_by_probability([one[0].probability for one in ranked], tuned, test.group),
        "right_by_group": _right_by_group(places, test),
        "examples": _examples(tuned, right, test, rows, first_emoji, concept_of, seed),
        "per_text": {
            "row": list(rows),
            "cluster": cluster_numbers(test.group, len(test)).tolist(),
            "place": tuned,
            "nearest_place": places["nearest_description"],
        },
    }


def _right_by_rank(places: Sequence[int | None], clusters: Sequence[str], targets: int) -> list[dict]:
    """The share of rows with a right emoji among the first k, for k from 1 to `RANKING_DEPTH` or all emoji."""
    return [
        share_interval([place is not None and place <= rank for place in places], clusters)
        for rank in range(1, min(RANKING_DEPTH, targets) + 1)
    ]


def _right_by_probability(
    probabilities: Sequence[float], places: Sequence[int | None], clusters: Sequence[str]
) -> list[dict]:
    """Return the accuracy of the first emoji in bins of its probability, without empty bins."""
    bins = [min(int(probability * PROBABILITY_BINS), PROBABILITY_BINS - 1) for probability in probabilities]
    found = []
    for number in sorted(set(bins)):
        members = [row for row, of_row in enumerate(bins) if of_row == number]
        found.append(
            {
                "from": number / PROBABILITY_BINS,
                "to": (number + 1) / PROBABILITY_BINS,
                "rows": len(members),
                "mean_probability": sum(probabilities[row] for row in members) / len(members),
                "right": share_interval([places[row] == 1 for row in members], [clusters[row] for row in members]),
            }
        )
    return found


def _right_by_group(places: Mapping[str, Sequence[int | None]], test: Split) -> list[dict]:
    """The share of rows that each model puts right, in each Unicode group, the largest first; none without groups."""
    members: dict[str, list[int]] = {}
    for row, group in enumerate(test.metadata["group"]):
        if group:
            members.setdefault(group, []).append(row)
    return [
        {
            "group": group,
            "rows": len(rows),
            **{
                name: share_interval([some[row] == 1 for row in rows], [test.group[row] for row in rows])
                for name, some in places.items()
            },
        }
        for group, rows in sorted(members.items(), key=lambda item: (-len(item[1]), item[0]))
    ]


def _examples(
    places: Sequence[int | None],
    right: Sequence[Sequence[str]],
    test: Split,
    rows: Sequence[int],
    first: FirstEmoji,
    concept_of: Mapping[str, str],
    seed: int,
) -> dict[str, list[dict]]:
    """Random rows whose first emoji is right, and random ones whose first is wrong, with the first emoji of each."""
    generator = random.Random(seed)
    drawn = {}
    for name, is_right in (("right", True), ("wrong", False)):
        candidates = [row for row, place in enumerate(places) if (place == 1) == is_right]
        drawn[name] = sorted(generator.sample(candidates, min(EXAMPLES, len(candidates))))
    numbers = [number for some in drawn.values() for number in some]
    found = dict(zip(numbers, first(numbers), strict=True))
    return {
        name: [
            {
                "row": rows[number],
                "description": test.prompt[number],
                "emoji": test.metadata["emoji"][number],
                "right": list(right[number]),
                "place": places[number],
                "concept": test.group[number],
                "ranked": [
                    {"emoji": one.emoji, "concept": concept_of[one.emoji], "probability": one.probability}
                    for one in found[number][:EXAMPLE_EMOJI]
                ],
            }
            for number in some
        ]
        for name, some in drawn.items()
    }
