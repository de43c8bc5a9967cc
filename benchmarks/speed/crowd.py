"""Other work on the same machine: processes that never wait for anything."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager


def cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


@contextmanager
def busy(count: int) -> Iterator[list[subprocess.Popen]]:
    """Keep this number of processes busy while the block runs."""
    processes = []
    try:
        for _ in range(count):
            processes.append(subprocess.Popen([sys.executable, "-c", "while True: pass"]))
        yield processes
    finally:
        for process in processes:
            process.kill()
        for process in processes:
            process.wait()
