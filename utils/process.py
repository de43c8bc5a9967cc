"""The process of a script: logging, malloc, error lines and exit codes."""

import ctypes
import errno
import gc
import logging
import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path

from utils.compute.deferred_imports import defer_imports
from utils.distributed import quiet_except_main, world_size
from utils.errors import EXIT_DONE, EXIT_FAILED, EXIT_INTERRUPTED, UserError
from utils.interrupts import ToldInterrupt, interrupts_end_the_block, typed_command
from utils.terminal.controls import SHOWN, ControlsShown, controls_shown_on_stdout, guard_stderr

PROCESS_BEGAN = time.monotonic() - time.process_time()  # the start of Python and the first imports are all computing
# Errors of asking whether a name exists: it is too long, or in a folder that we may not look into.
UNUSABLE_NAMES = (errno.ENAMETOOLONG, errno.EACCES, errno.EPERM, errno.ELOOP)

# How often torch's threads look for work before they sleep (300,000 by default): enough for the gaps within a forward
# pass, and too little to take a core from other work (docs/results.md). libgomp reads it when torch is imported.
SPINS = "10000"
NO_SPINS = "0"  # a third slower on free cores, and faster beside other work
RUNNING = Path("/proc/loadavg")  # "0.20 0.18 0.12 3/80 11206": 3 of 80 threads run or wait for a processor
READINGS, SECONDS_BETWEEN = 5, 0.001
OBJECTS_UNTIL_COLLECTION = 10_000  # imports make a million that stay, and Python's own number is 700

# Parameters of mallopt, from glibc's malloc.h; their values are C ints.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
LARGER_THAN_ANY_TENSOR, NEVER = 2**30, 2**31 - 1


def run(main: Callable[[], int], *, uses_model: bool = False, repeats: bool = False) -> int:
    """Set up the process, call a script's main, and return the exit code; a UserError prints its error and hint.

    Logging, environment variables and, if the script `uses_model`, malloc are set up here and nowhere else, so that a
    program that imports a script or calls its main keeps its own. A script that `repeats` does it all again when the
    same command is given again, which an interruption says, unless the log has said how to continue the work.
    """
    guard_stderr()
    try:
        with quiet_except_main(), interrupts_end_the_block():
            _set_up_process()
            if uses_model:
                keep_freed_memory()
                if world_size() == 1:
                    defer_imports()
            with controls_shown_on_stdout():
                code = main()
            sys.stdout.flush()  # here, where BrokenPipeError is handled, and not at exit
        gc.freeze()  # or Python would look through all objects once more before it ends
        return code
    except UserError as error:
        print_error(error.problem, error.hint)
        return error.exit_code
    except KeyboardInterrupt as error:
        print("interrupted", file=sys.stderr)
        if repeats and not isinstance(error, ToldInterrupt) and (command := typed_command()):
            advice = "to continue" if "--scrape" in sys.argv else "no output was changed; to start again"
            print(f"{advice}: {command}", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader of our stdout (head, less) has stopped, which is no error. Python would complain again when it
        # flushes stdout at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_DONE
    except OSError as error:
        if error.errno not in UNUSABLE_NAMES or error.filename is None:
            raise
        print_error(f"{error.filename}: {error.strerror}", "check the name, and the permissions of its folders")
        return EXIT_FAILED


def print_error(problem: str, hint: str) -> None:
    """Print a user's error on stderr, in one line for the problem and one for the hint."""
    lines = f"error: {' '.join(problem.split())}\nhint: {' '.join(hint.split())}"
    print(lines.translate(SHOWN), file=sys.stderr)


def _set_up_process() -> None:
    """Send this project's log lines to stderr, with only the errors of libraries."""
    if hasattr(sys.stdout, "reconfigure"):  # a StringIO in tests has none
        sys.stdout.reconfigure(errors="backslashreplace")  # for a terminal that can't show all characters
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(ControlsShown("%(message)s"))
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger("utils").setLevel(logging.INFO)
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # which peft imports with any adapter
    gc.set_threshold(OBJECTS_UNTIL_COLLECTION)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    if not {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"} & os.environ.keys():
        os.environ["GOMP_SPINCOUNT"] = NO_SPINS if processors_are_busy() else SPINS
    if not sys.stderr.isatty():
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")


def processors_are_busy() -> bool:
    """Return whether other programs alone could keep all processors busy now; False where the system doesn't say."""
    return _others_running() >= (os.cpu_count() or 1)


def _others_running() -> int:
    """Return the fewest threads beside this one that were running or waiting for a processor in several readings."""
    counts = []
    for _ in range(READINGS):
        try:
            counts.append(int(RUNNING.read_text().split()[3].partition("/")[0]) - 1)
        except (OSError, LookupError, ValueError):
            return 0
        time.sleep(SECONDS_BETWEEN)
    return min(counts)


def keep_freed_memory() -> None:
    """Let glibc's malloc keep the memory of freed tensors for the next ones.

    By default it asks the system for each large tensor and returns it at once, and the system hands out fresh memory
    page by page, filled with zeros: on a CPU, a third of the time of a forward pass (docs/results.md).
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(M_MMAP_THRESHOLD, LARGER_THAN_ANY_TENSOR)
        libc.mallopt(M_TRIM_THRESHOLD, NEVER)
