"""The bytes of a file or of stdin, decompressed: .gz, .bz2, .xz, and a .zip that holds one table, as Kaggle's do.

Open `open_decompressed` first. What another program writes to stdin is copied once, since tables are read twice.
"""

import atexit
import bz2
import functools
import gzip
import io
import lzma
import re
import shutil
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from utils.errors import DataError, UsageError
from utils.temporary import explain_temporary_errors, remove

FileState = tuple[int, ...] | None
STDIN = "stdin"  # the path of stdin, and its name in messages
TEXT_FORMATS = (".csv", ".tsv", ".txt", ".json", ".jsonl", ".ndjson")
OPENERS: dict[str, Callable] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
MAGIC = {b"\x1f\x8b": ".gz", b"BZh": ".bz2", b"\xfd7zXZ": ".xz", b"PK\x03\x04": ".zip"}
DAMAGES = (EOFError, gzip.BadGzipFile, zlib.error, lzma.LZMAError, zipfile.BadZipFile)
# Files in a .zip that are not tables: macOS's additions, hidden files, and descriptions of the data.
BESIDE_TABLES = re.compile(
    r"(?:.*/)?(?:__MACOSX/.*|\..*|(?:readme|license|licence|licenses)(?:\.[a-z]+)?)", re.IGNORECASE
)
TWEETS_FILE = re.compile(r"(?:.*/)?tweets?(?:-part\d+)?\.js")
MAX_BYTES_IN_ZIP = 2 << 30
MAX_RATIO, ALWAYS_ALLOWED = 200, 256 << 20
UNPACK = "unpack it, and name the file that you want"


@contextmanager
def open_decompressed(path: str) -> Iterator[BinaryIO]:
    """Open the bytes of a file, of the table in a .zip, or of `STDIN`, and decompress them.

    Raises DataError for a .zip whose table is encrypted or unreasonably large; errors of the formats are `DAMAGES`.
    """
    _refuse_devices(path)
    place = on_disk(path)
    ending = compression(path)
    if ending == ".zip":
        with zipfile.ZipFile(place) as archive:
            member = archive.getinfo(table_in_zip(path))
            _check(member, path, place)
            with archive.open(member) as file:
                yield file
    else:
        with OPENERS.get(ending, open)(place, "rb") as file:
            yield io.BufferedReader(_LimitedFile(file, path, place.stat().st_size)) if ending in OPENERS else file


def compression(path: str) -> str:
    """Return the suffix of a file's compression, "" without one; that of stdin, by its content."""
    if path == STDIN:
        with on_disk(path).open("rb") as file:
            start = file.read(8)
        return next((ending for magic, ending in MAGIC.items() if start.startswith(magic)), "")
    ending = Path(path).suffix.lower()
    return ending if ending in (*OPENERS, ".zip") else ""


def table_in_zip(path: str) -> str | None:
    """Return the name of the one table in a .zip; None if it holds none, is an archive of X or is damaged.

    Raises DataError if it holds several.
    """
    _refuse_devices(path)
    try:
        with zipfile.ZipFile(on_disk(path)) as archive:
            names = [name for name in archive.namelist() if not BESIDE_TABLES.fullmatch(name)]
    except (OSError, ValueError, NotImplementedError, *DAMAGES):
        return None
    if any(TWEETS_FILE.fullmatch(name) for name in names):
        return None
    tables = [name for name in names if name.lower().endswith((*TEXT_FORMATS, ".parquet"))]
    if len(tables) > 1:
        shown = ", ".join(tables[:5]) + (", …" if len(tables) > 5 else "")
        raise DataError(f"{path} holds {len(tables)} files: {shown}", UNPACK)
    return tables[0] if tables else None


def _refuse_devices(path: str) -> None:
    """Raise DataError for a path that is neither a file nor a folder: reading it may never end."""
    place = on_disk(path)
    if place.exists() and not (place.is_file() or place.is_dir()):
        raise DataError(f"{path} is a device or a pipe, not a file", "pipe it in: `cat PATH |` and --data_path -")


def _check(member: zipfile.ZipInfo, path: str, place: Path) -> None:
    name = f"{path}: {member.filename}"
    if member.flag_bits & 0x1:
        raise DataError(f"{name} is encrypted", f"{UNPACK}, with the password")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        method = zipfile.compressor_names.get(member.compress_type, member.compress_type)
        raise DataError(f"{name} is compressed by a method that is not supported, {method}", UNPACK)
    packed = min(member.compress_size, place.stat().st_size)
    check_expansion(name, member.file_size, packed)
    if member.file_size > MAX_BYTES_IN_ZIP:
        limit = f"the limit is {MAX_BYTES_IN_ZIP:,} bytes"
        raise DataError(f"{name} would take {member.file_size:,} bytes", f"{limit}; if you trust the file, {UNPACK}")


def check_expansion(name: str, size: int, packed: int) -> None:
    """Raise DataError if `packed` bytes of a file cannot reasonably expand to `size` bytes."""
    if size > max(ALWAYS_ALLOWED, MAX_RATIO * packed):
        problem = f"{name} would take over {size:,} bytes of memory, from {packed:,} in the file"
        limits = f"the limit is {MAX_RATIO} times as many, or {ALWAYS_ALLOWED:,}"
        raise DataError(problem, f"{limits}; if you trust the file, write it without compression, as CSV")


class _LimitedFile(io.RawIOBase):
    """A decompressed file that checks, as it is read, that it does not expand without end; see `check_expansion`."""

    def __init__(self, file: BinaryIO, name: str, packed: int):
        self.file, self.name, self.packed = file, name, packed

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, *position: int) -> int:
        return self.file.seek(*position)

    def readinto(self, buffer) -> int:
        data = self.file.read(len(buffer))
        check_expansion(self.name, self.file.tell(), self.packed)
        buffer[: len(data)] = data
        return len(data)


def state_of(path: str) -> FileState:
    """Return the state of a file: its size, time of change and identity; None for one that cannot be read."""
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


def on_disk(path: str) -> Path:
    """Return the file with the bytes of a path: of `STDIN`, a copy that is deleted when the program ends.

    Raises UsageError if nothing is piped in, and DataError if that is empty.
    """
    return _copy_of(sys.stdin) if path == STDIN else Path(path)


@functools.cache
def _copy_of(stream) -> Path:
    if stream is None or stream.isatty():
        raise UsageError(
            "nothing is piped in, so there is no data to read", "write `cat FILE |` in front of the command"
        )
    with explain_temporary_errors():
        folder = Path(tempfile.mkdtemp(prefix="stdin-"))
        atexit.register(remove, folder)
        copy = folder / STDIN
        with copy.open("wb") as file:
            shutil.copyfileobj(stream.buffer, file)
    if not copy.stat().st_size:
        raise DataError("stdin is empty", "check the program in front of the pipe")
    return copy
