"""Whether a file is still what it was when its reading began: tables are read more than once."""

from utils.errors import DataError
from utils.reading.compressed import on_disk

FileState = tuple[int, ...] | None


def state_of(path: str) -> FileState:
    """Return what changes with a file: its size, time of change and identity; None for one that cannot be read."""
    try:
        status = on_disk(path).stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns, status.st_ino, status.st_dev


def check_unchanged(path: str, state: FileState) -> None:
    """Raise DataError where the file was written, replaced or removed since it had that state."""
    if state_of(path) != state:
        hint = "wait until no other program writes it, then run this again; nothing was written"
        raise DataError(f"{path} was changed while it was read", hint)
