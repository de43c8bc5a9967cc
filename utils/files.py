"""Atomic writing: into a temporary file in the same folder, which is then moved into place."""

import errno
import hashlib
import os
import stat
import sys
import tempfile
from collections.abc import Iterable
from contextlib import contextmanager
from pathlib import Path

from utils.distributed import is_main_process
from utils.errors import UsageError, UserError
from utils.folders import sync_name
from utils.temporary import remove

STDIN = "-"  # as an input


def check_writable(path: Path) -> None:
    """Raise UserError, before any long work, if `path` cannot be written. Creates the parent folder."""
    if is_main_process() and os.path.lexists(path):
        if path.is_dir():
            raise UserError(f"{path} is a folder, not a file", "name a file as the output path")
        if path.is_char_device() or path.is_block_device() or path.is_fifo() or path.is_socket():
            raise UserError(f"{path} is a device or a pipe, not a file", "name a file as the output path")
    check_place(path)


def check_place(path: Path) -> None:
    """Raise UserError if no new file or folder can be made at `path`. Creates the parent folder."""
    if not is_main_process():
        return
    try:
        place = Path(os.path.realpath(path))
        place.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=place.parent, **_temporary_name(place))
        os.close(descriptor)
        if not remove(Path(name)):
            raise OSError(errno.EIO, "files cannot be removed in its folder")
    except OSError as error:
        raise _cannot_write(path, error) from error


def check_apart(output: Path, inputs: Iterable[str | Path | None]) -> None:
    """Raise UsageError where writing `output` would replace an input, or a folder with an input in it.

    "-" is the source of stdin, which may be a file. Inputs that are no paths, such as None and the names of the Hub,
    cannot be replaced.
    """
    target = Path(os.path.realpath(output))  # not resolve(), which fails where links go in circles
    for path in inputs:
        try:
            if path is None or not (str(path) == STDIN or Path(path).exists()):
                continue
            replaced = target.exists() and (_is_stdin(target) if str(path) == STDIN else _holds(target, path))
        except OSError:  # of a name that is too long, which whoever reads it reports
            continue
        if replaced:
            raise UsageError(
                f"{output} would replace {path}, which is read", "choose another output; nothing was changed"
            )


@contextmanager
def atomic_write(path: Path, mode: str = "wb"):
    """Open a temporary file next to `path` and move it to `path` when the block ends without an error.

    Until then the old file stays; the new one gets its permissions. A link stays, and its target is replaced. `mode` is
    "wb" or "w" (UTF-8). OSError becomes UserError. Of several processes, only the first writes.
    """
    encoding = None if "b" in mode else "utf-8"
    if not is_main_process():
        with Path(os.devnull).open(mode, encoding=encoding) as devnull:
            yield devnull
        return
    temporary = None
    try:
        target = Path(os.path.realpath(path))
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            mode, dir=target.parent, **_temporary_name(target), delete=False, encoding=encoding
        ) as file:
            temporary = Path(file.name)
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(_file_mode(target))
        temporary.replace(target)
        sync_name(target)
    except OSError as error:
        raise _cannot_write(path, error) from error
    finally:
        if temporary is not None:
            remove(temporary)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def identity(path: Path) -> tuple[int, ...] | None:
    """Return a key that another file or folder at `path` would not have; None where there is nothing."""
    if not path.exists():
        return None
    found = path.stat()
    return (found.st_dev, found.st_ino, *(() if path.is_dir() else (found.st_size, found.st_mtime_ns)))


def default_file_mode() -> int:
    """Return the permissions of a new file under the present umask."""
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def _holds(target: Path, path: str | Path) -> bool:
    """Return whether `target` is a file, or a folder that it is in."""
    source = Path(os.path.realpath(path))
    return any(target.samefile(place) for place in (source, *source.parents))


def _is_stdin(target: Path) -> bool:
    """Return whether `target` is the file that the shell gave as stdin; a terminal and a pipe are none."""
    try:
        stdin = os.fstat(sys.stdin.fileno())
    except (AttributeError, OSError, ValueError):  # no stdin, or one without a file
        return False
    return stat.S_ISREG(stdin.st_mode) and os.path.samestat(stdin, target.stat())


def _file_mode(path: Path) -> int:
    """Return the permissions of the file that is there, which may be private, or else of a new one."""
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        return default_file_mode()


def _temporary_name(path: Path) -> dict[str, str]:
    return {"prefix": f".{path.name}.", "suffix": ".part"}


def _cannot_write(path: Path, error: OSError) -> UserError:
    not_a_folder = f"{path.parent} is a file, not a folder"
    reason = not_a_folder if isinstance(error, FileExistsError) else error.strerror or error
    hint = "free some space or choose another output path; an existing file there is unchanged"
    return UserError(f"cannot write {path}: {reason}", hint)
