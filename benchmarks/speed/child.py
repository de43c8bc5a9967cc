"""Run a command; print its exit code, seconds and most megabytes (of the largest process, where it starts several).

python benchmarks/speed/child.py COMMAND …

A process of its own, and a small one, since the system counts what a process was forked from as its memory, too.
"""

import os
import subprocess
import sys
import time

MEGABYTE = 2**20 if sys.platform == "darwin" else 2**10  # ru_maxrss is in bytes or in kilobytes

if __name__ == "__main__":
    started = time.perf_counter()
    process = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=sys.stderr)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    print(process.returncode, seconds, usage.ru_maxrss / MEGABYTE)
