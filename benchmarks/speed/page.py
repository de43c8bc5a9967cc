"""docs/benchmarks.md from what was measured."""

from collections.abc import Iterator
from statistics import median

from benchmarks.speed.measure import Measured, command_seconds, work_seconds

WORSE = 1.005  # our loss, as a share of theirs, may be this much
COLUMNS = (
    *("row", "against", "target", "work: ratio", "ours, s", "theirs, s", "whole command: ratio"),
    *("loss, ours", "theirs", "equal work", "share of peak, ours", "theirs"),
)
HEAD = """# Benchmarks

`make bench` measures these rows and writes this page; `make bench-quality` adds the one about quality. Nothing here is
estimated, but for the parts that a row says are multiplied.

- **In turn**: each side is a fresh process, ours and the others' one after the other (A B C A B C …). A ratio is the
  other side's seconds divided by ours of the same turn: median [lowest, highest].
- **Work** is what a command takes beyond the same command on next to no data (one epoch of 16 texts, one text to write
  or label, 16 tweets to preprocess): imports, loading and saving are left out on both sides, and measured in each turn.
  **Whole command** is from start to end, on both sides.
- **×** beside seconds: the other side did a part of the texts or epochs, and its work is multiplied by so much.
- **Loss** is that of the trained model on the validation split (nats a token, of classifiers a text), by one code for
  all sides, in float32 without padding. Equal work: ours is not above theirs by more than 0.5 %. Over ten epochs ours
  evaluates and saves after every second one, and keeps the best of those models; the others keep the last.
- **Share of peak**: the operations that a training needs at least (see `benchmarks/speed/arithmetic.py`: 2 a token and
  matrix parameter forward, 4 backward where it trains, padding is no work), divided by the seconds of its work, as a
  share of the fastest product of large square matrices on this machine in the same number format.
"""


def write(results: dict) -> str:
    """The whole page, a section for each machine and size."""
    return "\n".join([HEAD, *(line for found in results.values() for line in _machine(found))])


def ratios(ours: dict, theirs: dict, seconds) -> list[float]:
    """Theirs divided by ours, turn by turn; `seconds` is `work_seconds` or `command_seconds`.

    None at all where the work of a turn is lost in the noise of start-up, which the system makes on small sizes.
    """
    pairs = list(zip(_seconds(ours, seconds), _seconds(theirs, seconds), strict=True))
    return [other / own for own, other in pairs] if min(map(min, pairs)) > 0 else []


def equal_work(ours: dict, theirs: dict) -> bool | None:
    """Whether our loss is not worse; None where either is not known."""
    if "loss" not in ours or "loss" not in theirs:
        return None
    return ours["loss"] <= theirs["loss"] * WORSE


def share_of_peak(record: dict, peak: dict[str, float]) -> float | None:
    """Operations a second of the median turn as a share of the peak; None where either is not known."""
    seconds = median(_seconds(record, work_seconds))
    if "operations" not in record or seconds <= 0:
        return None
    return record["operations"] / seconds / peak[record["format"]]


def _machine(found: dict) -> Iterator[str]:
    machine, rows = found["machine"], found["rows"]
    libraries = ", ".join(f"{name} {version}" for name, version in machine["libraries"].items())
    peaks = ", ".join(f"{name} {value / 1e9:,.0f}" for name, value in machine["peak"].items())
    yield f"## {machine['name'][0].upper()}{machine['name'][1:]}\n"
    yield f"Processor: {machine['processor']}. Python {machine['python']}, {libraries}."
    yield f"Peak, in thousand million operations a second: {peaks}.\n"
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
    yield f"How cost grows: {row['title']}\n"
    yield f"| {row['unit']} | work, s | {row['unit']} a second of work | whole command, s | memory, MB |"
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
        less = min(record["bits_per_byte"] for record in row["against"]) - row["ours"]["bits_per_byte"]
        side = "lower" if less > 0 else "higher"
        aim = f"the target is lower by {row['target']:g}"
        yield f"\nOurs is {side} by {abs(less):.4f} than the best of the others; {aim}."
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
    return "" if share is None else f"{100 * share:.0f} %"
