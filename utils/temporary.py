"""Temporary files and folders: always removed, and a full TMPDIR is reported in two lines."""

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from utils.errors import UserError

DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EFBIG, errno.EINTR}
NO_PLACE = "No usable temporary directory"  # tempfile's message when it could write nowhere


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Make a folder in TMPDIR for the block. UserError where nothing can be written there, now or within the block."""
    with explain_temporary_errors(), folder_for_a_while() as folder:
        yield folder


@contextmanager
def folder_for_a_while(parent: Path | None = None, prefix: str | None = None) -> Iterator[Path]:
    """Make a folder in `parent`, or else in TMPDIR, for the block. OSError where that fails."""
    folder = Path(tempfile.mkdtemp(dir=parent, prefix=prefix))
    try:
        yield folder
    finally:
        remove(folder)


@contextmanager
def explain_temporary_errors() -> Iterator[None]:
    """Turn the errors of a disk that is full or has failed into UserError, in a block that writes into TMPDIR."""
    try:
        yield
    except OSError as error:
        if error.errno not in DISK_ERRORS and NO_PLACE not in str(error):
            raise
        place = "any folder for temporary files" if NO_PLACE in str(error) else tempfile.gettempdir()
        problem = f"cannot write to {place}: {error.strerror or error}"
        raise UserError(problem, "free some space there, or set TMPDIR to another folder") from error


def remove(path: Path) -> bool:
    """Remove a file, or a folder and all that is in it; return whether nothing is left.

    What fails is tried once more: errors of disks and networks pass.
    """
    for _ in range(2):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with suppress(OSError):
                path.unlink(missing_ok=True)
        if not os.path.lexists(path):
            return True
    return False
