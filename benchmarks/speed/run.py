"""Measure rows of docs/benchmarks.md (A B A B …), save the measurements and regenerate the page.

python -m benchmarks.speed.run
python -m benchmarks.speed.run --rows tweets-smollm2 reviews --repeats 5
python -m benchmarks.speed.run --size quick --rows classify
"""

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.speed import machine, material, page
from benchmarks.speed.measure import FailedError
from benchmarks.speed.measure_rows import empty, measure_row
from benchmarks.speed.rows import ROWS, USUAL, VARIANTS
from benchmarks.speed.sizes import SIZES
from utils.files import atomic_write

log = logging.getLogger("benchmarks")

FOLDER = Path("models/benchmarks")  # ignored by git
RESULTS = Path("docs/benchmarks.json")


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=USUAL, metavar="NAME", help=", ".join(ROWS))
    parser.add_argument("--repeats", type=int, default=3, help="runs of each contender (default: %(default)s)")
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
    """Return the exit code: 1 where a row failed; the other rows are kept, and those measured before."""
    args = build_parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    quick = args.size == "quick"
    path = args.results or (args.folder / "quick.json" if quick else RESULTS)
    results = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    failed = []
    if not args.page_only:
        size = SIZES[args.size]
        here, measured_with = machine.describe(args.size), machine.measured_with(seconds=0.1 if quick else 2.0)
        found = results.setdefault(here["name"], {"machine": here, "rows": {}})
        for name in args.rows:
            needs, make = ROWS[name]
            files = material.Material(args.folder / args.size)
            empty(files.runs)
            try:
                material.prepare(needs, size, files)
                row = measure_row(name, make(size, files), args.repeats, files.logs)
                found["rows"][name] = row | {"measured": measured_with}
            except FailedError as error:
                log.error("%s failed: %s", name, error)
                failed.append(name)
            empty(files.runs)
            with atomic_write(path, "w") as file:
                json.dump(results, file, indent=1)
    with atomic_write(path.with_suffix(".md"), "w") as file:
        file.write(page.write(results, ROWS, VARIANTS))
    print(path.with_suffix(".md"))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
