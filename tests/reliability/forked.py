"""One case in a child of this process, which has imported the libraries: its end, and its time and memory.

Effects of a hostile file on a process, such as memory that is not given back or a crash, end with the child.
"""

import contextlib
import io
import json
import os
import resource
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass

from utils.errors import UserError

RESULT, USER_ERROR, TRACEBACK, KILLED = "result", "user error", "traceback", "killed"
OUR_ENDS = (1, 2, 3)  # exit codes of a UserError
ADDRESS_SPACE, LONGEST_SECONDS = 6 << 30, 20
MEGABYTE = 1 << 20


@dataclass(frozen=True)
class Outcome:
    """The end of a case; `seconds` of processor time, `bytes` of memory at its peak, above what the child had."""

    end: str
    said: str  # the error's two lines, or the traceback
    seconds: float
    bytes: int


def in_a_child(case: Callable[[], object], longest: float = LONGEST_SECONDS) -> Outcome:
    """Run a case in a forked child and return how it ended: "killed" where it takes too long, or the child dies.

    A case ends well if it returns, or raises UserError. What it prints is thrown away.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        try:
            outcome = _measured(case)
            os.write(writing, json.dumps(asdict(outcome)).encode(errors="replace")[: 1 << 16])
        finally:
            os._exit(0)
    os.close(writing)
    answer = b""
    with os.fdopen(reading, "rb", buffering=0) as pipe:
        until = time.monotonic() + longest
        while select.select([pipe], [], [], max(0, until - time.monotonic()))[0]:
            piece = pipe.read(1 << 16)
            if not piece:
                break
            answer += piece
        else:
            os.kill(pid, signal.SIGKILL)
    _, status, usage = os.wait4(pid, 0)
    if answer:
        with contextlib.suppress(ValueError):
            return Outcome(**json.loads(answer))
    why = f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else f"exit code {os.WEXITSTATUS(status)}"
    return Outcome(KILLED, why, usage.ru_utime + usage.ru_stime, 0)


def _measured(case: Callable[[], object]) -> Outcome:
    with contextlib.suppress(OSError, ValueError):  # macOS has no such limit
        resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    before, started = _peak(), time.process_time()
    nothing = io.StringIO()
    with contextlib.redirect_stdout(nothing), contextlib.redirect_stderr(nothing):
        try:
            case()
            end, said = RESULT, ""
        except UserError as error:
            end, said = USER_ERROR, str(error)[:6000]
        except SystemExit as error:
            end, said = (USER_ERROR if error.code in OUR_ENDS else RESULT), str(error.code)
        except BaseException:
            end, said = TRACEBACK, traceback.format_exc(limit=-12)[-6000:]
    return Outcome(end, said, time.process_time() - started, _peak() - before)


def _peak() -> int:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
