"""Run a command; print its exit code, seconds and peak memory in megabytes (of the largest process it starts).

python benchmarks/speed/child.py COMMAND …

This is a small process of its own because the system counts the memory of the process that a command was forked from.
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
