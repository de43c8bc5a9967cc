"""Try hostile and damaged files on every reader: always a result or a UserError, in bounded time and memory.

python tests/reliability/fuzz.py --cases 20000
python tests/reliability/fuzz.py --cases 500 --reader Parquet --seed 7

Half of the cases are small good files with damage drawn at random, the others are written by Hypothesis. It prints
what happened by reader; files that a reader fails on are kept, and cut to what is needed where that is quick.
"""

import argparse
import io
import os
import random
import sys
import tempfile
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

os.environ["TOKENIZERS_PARALLELISM"] = "false"  # its threads are not there after a fork
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
ROOT = Path(__file__).parent.parent.parent
sys.path += [str(ROOT), str(ROOT / "tests" / "helpers"), str(Path(__file__).parent)]

import pandas  # noqa: E402, F401
import pyarrow.parquet  # noqa: E402, F401
import transformers  # noqa: E402
from forked import KILLED, MEGABYTE, RESULT, TRACEBACK, USER_ERROR, Outcome, in_a_child  # noqa: E402
from fuzz_generated import generated  # noqa: E402
from fuzz_mutations import mutated  # noqa: E402
from fuzz_readers import Reader, all_readers  # noqa: E402

MOST_SECONDS, MOST_BYTES, BYTES_PER_BYTE = 1.0, 100 * MEGABYTE, 10
CUTS = 60  # attempts to make a failing file smaller


@dataclass
class Counts:
    """The outcomes of a reader."""

    ends: dict[str, int] = field(default_factory=lambda: dict.fromkeys((RESULT, USER_ERROR, TRACEBACK, KILLED), 0))
    slow: int = 0
    large: int = 0
    slowest: float = 0
    largest: int = 0
    kept: list[str] = field(default_factory=list)


def fuzz(cases: int, seed: int, failures: Path, only: str | None = None) -> Iterator[tuple[str, Counts]]:
    """Yield every reader's name and what happened; `failures` is the folder for the files that a reader fails on."""
    transformers.utils.logging.disable_progress_bar()
    with tempfile.TemporaryDirectory() as scratch:
        readers = [reader for reader in all_readers(Path(scratch)) if only in (None, reader.name)]
        total = sum(reader.share for reader in readers)
        for reader in readers:
            count = max(2, round(cases * reader.share / total))
            yield reader.name, _fuzz_reader(reader, count, seed, Path(scratch), failures)


def _fuzz_reader(reader: Reader, cases: int, seed: int, scratch: Path, failures: Path) -> Counts:
    counts, chance = Counts(), random.Random(f"{seed} {reader.name}")
    folder = Path(tempfile.mkdtemp(dir=scratch))
    _check_seeds(reader, folder)
    written = generated(reader.kind, cases // 2, seed)
    for number in range(cases):
        for name, content in reader.beside.items():
            (folder / name).write_bytes(content)
        name = chance.choice(list(reader.seeds))
        damaged = (
            written[number]
            if number < len(written)
            else mutated(reader.seeds[name], chance, list(reader.seeds.values()))
        )
        outcome = _try(reader, folder / name, damaged)
        counts.ends[outcome.end] += 1
        counts.slowest, counts.largest = max(counts.slowest, outcome.seconds), max(counts.largest, outcome.bytes)
        is_slow, is_large = _limits_broken(outcome, len(damaged))
        counts.slow, counts.large = counts.slow + is_slow, counts.large + is_large
        if outcome.end in (TRACEBACK, KILLED) or is_slow or is_large:
            small = _smaller(damaged, partial(_fails_alike, reader, folder / name, outcome))
            failures.mkdir(parents=True, exist_ok=True)
            kept = failures / f"{reader.name.replace(' ', '_').strip('…,_.')}-{number}-{name}"
            kept.write_bytes(reader.seal(small))
            why = (
                outcome.said.strip().rpartition("\n")[2][:150]
                or f"{outcome.seconds:.1f} s, {outcome.bytes / MEGABYTE:.0f} MB"
            )
            counts.kept.append(f"{kept.name}: {outcome.end}, {why}")
        for file in folder.iterdir():
            file.unlink()
    return counts


def _check_seeds(reader: Reader, folder: Path) -> None:
    """Read the good files in this process: they give results, and import what the children then have."""
    for name, content in reader.seeds.items():
        for beside, also in reader.beside.items():
            (folder / beside).write_bytes(also)
        (folder / name).write_bytes(reader.seal(content))
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            reader.use(folder / name)
        for file in folder.iterdir():
            file.unlink()


def _try(reader: Reader, path: Path, damaged: bytes) -> Outcome:
    path.write_bytes(reader.seal(damaged))
    return in_a_child(partial(reader.use, path))


def _limits_broken(outcome: Outcome, size: int) -> tuple[bool, bool]:
    return outcome.seconds > MOST_SECONDS, outcome.bytes > BYTES_PER_BYTE * size + MOST_BYTES


def _fails_alike(reader: Reader, path: Path, first: Outcome, damaged: bytes) -> bool:
    again = _try(reader, path, damaged)
    if first.end in (TRACEBACK, KILLED):
        return again.end == first.end and again.said.strip()[-40:] == first.said.strip()[-40:]
    return any(_limits_broken(again, len(damaged)))


def _smaller(damaged: bytes, fails) -> bytes:
    """Return a part of the file on which the reader still fails alike."""
    size, tried = max(1, len(damaged) // 2), 0
    while size and tried < CUTS:
        start = 0
        while start < len(damaged) and tried < CUTS:
            shorter, tried = damaged[:start] + damaged[start + size :], tried + 1
            if shorter and fails(shorter):
                damaged = shorter
            else:
                start += size
        size //= 2
    return damaged


def row(name: str, counts: Counts) -> str:
    """Return a row of the table, and what failed."""
    ends = counts.ends
    figures = (
        f"{name:26} {sum(ends.values()):6} {ends[RESULT]:8} {ends[USER_ERROR]:7} {ends[TRACEBACK] + ends[KILLED]:10} "
        f"{counts.slow:5} {counts.large:6} {counts.slowest:6.2f} s {counts.largest / MEGABYTE:5.0f} MB"
    )
    return "\n".join([figures, *counts.kept])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--reader", help="only this one, by its name in the table")
    parser.add_argument("--failures", type=Path, default=Path(tempfile.gettempdir()) / "fuzz_failures")
    flags = parser.parse_args()
    print(f"{'reader':26}  cases  results  errors tracebacks  slow  large  slowest  largest")
    failed = 0
    for name, counts in fuzz(flags.cases, flags.seed, flags.failures, flags.reader):
        print(row(name, counts), flush=True)
        failed += len(counts.kept)
    print(f"{failed} cases failed" + (f"; their files are in {flags.failures}" if failed else ""))
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
