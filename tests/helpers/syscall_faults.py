"""Let system calls of a forked process fail: everything that writes is seen, also what Rust and C++ write.

The process asks its parent before each of these calls, by a seccomp filter with notifications (Linux 5.5 or newer,
x86-64, no privileges). The parent answers with an error, writes half of it for the process, or lets the call proceed.
"""

import array
import atexit
import contextlib
import ctypes
import errno
import fcntl
import os
import platform
import select
import signal
import socket
import struct
import sys
import tempfile
import time
import traceback
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from seccomp_filter import CALLS, install_filter

CONTINUE, NOTIF_RECV, NOTIF_SEND, NOTIF_BYTES = 1, 0xC0502100, 0xC0182101, 80  # from linux/seccomp.h
SYS_PIDFD_GETFD, SYS_WRITE, SYS_PWRITE = 438, 1, 18
AT_FDCWD = 0xFFFFFF9C
SHORT = -1  # in place of an error's number: the call writes half of what it is asked to, and says so


@dataclass(frozen=True)
class Call:
    """A call that writes: what it does (a kind of CALLS), and to which file or folder."""

    kind: str
    path: str


@dataclass(frozen=True)
class Ended:
    """The end of a process: its exit code (minus the signal that killed it; None: too slow), its output, its calls."""

    code: int | None
    out: str
    err: str
    calls: list[Call]


def unavailable() -> str:
    """Return why calls cannot be intercepted here; empty where they can."""
    if not (sys.platform == "linux" and platform.machine() == "x86_64"):
        return "intercepting system calls is for Linux on x86-64"
    try:
        ended = run_with_faults(Path("/nowhere/at all").mkdir, Path("/nowhere"), lambda call: errno.EXDEV)
    except OSError as error:
        return f"this system does not let seccomp notify: {error}"
    expected = f"[Errno {errno.EXDEV}]"
    return "" if expected in ended.err else f"this system does not let seccomp notify: {ended.err.strip()[-200:]}"


def run_with_faults(
    function: Callable[[], int | None],
    root: Path,
    fault: Callable[[Call], int],
    *,
    stdin: Path = Path(os.devnull),
    seconds: float = 120,
) -> Ended:
    """Run `function` in a forked process, and return how that ended; its result is the exit code.

    `fault` is asked for each call that writes under `root`, and returns the number of the error, SHORT, or 0 for none.
    """
    ours, childs = socket.socketpair()
    out, err = (os.memfd_create(name) for name in ("out", "err"))
    pid = os.fork()
    if pid == 0:
        _be_the_child(function, ours, childs, out, err, stdin)
    childs.close()
    try:
        calls, in_time = _supervise(pid, ours, str(root.resolve()), fault, time.monotonic() + seconds)
    finally:
        ours.close()
        with contextlib.suppress(ProcessLookupError):
            if not _has_ended(pid):
                os.kill(pid, signal.SIGKILL)
        status = os.waitpid(pid, 0)[1]
    texts = [os.pread(file, 2**24, 0).decode(errors="replace") for file in (out, err)]
    os.close(out)
    os.close(err)
    return Ended(os.waitstatus_to_exitcode(status) if in_time else None, *texts, calls)


def _be_the_child(function, ours: socket.socket, channel: socket.socket, out: int, err: int, stdin: Path) -> None:
    code = 70
    try:
        ours.close()
        for number, file in ((0, os.open(stdin, os.O_RDONLY)), (1, out), (2, err)):
            os.dup2(file, number)
        sys.stdin, sys.stdout, sys.stderr = (
            open(number, mode, encoding="utf-8", closefd=False)  # noqa: SIM115
            for number, mode in ((0, "r"), (1, "w"), (2, "w"))
        )
        # The parent's exit handlers are not for this process to run.
        atexit._clear()
        weakref.finalize._registry.clear()
        weakref.finalize._registered_with_atexit = False
        tempfile.tempdir = None
        socket.send_fds(channel, [b"f"], [install_filter()])
        channel.close()
        code = function() or 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
        code = 1
    finally:
        with contextlib.suppress(BaseException):
            atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(BaseException):
                stream.flush()
        os._exit(code)


def _supervise(
    pid: int, channel: socket.socket, root: str, fault: Callable[[Call], int], deadline: float
) -> tuple[list[Call], bool]:
    """Answer the process's calls until it ends; return those under `root`, and whether it ended in time."""
    calls: list[Call] = []
    received = array.array("i", socket.recv_fds(channel, 1, 1)[1])
    if not received:
        return calls, True
    listener, ended = received[0], os.pidfd_open(pid)
    polled = select.poll()
    polled.register(listener, select.POLLIN)
    polled.register(ended, select.POLLIN)
    try:
        while time.monotonic() < deadline:
            ready = {descriptor for descriptor, event in polled.poll(1000) if event & select.POLLIN}
            if listener in ready:
                _answer(listener, ended, root, fault, calls)
            elif ended in ready:
                return calls, True
        return calls, False
    finally:
        os.close(listener)
        os.close(ended)


def _answer(listener: int, process: int, root: str, fault: Callable[[Call], int], calls: list[Call]) -> None:
    notification = bytearray(NOTIF_BYTES)
    try:
        fcntl.ioctl(listener, NOTIF_RECV, notification)
    except OSError:  # the thread is gone
        return
    identity, task, _, number, _, _, *arguments = struct.unpack("QIIiIQ6Q", notification)
    kind, place = CALLS[number]
    path = _path_of(task, place, arguments)
    error = 0
    if path == root or path.startswith(root + "/"):
        calls.append(Call(kind, path))
        error = fault(calls[-1])
    written = _write_half(process, task, number, arguments) if error == SHORT else 0
    error = max(error, 0)
    answer = struct.pack("QqiI", identity, written, -error, 0 if error or written else CONTINUE)
    with contextlib.suppress(OSError):
        fcntl.ioctl(listener, NOTIF_SEND, answer)


def _write_half(process: int, task: int, number: int, arguments: list[int]) -> int:
    """Write half of what the call was asked to, and return its size; 0, with nothing written, of another call."""
    file, address, size, offset = arguments[:4]
    if number not in (SYS_WRITE, SYS_PWRITE) or size < 2:
        return 0
    with Path(f"/proc/{task}/mem").open("rb", buffering=0) as memory:
        half = os.pread(memory.fileno(), size // 2, address)
    copy = ctypes.CDLL(None).syscall(SYS_PIDFD_GETFD, process, file, 0)  # with the same position
    if copy < 0:
        return 0
    try:
        return os.write(copy, half) if number == SYS_WRITE else os.pwrite(copy, half, offset)
    finally:
        os.close(copy)


def _path_of(task: int, place: tuple, arguments: list[int]) -> str:
    try:
        if place[0] == "fd":
            return str(Path(f"/proc/{task}/fd/{arguments[place[1]]}").readlink())
        _, folder, name = place
        name = _text_at(task, arguments[name])
        descriptor = AT_FDCWD if folder is None else arguments[folder] & 0xFFFFFFFF
        folder = Path(f"/proc/{task}/{'cwd' if descriptor == AT_FDCWD else f'fd/{descriptor}'}").readlink()
        return os.path.normpath(folder / name)
    except OSError:
        return ""


def _text_at(task: int, address: int) -> str:
    with Path(f"/proc/{task}/mem").open("rb", buffering=0) as memory:
        text = b""
        while b"\0" not in text:
            text += os.pread(memory.fileno(), 4096 - (address + len(text)) % 4096, address + len(text))
    return os.fsdecode(text.partition(b"\0")[0])


def _has_ended(pid: int) -> bool:
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
