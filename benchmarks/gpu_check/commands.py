"""Run the commands of a check as a user types them, within the remaining time, and describe failures."""

import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from benchmarks.speed.measure import PYTHON
from utils.errors import EXIT_DONE

ROOT = Path(__file__).resolve().parent.parent.parent
SHOWN_LINES = 15  # of the stderr of a command that failed
POLL_SECONDS = 0.01


class FailedError(Exception):
    """A check failed: what was expected and what was found, or a command and the end of its stderr."""


@dataclass(frozen=True)
class Done:
    """A command's output, and the seconds from its start to its end."""

    out: str
    err: str
    seconds: float


@dataclass(frozen=True)
class Shell:
    """The limits of commands: they run until `ends`, of time.monotonic(), and for `longest` seconds each at most."""

    ends: float
    longest: float = 150.0

    def run(
        self, command: Sequence[str], *, stdin: str = "", interrupt_at: str | None = None, code: int = EXIT_DONE
    ) -> Done:
        """Run a command in the project's root; FailedError where it takes too long or has another exit code.

        It gets Ctrl-C as soon as its stderr has a line that begins with `interrupt_at`.
        """
        seconds = min(self.longest, self.ends - time.monotonic())
        if seconds <= 0:
            raise FailedError(f"no time was left for it\n$ {shown(command)}")
        began = time.monotonic()
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            given.write(stdin.encode())
            given.seek(0)
            process = subprocess.Popen(
                [sys.executable if word == PYTHON else word for word in command],
                cwd=ROOT,
                stdin=given,
                stdout=out,
                stderr=err,
                env=os.environ | {"HF_HUB_OFFLINE": "1"},
                start_new_session=True,  # a group of its own, which ends as a whole: torchrun starts processes
            )
            try:
                while process.poll() is None and time.monotonic() < began + seconds:
                    if interrupt_at and f"\n{interrupt_at}" in f"\n{_content(err)}":
                        process.send_signal(signal.SIGINT)
                        interrupt_at = None
                    time.sleep(POLL_SECONDS)
                ended = process.poll() is not None
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
            done = Done(_content(out), _content(err), time.monotonic() - began)
        if not ended:
            raise _failure(command, done, f"it had not ended after {done.seconds:.0f} s")
        if process.returncode != code:
            raise _failure(command, done, f"exit code {process.returncode}, not {code}")
        return done

    def run_together(self, commands: Sequence[Sequence[str]], *, stdin: str = "") -> list[Done]:
        """Run commands at the same time, as `run` does: most of their time is start-up, on one core each."""
        with ThreadPoolExecutor(len(commands)) as threads:
            return list(threads.map(lambda command: self.run(command, stdin=stdin), commands))


def shown(command: Sequence[str]) -> str:
    """Return the command as it can be typed in the project's root."""
    return shlex.join(command)


def json_lines(text: str) -> list[dict]:
    """Return the JSON objects of a text, one a line; a random model also writes what other lines end in (U+2028)."""
    return [json.loads(line) for line in text.split("\n") if line]


def require(holds: bool, expected: str) -> None:
    """Raise FailedError with what was expected, and what was found instead, where it does not hold."""
    if not holds:
        raise FailedError(expected)


def _content(file) -> str:
    size = os.fstat(file.fileno()).st_size
    return os.pread(file.fileno(), size, 0).decode(errors="replace")  # its place stays that of the command


def _failure(command: Sequence[str], done: Done, problem: str) -> FailedError:
    end = done.err.strip().splitlines()[-SHOWN_LINES:]
    return FailedError("\n".join([problem, f"$ {shown(command)}", *end]))
