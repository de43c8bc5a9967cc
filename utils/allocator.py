"""What becomes of memory that is freed: kept for the next tensor, instead of going back to the system."""

import ctypes
import platform

# malloc.h; the values are C ints.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
ABOVE_ANY_TENSOR, NEVER = 2**30, 2**31 - 1


def keep_freed_memory() -> None:
    """Let glibc's malloc reuse the memory of large tensors.

    By default it asks the system for each of them and gives it back at once, and the system hands out fresh memory page
    by page, filled with zeros: on a CPU, a third of the time of a forward pass (docs/results.md).
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(M_MMAP_THRESHOLD, ABOVE_ANY_TENSOR)
        libc.mallopt(M_TRIM_THRESHOLD, NEVER)
