"""Replacing a folder at once: the new one takes the old one's name only when it is complete and on the disk.

Beside NAME, `.NAME.new-model` is the folder that is being written, and `.NAME.old-model` the one that was replaced.
A process that writes NAME holds its lock (`locks.one_writer`), so any such folder that it finds is from a dead process.
"""

import errno
import logging
import os
import shlex
import shutil
import stat
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from utils.errors import UserError
from utils.temporary import remove

log = logging.getLogger(__name__)
NEW, OLD = "new-model", "old-model"
# Of a kernel, a file system or a sandbox that cannot exchange two names.
NO_EXCHANGE = {errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EPERM}
NO_LINK = {errno.EPERM, errno.EACCES, errno.EMLINK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}
NO_SYNC = {errno.EINVAL, errno.ENOTSUP, errno.EBADF}  # of a file system that does not sync folders


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Make the folder for the replacement of `path`, and remove it after the block."""
    new = _beside(path, NEW)
    _remove(new)
    try:
        new.mkdir(parents=True)
        yield new
    finally:
        _remove(new)
        if os.path.lexists(path):
            _remove(_beside(path, OLD))


def replace_folder(new: Path, path: Path, kept: Collection[str] = ()) -> None:
    """Give the finished folder `new`, which `new_folder` made for `path`, the name `path`; the old folder is removed.

    The entries of the old folder that are named in `kept` stay: they are in both folders before the names change. A
    process that is killed leaves one of the two under its name, or, where the system cannot exchange names, what
    `recover_folder` restores. OSError before anything has changed; UserError where the new folder is in place, and the
    disk may lose it.
    """
    for entry in new.iterdir():
        _sync(entry)
    if not path.is_dir():
        _sync(new)
        new.rename(path)
        sync_name(path)
        return
    for name in sorted(kept):
        _keep(path / name, new / name)
    shutil.copymode(path, new)
    _sync(new)
    old = _beside(path, OLD)
    _remove(old)
    if exchange(new, path):
        try:
            new.rename(old)
        except OSError:
            old = new  # the new one has its name, and whatever the old one is called, it is removed
    else:
        path.rename(old)
        try:
            new.rename(path)
        except BaseException:
            old.rename(path)
            raise
    try:
        sync_name(path)
    finally:
        _remove_replaced(old, path, kept)


def _remove_replaced(old: Path, path: Path, kept: Collection[str]) -> None:
    """Remove the folder that `path` has replaced; new files in an entry of `kept` are moved to `path`.

    What cannot be removed is named in the log: the new folder is whole.
    """
    for name in kept:
        for folder, _, files in os.walk(old / name) if (old / name).is_dir() else [(old, None, [name])]:
            for file in (Path(folder, file) for file in files):
                place = path / file.relative_to(old)
                if os.path.lexists(file) and not os.path.lexists(place):
                    place.parent.mkdir(parents=True, exist_ok=True)
                    file.rename(place)
    _remove(old)
    if old.exists():
        log.warning("warning: %s, which %s replaced, cannot be removed", old, path)


def is_lost(path: Path) -> bool:
    """Return whether a process was killed after it took the old folder's name, and before it gave it to the new one."""
    return not os.path.lexists(path) and _replaced(path) is not None


def recover_folder(path: Path) -> None:
    """Give a folder that `is_lost` its name back. UserError where it cannot be renamed."""
    if not is_lost(path):
        return
    old = _replaced(path)
    try:
        old.rename(path)
    except OSError as error:
        problem = f"{path} is missing, and its old version is in {old}: {error.strerror}"
        raise UserError(problem, f"rename it: {shlex.join(['mv', str(old), str(path)])}") from error
    sync_name(path)
    log.warning("warning: %s was lost when a run was killed, and is restored", path)


def remove_unfinished(path: Path) -> None:
    """Remove the new folder that a dead process has left unfinished."""
    _remove(_beside(path, NEW))


def exchange(first: Path, second: Path) -> bool:
    """Exchange the names of two folders at once; False, with nothing changed, where that cannot be done."""
    import ctypes

    library = ctypes.CDLL(None, use_errno=True)
    names = os.fsencode(first), os.fsencode(second)
    if sys.platform == "darwin" and hasattr(library, "renamex_np"):
        failed = library.renamex_np(*names, 2)  # RENAME_SWAP
    elif sys.platform == "linux" and hasattr(library, "renameat2"):
        here = -100  # AT_FDCWD
        failed = library.renameat2(here, names[0], here, names[1], 2)  # RENAME_EXCHANGE
    else:
        return False
    if failed and ctypes.get_errno() not in NO_EXCHANGE:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(second))
    return not failed


def sync_name(path: Path) -> None:
    """Write the name that a file or folder was given to the disk. UserError where that fails, as it is in place."""
    try:
        sync_folder(path.parent)
    except OSError as error:
        problem = f"{path} is in place, but the disk may lose it: {error.strerror}"
        raise UserError(problem, "check the disk, and that the file or folder is whole") from error


def sync_folder(folder: Path) -> None:
    """Write the names in a folder to the disk, where the file system does that for folders."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in NO_SYNC:
            raise
    finally:
        os.close(descriptor)


def is_mount_point(path: Path) -> bool:
    """Return whether a file system, or part of one, is mounted at or below `path`, so that `path` cannot be renamed."""
    path = path.resolve()
    try:
        lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return os.path.ismount(path)
    escapes = {r"\040": " ", r"\011": "\t", r"\012": "\n", r"\134": "\\"}
    for line in lines:
        place = line.split(" ")[4]
        for code, character in escapes.items():
            place = place.replace(code, character)
        if Path(place).is_relative_to(path):
            return True
    return False


def _keep(source: Path, target: Path) -> None:
    """Make `source`, a file or a folder with all that is in it, appear at `target` too.

    Contents are copied only where the file system has no hard links.
    """
    if source.is_dir() and not source.is_symlink():
        target.mkdir()
        for entry in source.iterdir():
            _keep(entry, target / entry.name)
        shutil.copystat(source, target)
        sync_folder(target)
        return
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError as error:
        if error.errno not in NO_LINK or not (source.is_file() or source.is_symlink()):
            raise
        shutil.copy2(source, target, follow_symlinks=False)
        if not target.is_symlink():
            _sync(target)


def _sync(path: Path) -> None:
    """Write a file, or a folder and all that is in it, to the disk."""
    if path.is_dir():
        sync_folder(path)
        return
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _remove(folder: Path) -> None:
    """Remove a folder of ours, also parts that its owner has made read-only. It may stay where the disk has failed."""
    for each, _, _ in os.walk(folder):
        with suppress(OSError):
            Path(each).chmod(stat.S_IRWXU)
    remove(folder)


def _replaced(path: Path) -> Path | None:
    """Return the folder that `path` was to replace, if it is still there; earlier versions gave it a shorter name."""
    found = [old for old in (_beside(path, OLD), _beside(path, "old")) if os.path.lexists(old / "run.json")]
    return found[0] if found else None


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(f".{path.name}.{suffix}")
