"""Memory that is freed is used again: the system hands out a page once, not for every tensor anew."""

import platform
import subprocess
import sys

import pytest

COUNT = """
import resource, torch
from utils.process import keep_freed_memory
{first}
def pages():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
before = pages()
for _ in range(40):
    torch.ones(2**24)
print((pages() - before) * resource.getpagesize() / 2**26)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="it is glibc's malloc that is told to")
def test_freed_memory_is_used_again():
    def fresh_tensors(first: str) -> float:
        command = [sys.executable, "-c", COUNT.format(first=first)]
        return float(subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout)

    assert fresh_tensors("keep_freed_memory()") < 20 < 39 < fresh_tensors("")
