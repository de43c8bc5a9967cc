"""The lines of a text file that may be larger than memory, in whatever encoding; .gz is read as it is.

The encoding is recognised as in `utils.reading.decoding`, which needs the whole file at once, and by its means.
"""

import codecs
import gzip
import io
import logging
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from utils.errors import DataError
from utils.reading import decoding
from utils.reading.input_files import unreadable

log = logging.getLogger(__name__)

SAMPLE_CHARACTERS = 1 << 20
LONGEST_LINE = 1 << 24  # in characters, or bytes: a file without line ends is not to fill the memory


@dataclass(frozen=True)
class TextFile:
    """How to read a text file, and how it begins; `newline` alone ends a line."""

    path: str
    encoding: str
    errors: str  # what decoding does with bytes that are not in that encoding
    has_mark: bool  # whether it starts with a byte-order mark
    newline: str
    sample: str  # the first characters, up to a line end; all of them where `is_whole`
    is_whole: bool

    def lines(self) -> Iterator[tuple[int, str]]:
        """The number of each line, from 1, and the line without its newline; a "\\r" before that stays."""
        with _opened(self.path) as file, _decoded(file, self.encoding, self.errors, self.newline) as text:
            for number, line in _limited(text, self.path):
                yield number, line.removesuffix(self.newline)


def open_text(path: str) -> TextFile:
    """Recognise a file's encoding, which may take reading it to its end, and its line ends.

    Raises DataError where it is empty, binary or damaged. An encoding that was guessed is a logged warning.
    """
    encoding, errors, has_mark = _recognise(path)
    with _opened(path) as file, _decoded(file, encoding, errors, "\n") as text:
        sample = text.read(SAMPLE_CHARACTERS)
        is_whole = not text.read(1)
    if is_whole and not sample.strip():
        raise DataError(f"{path} is empty", "check how the file was made; it must hold at least one row")
    newline = "\r" if "\r" in sample and "\n" not in sample else "\n"
    sample = sample if is_whole else sample[: sample.rfind(newline) + 1] or sample
    return TextFile(path, encoding, errors, has_mark, newline, sample, is_whole)


@contextmanager
def _opened(path: str) -> Iterator[BinaryIO]:
    try:
        with gzip.open(path) if path.lower().endswith(".gz") else Path(path).open("rb") as file:
            yield file
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(
            f"{path} is not a whole gzip file: {error}", "the file may be cut off; copy or download it again"
        ) from error
    except UnicodeError as error:
        raise DataError(
            f"{path} is not whole {error.encoding} text: {error.reason}",
            "the file may be cut off; export it again, as UTF-8",
        ) from error
    except OSError as error:
        raise unreadable(path, error) from error


def _decoded(file: BinaryIO, encoding: str, errors: str, newline: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(file, encoding, errors, newline=newline)


def _limited(file: BinaryIO | io.TextIOWrapper, path: str) -> Iterator[tuple[int, bytes | str]]:
    number = 0
    while line := file.readline(LONGEST_LINE):
        number += 1
        if len(line) == LONGEST_LINE:
            raise DataError(
                f"{path}, line {number} is longer than {LONGEST_LINE:,} characters",
                "a table holds a row a line; check how the file was made",
            )
        yield number, line


def _recognise(path: str) -> tuple[str, str, bool]:
    """The encoding, what to do with bytes that are not in it, and whether there is a byte-order mark."""
    good, bad = bytearray(), bytearray()  # lines beyond ASCII that are UTF-8, and that are not: the first of each
    bad_lines = first_bad = 0
    with _opened(path) as file:
        head = file.read(decoding.CHECKED_BYTES)
        for mark, encoding in decoding.BYTE_ORDER_MARKS:
            if head.startswith(mark):
                return encoding, "strict", True
        decoding.refuse_binary(head, path)
        has_mark = head.startswith(codecs.BOM_UTF8)
        file.seek(0)
        for number, line in _limited(file, path):
            if line.isascii():
                continue
            if is_good := _is_utf8(line):
                kept = good
            else:
                kept = bad
                bad_lines += 1
                first_bad = first_bad or number
            if len(kept) < decoding.DETECTED_BYTES and not (is_good and number == 1 and has_mark):
                kept += line
    utf8 = "utf-8-sig" if has_mark else "utf-8"
    if not bad:
        return utf8, "strict", has_mark
    if has_mark or decoding.is_mostly_utf8(bytes(good + bad)):
        log.warning("%s: %d lines are not UTF-8, the first is line %d; read as cp1252", path, bad_lines, first_bad)
        return utf8, "cp1252", has_mark
    encoding = decoding.detect(bytes(bad))
    log.warning("%s is not UTF-8; read as %s, which is a guess: check the accents", path, encoding)
    return encoding, "replace", False


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True
