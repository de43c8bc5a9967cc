"""Running a function in a forked process whose three streams are a terminal."""

import contextlib
import os
import pty
import select
import sys
import termios
import time
from collections.abc import Callable


def on_terminal(
    function: Callable[[], int], typed: str = "", seconds: float = 60, columns: int = 80
) -> tuple[int, str]:
    """Return the exit code of the function and all that it wrote on the terminal, where `typed` is typed."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, columns))
    attributes = termios.tcgetattr(theirs)
    attributes[1] &= ~termios.OPOST  # line ends as they are written
    attributes[3] &= ~termios.ECHO
    termios.tcsetattr(theirs, termios.TCSANOW, attributes)
    process = os.fork()
    if process == 0:
        os.close(ours)
        os.login_tty(theirs)
        _run(function)
    os.close(theirs)
    os.write(ours, typed.encode())
    written, end = b"", time.monotonic() + seconds
    with contextlib.suppress(OSError):  # Linux: nobody has the terminal open any more
        while time.monotonic() < end:
            if select.select([ours], [], [], 0.1)[0] and not (written := written + os.read(ours, 1 << 16)):
                break
    os.close(ours)  # hangs up
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), written.decode()


def _run(function: Callable[[], int]) -> None:
    """Call the function on the terminal, and end the process as Python would."""
    code = 1
    try:
        sys.stdin = os.fdopen(0, "r", encoding="utf-8", closefd=False)
        sys.stdout, sys.stderr = (os.fdopen(number, "w", encoding="utf-8", closefd=False) for number in (1, 2))
        code = function()
    except SystemExit as end:
        code = end.code
    except BaseException:
        sys.__excepthook__(*sys.exc_info())
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(code or 0)
