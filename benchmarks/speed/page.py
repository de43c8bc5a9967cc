"""Generate docs/benchmarks.md from the measurements."""

from collections.abc import Iterator
from statistics import median

from benchmarks.speed.measure import Measured, command_seconds, work_seconds

MAX_LOSS_RATIO = 1.005  # of our loss to theirs, for equal work
COLUMNS = (
    *("row", "against", "target", "work: ratio", "ours, s", "theirs, s", "whole command: ratio"),
    *("loss, ours", "theirs", "equal work", "share of peak, ours", "theirs"),
)
HEAD = """# Benchmarks

`make bench` measures these rows and writes this page; `make bench-quality` adds the row about quality. All times are
measured, except that a contender marked with × did a part of the work, and its time is scaled.

- **In turn**: each contender is a fresh process, and they take turns (A B C A B C …). A ratio is the opponent's seconds
  divided by ours in the same turn: median [lowest, highest].
- **Work** is the time of a command minus the time of the same command on minimal data (one epoch of 16 texts, one text
  to generate or classify, 16 tweets to preprocess), which is measured in each turn. So imports, loading and saving do
  not count. **Whole command** is the time from start to end.
- **×** after seconds: the opponent ran on a part of the texts or epochs, and its work is multiplied by this factor.
- **Loss** is the loss of the trained model on the validation split (nats per token; for classifiers nats per text),
  computed by the same code for all contenders, in float32 without padding. Work is equal where our loss is at most
  0.5% above theirs. Over ten epochs, ours evaluates and saves after every second epoch and keeps the best of these
  models; the opponents keep the last one.
- **Share of peak**: the minimum FLOPs of training (see `benchmarks/speed/flops.py`: per token and matrix parameter, 2
  in the forward pass and 4 in the backward pass where it trains, without padding) divided by the seconds of work, as a
  share of the FLOP/s of the fastest product of large square matrices on this machine in the same number format.
"""


def write(results: dict) -> str:
    """Return the page, with a section for each machine and size."""
    return "\n".join([HEAD, *(line for found in results.values() for line in _machine(found))])


def ratios(ours: dict, theirs: dict, seconds) -> list[float]:
    """Return their seconds divided by ours for each turn; `seconds` is `work_seconds` or `command_seconds`.

    The list is empty where the work of a turn is lost in the noise of start-up, as in small sizes.
    """
    pairs = list(zip(_seconds(ours, seconds), _seconds(theirs, seconds), strict=True))
    return [other / own for own, other in pairs] if min(map(min, pairs)) > 0 else []


def equal_work(ours: dict, theirs: dict) -> bool | None:
    """Whether our loss is not worse than theirs; None where either is unknown."""
    if "loss" not in ours or "loss" not in theirs:
        return None
    return ours["loss"] <= theirs["loss"] * MAX_LOSS_RATIO


def share_of_peak(record: dict, peak: dict[str, float]) -> float | None:
    """Return the FLOP/s of the median turn as a share of the peak; None where the FLOPs are unknown."""
    seconds = median(_seconds(record, work_seconds))
    if "flops" not in record or seconds <= 0:
        return None
    return record["flops"] / seconds / peak[record["format"]]


def _machine(found: dict) -> Iterator[str]:
    machine, rows = found["machine"], found["rows"]
    libraries = ", ".join(f"{name} {version}" for name, version in machine["libraries"].items())
    peaks = ", ".join(f"{name} {value / 1e9:,.0f}" for name, value in machine["peak"].items())
    yield f"## {machine['name'][0].upper()}{machine['name'][1:]}\n"
    yield f"Processor: {machine['processor']}. Python {machine['python']}, {libraries}."
    yield f"Peak in GFLOP/s: {peaks}.\n"
    of_kind = {
        kind: [row for row in rows.values() if row["kind"] == kind] for kind in ("comparison", "growth", "quality")
    }
    if of_kind["comparison"]:
        yield from _comparisons(of_kind["comparison"], machine["peak"])
    for row in of_kind["growth"]:
        yield from _growth(row)
    for row in of_kind["quality"]:
        yield from _quality(row)
    yield from _commands([*of_kind["comparison"], *of_kind["growth"], *of_kind["quality"]])


def _comparisons(rows: list[dict], peak: dict[str, float]) -> Iterator[str]:
    yield f"| {' | '.join(COLUMNS)} |"
    yield "|" + "---|" * len(COLUMNS)
    for row in rows:
        ours = row["ours"]
        for theirs in row["against"]:
            scale = f" (× {theirs['scale']:.3g})" if theirs["scale"] != 1 else ""
            cells = [
                row["title"],
                theirs["name"],
                f"{theirs['target']:g}×",
                _spread(ratios(ours, theirs, work_seconds)),
                f"{median(_seconds(ours, work_seconds)):.1f}",
                f"{median(_seconds(theirs, work_seconds)):.1f}{scale}",
                _spread(ratios(ours, theirs, command_seconds)),
                *(f"{record['loss']:.4f}" if "loss" in record else "" for record in (ours, theirs)),
                {True: "yes", False: "**no**", None: ""}[equal_work(ours, theirs)],
                *(_percent(share_of_peak(record, peak)) for record in (ours, theirs)),
            ]
            yield f"| {' | '.join(cells)} |"
    yield ""


def _growth(row: dict) -> Iterator[str]:
    yield f"Scaling: {row['title']}\n"
    yield f"| {row['unit']} | work, s | {row['unit']} per second of work | whole command, s | memory, MB |"
    yield "|---|---|---|---|---|"
    for step in row["steps"]:
        work, whole = (median(_seconds(step, seconds)) for seconds in (work_seconds, command_seconds))
        memory = median(run["megabytes"] for run in step["runs"])
        speed = f"{step['count'] / work:,.1f}" if work > 0 else "too short to tell"
        yield f"| {step['count']:,} | {work:.1f} | {speed} | {whole:.1f} | {memory:,.0f} |"
    yield ""


def _quality(row: dict) -> Iterator[str]:
    yield f"{row['title'][0].upper()}{row['title'][1:]}\n"
    yield "| side | whole command, s | test bits per byte |"
    yield "|---|---|---|"
    for record in (row["ours"], *row["against"]):
        yield f"| {record['name']} | {record['runs'][0]['seconds']:.0f} | {record['bits_per_byte']:.4f} |"
    if row["against"]:
        difference = row["ours"]["bits_per_byte"] - min(record["bits_per_byte"] for record in row["against"])
        direction = "below" if difference < 0 else "above"
        yield f"\nOurs is {abs(difference):.4f} {direction} the best opponent; the target is {row['target']:g} below."
    yield ""


def _commands(rows: list[dict]) -> Iterator[str]:
    yield "<details><summary>The commands</summary>\n"
    for row in rows:
        records = row["steps"][:1] if row["kind"] == "growth" else [row["ours"], *row["against"]]
        yield f"{row['title']}:\n"
        yield from (f"    {record['command']}" for record in records)
        yield ""
    yield "</details>\n"


def _seconds(record: dict, seconds) -> list[float]:
    return [seconds(Measured(**run), record["scale"]) for run in record["runs"]]


def _spread(values: list[float]) -> str:
    if not values:
        return "too short to tell"
    return f"**{median(values):.2f}** [{min(values):.2f}, {max(values):.2f}]"


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.0f}%"
