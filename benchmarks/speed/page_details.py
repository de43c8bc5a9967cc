"""The later sections of docs/benchmarks.md: other kinds of rows, every opponent, dates, versions and commands."""

from collections.abc import Iterable, Iterator
from statistics import mean, median

from benchmarks.speed.figures import (
    best_opponent,
    differences,
    equally_good,
    leaves_out_start,
    other_versions,
    ratios,
    seconds_of,
    share_of_peak,
    times_free,
)
from benchmarks.speed.measure import command_seconds, work_seconds
from benchmarks.speed.table import spread, table

SHARE = """*Aim*: how many times as fast without start-up we want to be. *Loss* is in nats per token, or per text of a
classifier, in float32 without padding. *Share of peak*: the minimum FLOPs of training (see `benchmarks/speed/flops.py`:
per token and matrix parameter, 2 in the forward pass and 4 in the backward pass where it trains, without padding)
divided by the seconds without start-up, as a share of the FLOP/s of the fastest product of large square matrices in the
same number format, measured with each row."""


def crowds(rows: list[dict]) -> Iterator[str]:
    """Yield the table of commands beside other work."""
    cells = []
    for row in rows:
        free = row["runs"]
        cells.append([row["title"], "0", _wall(free), "", _processor(free), "", megabytes(row)])
        for beside in row["beside"]:
            runs = beside["runs"]
            wall_times, processor_times = (
                spread(times_free(free, runs, name)) for name in ("seconds", "processor_seconds")
            )
            cells.append(
                [
                    *(row["title"], str(beside["per_core"]), _wall(runs), wall_times),
                    *(_processor(runs), processor_times, megabytes(beside)),
                ]
            )
    columns = ("whole command", "busy processes per core", "seconds", "× free", "processor seconds", "× free", "MB")
    yield from table("Beside other work: processes that never wait", columns, cells)


def quality(row: dict) -> Iterator[str]:
    """Yield the table of models' quality."""
    cells = []
    for record in (row["ours"], *row["against"]):
        bits = record["bits_per_byte"]
        cells.append(
            [
                record["name"],
                str(len(bits)),
                spread(bits, 4, mean),
                spread(seconds_of(record, command_seconds), 0),
                megabytes(record),
            ]
        )
    columns = ("side", "seeds", "test bits per byte: mean [lowest, highest]", "whole command, s", "memory, MB")
    yield from table(f"Quality: {row['title']}", columns, cells, _best(row) if row["against"] else "")


def _best(row: dict) -> str:
    theirs = best_opponent(row)
    found = spread(differences(row["ours"], theirs), 4, mean)
    return f"Ours minus {theirs['name']}, seed by seed: {found} bits per byte; we aim at {-row['target']:g}."


def growth(row: dict) -> Iterator[str]:
    """Yield the table of one command on growing data."""
    cells = []
    for step in row["steps"]:
        work, whole = (median(seconds_of(step, seconds)) for seconds in (work_seconds, command_seconds))
        count = step["count"]
        cells.append([f"{count:,}", f"{whole:.1f}", f"{work:.1f}", _speed(count, work), megabytes(step)])
    unit = row["unit"]
    columns = (unit, "whole command, s", "without start-up, s", f"{unit} per second without start-up", "memory, MB")
    yield from table(f"Growing data: {row['title']}", columns, cells)


def _speed(count: int, seconds: float) -> str:
    if seconds <= 0:
        return "too short to tell"
    speed = count / seconds
    return f"{speed:,.0f}" if speed >= 100 else f"{speed:.1f}"


def comparisons(rows: Iterable[dict], usual: dict) -> Iterator[str]:
    """Yield the table of every row about work and every opponent."""
    cells = []
    for row in rows:
        peak = row["measured"]["peak"]
        for theirs in row["against"]:
            sides = row["ours"], theirs
            without = [_without_start(side) for side in sides]
            works = ratios(*sides, work_seconds) if leaves_out_start(row["ours"]) else None
            cells.append(
                [
                    row["title"],
                    named(theirs) + (" (naive)" if theirs["naive"] else ""),
                    spread(ratios(*sides, command_seconds)),
                    "" if works is None else spread(works),
                    f"{theirs['target']:g}" if "target" in theirs else "",
                    *without,
                    *(f"{side['loss']:.4f}" if "loss" in side else "" for side in sides),
                    yes_or_no(equally_good(*sides)),
                    *(megabytes(side) for side in sides),
                    *(_percent(share_of_peak(side, peak)) for side in sides),
                ]
            )
    columns = ("work", "opponent", "times as fast", "times as fast without start-up", "aim")
    columns += ("without start-up: ours, s", "theirs, s", "test loss: ours", "theirs", "equally good")
    columns += ("memory: ours, MB", "theirs, MB", "share of peak: ours", "theirs")
    peaks = ", ".join(f"{name} {value / 1e9:,.0f}" for name, value in usual["peak"].items())
    yield from table("Every opponent", columns, cells, f"{SHARE} These were at last, in GFLOP/s: {peaks}.")


def measured(rows: dict[str, dict], usual: dict) -> Iterator[str]:
    """Yield the table of dates and versions."""
    cells = []
    for name, row in rows.items():
        found = row["measured"]
        others = ", ".join(f"{library} {version}" for library, version in other_versions(found, usual).items())
        revision = found["revision"] or "unknown"
        cells.append([f"`{name}`", row["title"], str(_turns(row)), found["date"], revision, others])
    columns = ("row", "work", "turns", "measured on", "our revision", "other versions than above")
    yield from table("When and with which versions", columns, cells)


def commands(rows: Iterable[dict]) -> Iterator[str]:
    """Yield the commands of all rows, folded away."""
    yield "<details><summary>The commands</summary>\n"
    for row in rows:
        yield f"{row['title']}:\n"
        yield from (f"    {record['command']}" for record in _records(row))
        yield ""
    yield "</details>\n"


def named(record: dict) -> str:
    """Return the side's name, and how much of the work it did not do."""
    return f"{record['name']}, × {record['scale']:.3g}" if record["scale"] != 1 else record["name"]


def megabytes(record: dict) -> str:
    """Return the median peak memory of a side's runs."""
    return f"{median(run['megabytes'] for run in record['runs']):,.0f}"


def yes_or_no(value: bool | None) -> str:
    """Return a cell; it is empty where nothing is known."""
    return {True: "yes", False: "**no**", None: ""}[value]


def _records(row: dict) -> list[dict]:
    if row["kind"] == "growth":
        return row["steps"][:1]
    return [row] if row["kind"] == "crowd" else [row["ours"], *row["against"]]


def _turns(row: dict) -> int:
    return len(_records(row)[0]["runs"])


def _wall(runs: list[dict]) -> str:
    return spread([run["seconds"] for run in runs], 1)


def _processor(runs: list[dict]) -> str:
    return spread([run["processor_seconds"] for run in runs], 1)


def _without_start(record: dict) -> str:
    return f"{median(seconds_of(record, work_seconds)):.1f}" if leaves_out_start(record) else ""


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.0f}%"
