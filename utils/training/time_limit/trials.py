"""The time of a search's trials: each is a training with an end, and the rest is reserved for the final training."""

from collections.abc import Sequence
from dataclasses import replace

from utils.training.time_limit.limit import TimeLimit

FIRST_SHARE = 0.5  # of the time: the first trial leaves as much for the final training
SMALLEST_SHARE = 0.5  # of the trials' mean time, for one more


def trial_limit(limit: TimeLimit, best: float | None, trials: Sequence[float]) -> TimeLimit | None:
    """Return the limit of the next trial; None where the time for trials is over.

    `best` is how long the best of the finished trials took, which the final training with its settings will take again,
    and `trials` are the times of all of them. The first trial gets half of the time.
    """
    left = limit.left() - limit.evaluation  # before the final training
    seconds = left * FIRST_SHARE if best is None else left - best
    if trials and seconds < SMALLEST_SHARE * sum(trials) / len(trials):
        return None
    end = limit.used() + seconds + limit.evaluation
    return replace(
        limit, seconds=end, clock=limit.used, used_before=0.0, state=0.0, saving=0.0, evaluations_after=0, spare=0.0
    )
