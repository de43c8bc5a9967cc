"""The arithmetic of docs/benchmarks.md: from recorded runs to ratios, shares and differences."""

from collections.abc import Callable
from statistics import mean, median

from benchmarks.speed.measure import Measured, command_seconds, work_seconds

MAX_LOSS_RATIO = 1.005  # of our loss to theirs, for models that are equally good

Seconds = Callable[[Measured, float], float]  # `work_seconds` or `command_seconds`


def seconds_of(record: dict, seconds: Seconds) -> list[float]:
    """Return the seconds of each turn."""
    return [seconds(Measured(**run), record["scale"]) for run in record["runs"]]


def leaves_out_start(record: dict) -> bool:
    """Return whether the side's start-up was measured, so that its work is known without it."""
    return all(run["least_seconds"] is not None for run in record["runs"])


def ratios(ours: dict, theirs: dict, seconds: Seconds) -> list[float]:
    """Return their seconds divided by ours for each turn.

    The list is empty where the work of a turn is lost in the noise of start-up, as in small sizes.
    """
    pairs = list(zip(seconds_of(ours, seconds), seconds_of(theirs, seconds), strict=True))
    return [other / own for own, other in pairs] if min(map(min, pairs)) > 0 else []


def strongest(row: dict) -> dict | None:
    """Return the opponent that is not naive and whose whole command is the fastest compared with ours."""
    able = [theirs for theirs in row["against"] if not theirs["naive"]]
    return min(able, key=lambda theirs: median(ratios(row["ours"], theirs, command_seconds)), default=None)


def equally_good(ours: dict, theirs: dict) -> bool | None:
    """Return whether our model's loss is not worse than theirs; None where either is unknown."""
    if "loss" not in ours or "loss" not in theirs:
        return None
    return ours["loss"] <= theirs["loss"] * MAX_LOSS_RATIO


def share_of_peak(record: dict, peak: dict[str, float]) -> float | None:
    """Return the FLOP/s of the median turn as a share of the peak; None where the FLOPs are unknown."""
    seconds = median(seconds_of(record, work_seconds))
    if "flops" not in record or seconds <= 0:
        return None
    return record["flops"] / seconds / peak[record["format"]]


def times_free(free: list[dict], beside: list[dict], value: str) -> list[float]:
    """Return a value of the runs beside other work divided by that on the free machine, for each turn."""
    return [busy[value] / alone[value] for alone, busy in zip(free, beside, strict=True)]


def best_opponent(row: dict) -> dict:
    """Return the opponent whose models have the fewest bits per byte, in the mean of the seeds."""
    return min(row["against"], key=lambda record: mean(record["bits_per_byte"]))


def differences(ours: dict, theirs: dict) -> list[float]:
    """Return our bits per byte minus theirs for each seed."""
    return [own - other for own, other in zip(ours["bits_per_byte"], theirs["bits_per_byte"], strict=True)]


def newest(rows: dict[str, dict]) -> dict:
    """Return the conditions of the latest measurement among the rows."""
    return max((row["measured"] for row in rows.values()), key=lambda measured: measured["date"])


def other_versions(measured: dict, usual: dict) -> dict[str, str]:
    """Return the versions that are not the usual ones."""
    return {name: version for name, version in measured["versions"].items() if usual["versions"].get(name) != version}
