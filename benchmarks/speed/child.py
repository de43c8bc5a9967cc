"""Run a command; print its exit code, seconds, peak megabytes (of the largest process it starts) and processor seconds.

python benchmarks/speed/child.py COMMAND …
python benchmarks/speed/child.py --until TEXT COMMAND …

With --until, the time ends with the first line that has the text, and the command is killed then.

This is a small process of its own because the system counts the memory of the process that a command was forked from.
"""

import os
import subprocess
import sys
import time

MEGABYTE = 2**20 if sys.platform == "darwin" else 2**10  # ru_maxrss is in bytes or in kilobytes
NEVER_SAID = 1


def run_to_the_end(command: list[str]) -> str:
    """Return the measurements of a command that ends on its own."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=sys.stderr)
    return describe(process, started)


def run_until(text: str, command: list[str]) -> str:
    """Return the measurements of a command until it prints the text; exit code 1 if it never does."""
    started = time.perf_counter()
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}  # a pipe would keep its lines back
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment
    )
    for line in process.stdout:
        sys.stderr.buffer.write(line)
        if text.encode() in line:
            process.kill()
            return describe(process, started, code=0)
    return describe(process, started, code=NEVER_SAID)


def describe(process: subprocess.Popen, started: float, code: int | None = None) -> str:
    """Wait for the process; `code` replaces its exit code."""
    said = time.perf_counter()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = (time.perf_counter() if code is None else said) - started
    process.returncode = os.waitstatus_to_exitcode(status)
    shown = process.returncode if code is None else code
    return f"{shown} {seconds} {usage.ru_maxrss / MEGABYTE} {usage.ru_utime + usage.ru_stime}"


if __name__ == "__main__":
    if sys.argv[1] == "--until":
        print(run_until(sys.argv[2], sys.argv[3:]))
    else:
        print(run_to_the_end(sys.argv[1:]))
