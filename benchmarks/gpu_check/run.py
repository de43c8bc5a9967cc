"""Check number formats, resuming, results, memory and speed on a CUDA GPU, as the tests do on a CPU.

python -m benchmarks.gpu_check.run
python -m benchmarks.gpu_check.run --device cpu --only resuming generation

It takes ten minutes at most and no network. Each check runs the scripts as a user does, on random models. The exit code
is 1 if one failed; models/gpu-check then keeps the files that its command needs.
"""

import argparse
import importlib.util
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.gpu_check.checks import CHECKS, Check
from benchmarks.gpu_check.commands import FailedError, Shell
from benchmarks.gpu_check.material import Workplace
from benchmarks.gpu_check.report import FAILED, LEFT_OUT, PASSED, Result, line, machine, page, summary
from utils.errors import EXIT_DONE, EXIT_FAILED, UsageError, UserError
from utils.files import atomic_write
from utils.process import run

FOLDER = Path("models/gpu-check")  # ignored by git
SECONDS = 600.0


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda", help="default: %(default)s")
    parser.add_argument("--only", nargs="+", choices=CHECKS, default=list(CHECKS), metavar="CHECK", help="some checks")
    parser.add_argument("--page", type=Path, metavar="FILE.md", help="also write the table there")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the checks, and print a line for each as it ends."""
    args = build_parser().parse_args(argv)
    check_device(args.device)
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    work = Workplace(Shell(time.monotonic() + SECONDS), args.device, FOLDER)
    where = machine(args.device)
    print(where, flush=True)
    results = run_checks(work, {name: CHECKS[name] for name in args.only})
    print(summary(results))
    if args.page:
        with atomic_write(args.page, "w") as file:
            file.write(page(results, where))
    if any(each.outcome == FAILED for each in results):
        return EXIT_FAILED
    shutil.rmtree(FOLDER)
    return EXIT_DONE


def check_device(device: str) -> None:
    """Raise UserError where there is no such device, or no PyTorch."""
    if importlib.util.find_spec("torch") is None:
        raise UserError(
            "PyTorch is not installed here", "make demo installs it into .venv, or activate its environment"
        )
    import torch

    if device == "cuda" and not torch.cuda.is_available():
        hint = "python -m benchmarks.gpu_check.run --device cpu runs the same commands on the CPU"
        why = "this PyTorch is built without CUDA" if torch.version.cuda is None else "PyTorch sees none here"
        raise UsageError(f"these checks need a CUDA GPU, and {why}", hint)


def run_checks(work: Workplace, checks: Mapping[str, Check]) -> list[Result]:
    """Run the checks one after the other, print a line for each, and return their results."""
    results, width = [], max(map(len, checks))
    for name, check in checks.items():
        began = time.monotonic()
        outcome, found = _outcome(work, check)
        results.append(Result(name, outcome, time.monotonic() - began, found))
        print(line(results[-1], width), flush=True)
    return results


def _outcome(work: Workplace, check: Check) -> tuple[str, str]:
    if work.device == "cpu" and check.not_on_cpu:
        return LEFT_OUT, check.not_on_cpu
    if check.package and importlib.util.find_spec(check.package) is None:
        return LEFT_OUT, f"{check.package} is not installed"
    try:
        return PASSED, check.run(work)
    except FailedError as error:
        return FAILED, str(error)
    except (KeyError, IndexError, ValueError, OSError) as error:  # a command wrote something else than it should
        return FAILED, f"{type(error).__name__}: {error}"


if __name__ == "__main__":
    sys.exit(run(main))
