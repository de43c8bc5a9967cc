"""Running a function in a process of its own whose three streams are a terminal."""

import contextlib
import multiprocessing
import os
import pty
import select
import sys
import termios
import time
from collections.abc import Callable

import transformers

# A fork of this process would inherit the locks of libraries' threads, and not the threads that would release them.
_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload(
    ["sklearn.linear_model", "sklearn.metrics", "transformers.models.gpt2.modeling_gpt2", "transformers.trainer"]
)


def on_terminal(
    function: Callable[..., int], *arguments: object, typed: str = "", seconds: float = 120, columns: int = 80
) -> tuple[int, str]:
    """Return the exit code of the call and all that it wrote on the terminal, where `typed` is typed.

    The function and its arguments are pickled: the function is one of a module, and changes to modules are not seen.
    """
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, columns))
    attributes = termios.tcgetattr(theirs)
    attributes[1] &= ~termios.OPOST  # line ends as they are written
    attributes[3] &= ~termios.ECHO
    termios.tcsetattr(theirs, termios.TCSANOW, attributes)
    process = _PROCESSES.Process(target=_run, args=(os.ttyname(theirs), dict(os.environ), function, *arguments))
    process.start()
    os.write(ours, typed.encode())
    written = _read_to_the_end(ours, theirs, process, seconds)
    os.close(ours)  # hangs up
    process.join()
    return process.exitcode, written.decode()


def _read_to_the_end(ours: int, theirs: int, process: multiprocessing.Process, seconds: float) -> bytes:
    """Return what is written until the process ends; close our copy of its side of the terminal."""
    written, end = b"", time.monotonic() + seconds
    while time.monotonic() < end and process.is_alive():
        if select.select([ours], [], [], 0.1)[0]:
            written += os.read(ours, 1 << 16)
    os.close(theirs)
    with contextlib.suppress(OSError):  # Linux: nobody has the terminal open any more
        while select.select([ours], [], [], 0)[0] and (piece := os.read(ours, 1 << 16)):
            written += piece
    return written


def _run(terminal: str, environment: dict[str, str], function: Callable[..., int], *arguments: object) -> None:
    """Call the function on the terminal, and end the process as Python would."""
    os.login_tty(os.open(terminal, os.O_RDWR))
    os.environ.update(environment)
    transformers.logging.set_verbosity_error()  # as `process.run` has it where transformers isn't loaded before
    code = 1
    try:
        sys.stdin = os.fdopen(0, "r", encoding="utf-8", closefd=False)
        sys.stdout, sys.stderr = (os.fdopen(number, "w", encoding="utf-8", closefd=False) for number in (1, 2))
        code = function(*arguments)
    except SystemExit as end:
        code = end.code
    except BaseException:
        sys.__excepthook__(*sys.exc_info())
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(code or 0)
