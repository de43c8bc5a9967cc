"""One writer for each output: a second run into the same file or folder is refused at once.

The lock is the kernel's (flock), so that it ends with its process, however that ends. Its file, `.NAME.lock` beside the
output, tells who holds it, and is removed when the lock is released.
"""

import errno
import logging
import os
import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from utils.distributed import is_main_process
from utils.errors import UserError
from utils.folders import is_lost, recover_folder, remove_unfinished
from utils.temporary import remove

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

log = logging.getLogger(__name__)
NO_LOCKS = {errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}
HOLDER = b"process "  # how the files of locks begin
PART = r"\.{name}\.[a-z0-9_]{{8}}\.part"  # the name of `files.atomic_write`'s temporary file
_held: set[int] = set()  # file descriptors, which a forked process must not keep open


@contextmanager
def one_writer(*paths: Path | None) -> Iterator[None]:
    """Hold the locks of outputs. UserError, with nothing changed, if another run, or another thread, has one of them.

    What a dead process has left of these outputs is removed, and a folder that lost its name gets it back. Of several
    processes, the first holds the locks. Where the file system has no locks, the log says so.
    """
    with ExitStack() as locks:
        for path in dict.fromkeys(_target(path) for path in paths if path is not None and is_main_process()):
            descriptor = _acquire(path)
            if descriptor is not None:
                locks.callback(_release, path, descriptor)
            recover_folder(path)
            _remove_leftovers(path)
        yield


def recover_for_reading(path: Path) -> None:
    """Give a model's folder the name back that it lost when a run was killed, unless a run is about to replace it."""
    path = _target(path)
    if is_lost(path):
        with suppress(InUseError), one_writer(path):
            pass


class InUseError(UserError):
    """Another run writes the output."""


def lock_file(path: Path) -> Path:
    """Return the file that is locked while `path` is written."""
    return path.with_name(f".{path.name}.lock")


def is_lock(file: Path) -> bool:
    """Return whether a file has the content of a lock: its holder, or nothing."""
    with file.open("rb") as opened:
        return opened.read(len(HOLDER)) in (b"", HOLDER)


def _target(path: Path) -> Path:
    """Return the target of the links in a path, also where they go in circles."""
    return Path(os.path.realpath(path))


def _acquire(path: Path) -> int | None:
    """Return the descriptor of the locked file; None where there are no locks, or where nothing can be written at all.

    Whoever writes reports the latter.
    """
    if fcntl is None:
        return None
    file = lock_file(path)
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        except OSError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(descriptor, 200, 0).decode(errors="replace").strip()
            os.close(descriptor)
            if error.errno in NO_LOCKS:
                log.warning("warning: no locks here, so make sure that no other run writes %s", path)
                if not holder:
                    file.unlink(missing_ok=True)
                return None
            raise InUseError(
                f"{path} is being written by another run, {holder or 'which has just begun'}",
                "wait until it has ended, or choose another --output_path; nothing was changed",
            ) from error
        if _is_at(file, descriptor):
            break
        os.close(descriptor)  # its holder removed it meanwhile
    if os.pread(descriptor, len(HOLDER), 0) not in (b"", HOLDER):
        os.close(descriptor)
        raise UserError(f"{file} is needed for a lock, but has other contents", "move it elsewhere")
    _held.add(descriptor)
    with suppress(OSError):  # of a full disk: the lock holds without its holder's name
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, HOLDER + f"{os.getpid()} on {socket.gethostname()}\n".encode(), 0)
    return descriptor


def _release(path: Path, descriptor: int) -> None:
    """Remove the file, then give up the lock: whoever opened it before finds that it is gone, and makes another."""
    if descriptor in _held:
        _held.remove(descriptor)
        with suppress(OSError):
            if _is_at(lock_file(path), descriptor):
                remove(lock_file(path))
        os.close(descriptor)


def _is_at(file: Path, descriptor: int) -> bool:
    """Return whether the open file still has its name."""
    try:
        return os.path.samestat(file.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _remove_leftovers(path: Path) -> None:
    """Remove leftovers of dead processes beside `path`, whose lock this process holds."""
    remove_unfinished(path)
    pattern = re.compile(PART.format(name=re.escape(path.name)))
    with suppress(OSError):
        for entry in os.scandir(path.parent):
            if pattern.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                remove(Path(entry.path))


def _close_in_child() -> None:
    for descriptor in _held:
        os.close(descriptor)
    _held.clear()


if fcntl is not None:
    os.register_at_fork(after_in_child=_close_in_child)
