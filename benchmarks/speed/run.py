"""Measure rows of docs/benchmarks.md (A B A B …), save the measurements and regenerate the page.

python -m benchmarks.speed.run
python -m benchmarks.speed.run --rows tweets-smollm2 reviews --repeats 3
python -m benchmarks.speed.run --size quick --rows classify
"""

import argparse
import importlib.util
import json
import logging
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.speed import flops, machine, material, page
from benchmarks.speed.kinds import Against, Comparison, Growth, Quality, Row
from benchmarks.speed.measure import FailedError, Side, as_record, measure, run, words
from benchmarks.speed.rows import ROWS, USUAL
from benchmarks.speed.sizes import SIZES
from utils.files import atomic_write

log = logging.getLogger("benchmarks")

FOLDER = Path("models/benchmarks")  # ignored by git
RESULTS = Path("docs/benchmarks.json")


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=USUAL, metavar="NAME", help=", ".join(ROWS))
    parser.add_argument("--repeats", type=int, default=2, help="runs of each contender (default: %(default)s)")
    parser.add_argument("--size", choices=SIZES, default="subset", help="default: %(default)s")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="for models and data (default: %(default)s)")
    parser.add_argument(
        "--results",
        type=Path,
        help=f"JSON file; the page is written beside it (default: {RESULTS}; for --size quick a file in the folder)",
    )
    parser.add_argument("--page_only", action="store_true", help="measure nothing, only regenerate the page")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Return the exit code: 1 where a row failed; the other rows are kept."""
    args = build_parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    quick = args.size == "quick"
    path = args.results or (args.folder / "quick.json" if quick else RESULTS)
    results = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    failed = []
    if not args.page_only:
        size = SIZES[args.size]
        here = machine.describe(args.size, seconds=0.1 if quick else 2.0)
        found = results.setdefault(here["name"], {"rows": {}})
        found["machine"] = here
        for name in args.rows:
            needs, make = ROWS[name]
            files = material.Material(args.folder / args.size)
            _empty(files.runs)
            try:
                material.prepare(needs, size, files)
                found["rows"][name] = measure_row(name, make(size, files), args.repeats, files.logs)
            except FailedError as error:
                log.error("%s failed: %s", name, error)
                failed.append(name)
            _empty(files.runs)
            with atomic_write(path, "w") as file:
                json.dump(results, file, indent=1)
    with atomic_write(path.with_suffix(".md"), "w") as file:
        file.write(page.write(results))
    print(path.with_suffix(".md"))
    return 1 if failed else 0


def measure_row(name: str, row: Row, repeats: int, logs: Path) -> dict:
    """Return what `page` shows of a row."""
    log.info("%s: %s", name, row.title)
    kind = {Comparison: _comparison, Growth: _growth, Quality: _quality}[type(row)]
    return {"kind": kind.__name__.strip("_"), "title": row.title, **kind(row, repeats, logs)}


def _comparison(row: Comparison, repeats: int, logs: Path) -> dict:
    against = [other for other in row.against if _installed(other.side)]
    sides = [row.ours, *(other.side for other in against)]
    if not _installed(row.ours):
        raise FailedError(f"{', '.join(row.ours.needs)} is not installed")
    runs = _in_turn(sides, repeats, logs)
    records = [_side_record(side, runs[side.name]) for side in sides]
    for side, record in zip(sides, records, strict=True):
        if row.heldout and side.scale == 1:  # otherwise it was trained on a part of the texts
            record |= _heldout_loss(side, row.heldout, "validation", logs)
    if row.training:
        for record, flops_and_format in zip(records, _flops(row, against), strict=True):
            record |= flops_and_format
    targets = [{"target": other.target} for other in against]
    return {
        "ours": records[0],
        "against": [record | target for record, target in zip(records[1:], targets, strict=True)],
    }


def _growth(row: Growth, repeats: int, logs: Path) -> dict:
    steps = []
    for count, side in row.steps:
        runs = _in_turn([side], repeats, logs)[side.name]
        steps.append({"count": count, **_side_record(side, runs)})
    return {"unit": row.unit, "steps": steps}


def _quality(row: Quality, repeats: int, logs: Path) -> dict:
    sides = [row.ours, *(side for side in row.theirs if _installed(side))]
    runs = _in_turn(sides, 1, logs)  # the same seed gives the same model
    records = [_side_record(side, runs[side.name]) | _heldout_loss(side, row.heldout, "test", logs) for side in sides]
    return {"ours": records[0], "against": records[1:], "target": row.target}


def _in_turn(sides: Sequence[Side], repeats: int, logs: Path) -> dict[str, list[dict]]:
    """Measure all sides in turn (A B C A B C …), after a first run that creates what they keep (a converted model)."""
    for side in sides:
        run(side.least, logs / "first.log")
    runs = {side.name: [] for side in sides}
    for number in range(repeats):
        for side in sides:
            measured = as_record(measure(side, logs))
            seconds, least = measured["seconds"], measured["least_seconds"]
            log.info("  %d/%d %s: %.1f s, start-up %.1f s", number + 1, repeats, side.name, seconds, least)
            runs[side.name].append(measured)
    return runs


def _side_record(side: Side, runs: list[dict]) -> dict:
    return {"name": side.name, "command": " ".join(side.command), "scale": side.scale, "runs": runs}


def _heldout_loss(side: Side, pickle: Path, split: str, logs: Path) -> dict[str, float]:
    """Return the loss of the trained model, computed in a process of its own so that this one stays small."""
    log_file = logs / "heldout_loss.log"
    run(words("-m", "benchmarks.speed.heldout_loss", side.model, pickle, split), log_file)
    return json.loads(log_file.read_text(encoding="utf-8").splitlines()[-1])


def _flops(row: Comparison, against: Sequence[Against]) -> list[dict]:
    """Return the minimum FLOPs of each side's training, and the number format of its matrix products."""
    training = row.training
    ids = material.training_split(training.data).ids
    tokens = sum(map(len, ids))
    needed = len(ids) if training.classifies else None  # one token per text
    shape = flops.shape_of(training.base, classifies=training.classifies)
    record = json.loads((row.ours.model / "run.json").read_text(encoding="utf-8"))
    cached = record["prefix_cache"] is not None

    def count(**options: bool) -> float:
        return flops.training_flops(shape, tokens, training.epochs, training.trained, **options)

    ours = {"flops": count(cached=cached, needed=needed), "format": "bfloat16"}
    formats = ["bfloat16" if other.bfloat16 else "float32" for other in against]
    counts = [count(tied_head=other.tied_head) for other in against]
    return [ours, *({"flops": n, "format": name} for n, name in zip(counts, formats, strict=True))]


def _installed(side: Side) -> bool:
    missing = [name for name in side.needs if importlib.util.find_spec(name) is None]
    if missing:
        log.warning("left out: %s, since %s is not installed", side.name, ", ".join(missing))
    return not missing


def _empty(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


if __name__ == "__main__":
    sys.exit(main())
