"""The raw JSON Lines file that posts are collected into: one complete line per post, and never twice.

Beside it, NAME.origin holds the query, so that the posts of another query do not end up in the same file.
"""

import json
import logging
import os
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from utils.collecting.posts import Post, Query
from utils.errors import DataError, UserError
from utils.files import atomic_write
from utils.temporary import remove

log = logging.getLogger(__name__)


class RawFile:
    """An open raw file. `ids` are its posts' ids, in the order of the lines (a dict without values)."""

    def __init__(self, path: Path, query: Query, id_of: Callable[[dict], str | None]):
        """Open or create the file, repair its last line and read its ids. Raises DataError if it holds other rows."""
        self.path = path
        self._query = query
        self._origin = path.with_name(path.name + ".origin")
        self._check_origin()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("ab+") as file:
                _repair_last_line(file, path)
                self.ids = dict.fromkeys(_ids(file, path, query, id_of))
            self._file = path.open("ab", buffering=0)  # every line reaches the system at once, even if we are killed
        except OSError as error:
            raise _cannot_write(path, error) from error

    def __enter__(self) -> "RawFile":
        return self

    def __exit__(self, *exception) -> None:
        self._file.close()
        if not self.ids:
            remove(self.path)

    def add(self, post: Post) -> None:
        """Append the post: all of it, or nothing if the disk is full."""
        if not self._origin.exists():
            with atomic_write(self._origin, "w") as file:
                file.write(f"{self._query}\n")
        end = self._file.seek(0, os.SEEK_END)
        unwritten = memoryview(post.line.encode() + b"\n")
        try:
            while unwritten:
                unwritten = unwritten[self._file.write(unwritten) :]
        except OSError as error:
            with suppress(OSError):  # or the next run repairs the last line
                self._file.truncate(end)
            raise _cannot_write(self.path, error) from error
        self.ids[post.id] = None

    def oldest_in_stretch(self) -> dict[str, str]:
        """Return, for every id, the oldest one of its stretch: posts collected newest first without a gap."""
        oldest: dict[str, str] = {}
        stretch: list[str] = []
        for post_id in self.ids:
            if stretch and not _is_older(post_id, stretch[-1]):
                oldest.update(dict.fromkeys(stretch, stretch[-1]))
                stretch = []
            stretch.append(post_id)
        return oldest | dict.fromkeys(stretch, stretch[-1] if stretch else "")

    def _check_origin(self) -> None:
        """Raise DataError if .origin names another query; a file of another tool has none, and its rows are checked."""
        try:
            origin = self._origin.read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return
        except (OSError, UnicodeDecodeError) as error:
            hint = "delete it, or choose another --data_path"
            raise DataError(f"cannot read {self._origin}: {error}", hint) from error
        if self.path.exists() and origin != str(self._query):
            hint = f"choose another --data_path for: --scrape {self._query}"
            raise DataError(f"{self.path} holds the posts of: --scrape {origin}", hint)


def _is_older(post_id: str, other: str) -> bool:
    """Compare ids, which grow with time: as numbers (X, Mastodon, Telegram) or as texts of one length (GoToSocial)."""
    return (len(post_id), post_id) < (len(other), other)


def _repair_last_line(file: BinaryIO, path: Path) -> None:
    """Complete or remove the last line, which lacks its end if writing was cut off."""
    file.seek(0)
    line = next(iter(deque(file, maxlen=1)), b"\n")
    if line.endswith(b"\n"):
        return
    try:
        json.loads(line)
    except ValueError:
        file.truncate(file.tell() - len(line))
        log.warning("%s: removed a half-written last line (%d bytes)", path, len(line))
    else:
        file.write(b"\n")
        file.flush()


def _ids(file: BinaryIO, path: Path, query: Query, id_of: Callable[[dict], str | None]) -> Iterator[str]:
    file.seek(0)
    for number, line in enumerate(file, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{path}, line {number}: invalid JSON", "correct or delete that line") from error
        post_id = id_of(row) if isinstance(row, dict) else None
        if post_id is None:
            problem = f"{path}, line {number} is not a post of {query.source}"
            raise DataError(problem, "choose another --data_path for this source")
        yield post_id


def _cannot_write(path: Path, error: OSError) -> UserError:
    hint = "free some space or choose another --data_path; every complete line is kept"
    return UserError(f"cannot write {path}: {error.strerror or error}", hint)
