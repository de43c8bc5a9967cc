"""Writing files so that nothing is ever half-written: a temporary neighbour, then a move into place."""

import hashlib
import os
import tempfile
from contextlib import contextmanager
from pathlib import Path

from utils.distributed import is_main_process
from utils.errors import UserError


def check_writable(path: Path) -> None:
    """Raise UserError now, before long work, where `path` could not be written at the end of it.

    Creates the parent folder, as writing would.
    """
    if not is_main_process():
        return
    try:
        if path.is_dir():
            raise UserError(f"{path} is a folder, not a file", "name a file as the output path")
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, **_beside(path)):
            pass
    except OSError as error:
        raise _cannot_write(path, error) from error


@contextmanager
def atomic_write(path: Path, mode: str = "wb"):
    """Open a temporary file beside `path` and move it to `path` when the block ends without an error.

    The old file stays whole until then. `mode` is "wb" or "w" (UTF-8). OSError becomes UserError. Of several processes
    the first writes; what the others write is lost.
    """
    encoding = None if "b" in mode else "utf-8"
    if not is_main_process():
        with Path(os.devnull).open(mode, encoding=encoding) as nowhere:
            yield nowhere
        return
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            mode, dir=path.parent, **_beside(path), delete=False, encoding=encoding
        ) as file:
            temporary = Path(file.name)
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(default_file_mode())
        temporary.replace(path)
    except OSError as error:
        raise _cannot_write(path, error) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def sha256_of(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _beside(path: Path) -> dict[str, str]:
    return {"prefix": f".{path.name}.", "suffix": ".part"}


def default_file_mode() -> int:
    """The mode of a new file that the umask leaves."""
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def _cannot_write(path: Path, error: OSError) -> UserError:
    reason = error.strerror or str(error)
    return UserError(
        f"cannot write {path}: {reason}", "free some space or choose another output path; what was there is untouched"
    )
