"""The filter by which Linux asks another process before a call that writes, and which calls these are (x86-64)."""

import ctypes
import os
import signal
import struct

# From linux/seccomp.h, linux/filter.h, linux/audit.h and linux/prctl.h.
PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS, SYS_SECCOMP, SET_MODE_FILTER, NEW_LISTENER = 1, 38, 317, 1, 8
ALLOW, USER_NOTIF = 0x7FFF0000, 0x7FC00000
ARCH_X86_64 = 0xC000003E
LOAD, EQUAL, ANY_BIT, RETURN = 0x20, 0x15, 0x45, 0x06
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC

# Number of the call on x86-64: (its kind, which argument has its file); ("path", 0, 1): a path in argument 1, from
# the folder in argument 0 on.
CALLS = {
    1: ("write", ("fd", 0)),  # write
    18: ("write", ("fd", 0)),  # pwrite64
    20: ("write", ("fd", 0)),  # writev
    296: ("write", ("fd", 0)),  # pwritev
    328: ("write", ("fd", 0)),  # pwritev2
    40: ("write", ("fd", 0)),  # sendfile
    326: ("write", ("fd", 2)),  # copy_file_range
    77: ("write", ("fd", 0)),  # ftruncate
    285: ("write", ("fd", 0)),  # fallocate
    74: ("fsync", ("fd", 0)),  # fsync
    75: ("fsync", ("fd", 0)),  # fdatasync
    82: ("rename", ("path", None, 1)),  # rename
    264: ("rename", ("path", 2, 3)),  # renameat
    316: ("rename", ("path", 2, 3)),  # renameat2
    86: ("rename", ("path", None, 1)),  # link
    265: ("rename", ("path", 2, 3)),  # linkat
    83: ("mkdir", ("path", None, 0)),  # mkdir
    258: ("mkdir", ("path", 0, 1)),  # mkdirat
    88: ("mkdir", ("path", None, 1)),  # symlink
    266: ("mkdir", ("path", 1, 2)),  # symlinkat
    87: ("unlink", ("path", None, 0)),  # unlink
    84: ("unlink", ("path", None, 0)),  # rmdir
    263: ("unlink", ("path", 0, 1)),  # unlinkat
    90: ("chmod", ("path", None, 0)),  # chmod
    91: ("chmod", ("fd", 0)),  # fchmod
    268: ("chmod", ("path", 0, 1)),  # fchmodat
}
OPENAT, OPEN = 257, 2
CALLS |= {OPENAT: ("open", ("path", 0, 1)), OPEN: ("open", ("path", None, 0))}


def install_filter() -> int:
    """Filter this process's calls, and return the descriptor from which the parent reads them."""
    unconditional = sorted(CALLS.keys() - {OPENAT, OPEN})
    program = [(LOAD, 0, 0, 4), (EQUAL, 1, 0, ARCH_X86_64), (RETURN, 0, 0, ALLOW), (LOAD, 0, 0, 0)]
    for number in unconditional:
        program += [(EQUAL, 0, 1, number), (RETURN, 0, 0, USER_NOTIF)]
    for number, flags in ((OPENAT, 2), (OPEN, 1)):
        program += [(EQUAL, 0, 4, number), (LOAD, 0, 0, 16 + 8 * flags), (ANY_BIT, 0, 1, WRITING)]
        program += [(RETURN, 0, 0, USER_NOTIF), (RETURN, 0, 0, ALLOW)]
    program.append((RETURN, 0, 0, ALLOW))
    instructions = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in program))
    pointer = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(program), ctypes.addressof(instructions)))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    listener = libc.syscall(SYS_SECCOMP, SET_MODE_FILTER, NEW_LISTENER, pointer)
    if listener < 0:
        raise OSError(ctypes.get_errno(), "seccomp")
    return listener
