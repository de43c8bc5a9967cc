"""Measure a row of each kind, as plain values that `page` shows."""

import importlib.util
import json
import logging
import shutil
from collections.abc import Sequence
from pathlib import Path

from benchmarks.speed import flops, material
from benchmarks.speed.crowd import busy, cores
from benchmarks.speed.kinds import Against, Comparison, Crowd, Growth, Quality, Row
from benchmarks.speed.measure import FailedError, Measured, Side, as_record, measure, run, words

log = logging.getLogger("benchmarks")


def measure_row(name: str, row: Row, repeats: int, logs: Path) -> dict:
    """Return the row's title and figures."""
    log.info("%s: %s", name, row.title)
    kind = {Comparison: _comparison, Growth: _growth, Crowd: _crowd, Quality: _quality}[type(row)]
    return {"kind": kind.__name__.strip("_"), "title": row.title, **kind(row, repeats, logs)}


def _comparison(row: Comparison, repeats: int, logs: Path) -> dict:
    against = [other for other in row.against if _installed(other.side)]
    sides = [row.ours, *(other.side for other in against)]
    if not _installed(row.ours):
        raise FailedError(f"{', '.join(row.ours.needs)} is not installed")
    for side in sides:  # a first run creates what they keep (a converted model), and the system keeps their files
        if side.least or row.start:
            run(side.least or side.command, logs / "first.log", side.until)
    runs = _in_turn(sides, repeats, logs)
    records = [_side_record(side, runs[side.name]) for side in sides]
    for side, record in zip(sides, records, strict=True):
        if row.judged_on and side.scale == 1:  # otherwise it was trained on a part of the texts
            record |= _loss_on_test(side, row.judged_on, logs)
    if row.training:
        for record, flops_and_format in zip(records, _flops(row, against), strict=True):
            record |= flops_and_format
    kinds = [{"naive": other.naive} | ({"target": other.target} if other.target else {}) for other in against]
    return {
        "start": row.start,
        "ours": records[0],
        "against": [record | kind for record, kind in zip(records[1:], kinds, strict=True)],
    }


def _growth(row: Growth, repeats: int, logs: Path) -> dict:
    steps = []
    for count, side in row.steps:
        run(side.least, logs / "first.log")
        runs = _in_turn([side], repeats, logs)[side.name]
        steps.append({"count": count, **_side_record(side, runs)})
    return {"unit": row.unit, "steps": steps}


def _crowd(row: Crowd, repeats: int, logs: Path) -> dict:
    run(row.side.command, logs / "first.log")
    runs = {per_core: [] for per_core in row.per_core}
    for number in range(repeats):
        for per_core in row.per_core:
            with busy(per_core * cores()):
                measured = measure(row.side, logs)
            _say(number, repeats, f"beside {per_core} per core", measured)
            runs[per_core].append(as_record(measured))
    record = _side_record(row.side, runs.pop(row.per_core[0]))
    return record | {"beside": [{"per_core": per_core, "runs": found} for per_core, found in runs.items()]}


def _quality(row: Quality, repeats: int, logs: Path) -> dict:
    """Measure each seed once, since the same seed gives the same model."""
    contenders = [row.ours, *(sides for sides in row.theirs if _installed(sides[0]))]
    records = [_side_record(sides[0], []) | {"bits_per_byte": []} for sides in contenders]
    for number, sides in enumerate(zip(*contenders, strict=True)):
        for side, record in zip(sides, records, strict=True):
            whole = run(side.command, logs / "command.log", side.until)
            _say(number, len(row.ours), side.name, whole)
            record["runs"].append(as_record(whole))
            record["bits_per_byte"].append(_loss_on_test(side, row.judged_on, logs)["bits_per_byte"])
    return {"ours": records[0], "against": records[1:], "target": row.target}


def _in_turn(sides: Sequence[Side], repeats: int, logs: Path) -> dict[str, list[dict]]:
    """Measure all sides in turn (A B C A B C …)."""
    runs = {side.name: [] for side in sides}
    for number in range(repeats):
        for side in sides:
            measured = measure(side, logs)
            _say(number, repeats, side.name, measured)
            runs[side.name].append(as_record(measured))
    return runs


def _say(number: int, repeats: int, name: str, measured: Measured) -> None:
    start = "" if measured.least_seconds is None else f", start-up {measured.least_seconds:.1f} s"
    log.info("  %d/%d %s: %.1f s%s", number + 1, repeats, name, measured.seconds, start)


def _side_record(side: Side, runs: list[dict]) -> dict:
    return {"name": side.name, "command": " ".join(side.command), "scale": side.scale, "runs": runs}


def _loss_on_test(side: Side, pickle: Path, logs: Path) -> dict[str, float]:
    """Return the loss of the trained model, computed in a process of its own so that this one stays small."""
    log_file = logs / "heldout_loss.log"
    run(words("-m", "benchmarks.speed.heldout_loss", side.model, pickle, "test"), log_file)
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


def empty(folder: Path) -> None:
    """Make a folder, or empty it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
