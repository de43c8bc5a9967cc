"""The bytes of a text file, in whatever encoding, as clean UTF-8: no byte-order mark, no NUL, lines end in "\n".

UTF-8 bytes and not `str`, because a single emoji makes Python store four bytes for every character of a text.


MERGED: The lines of a text file that may be larger than memory, in whatever encoding; .gz is read as it is.

The encoding is recognised as in `utils.reading.read_frame.encodings`, which needs the whole file at once, and by its means.
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

BOM = "\ufeff"


def unreadable(name: str, error: OSError) -> DataError:
    """The error for a file that the system does not let us read."""
    return DataError(f"cannot read {name}: {error.strerror or error}", "check the path and the file's permissions")


log = logging.getLogger(__name__)
# UTF-32 first: its little-endian mark starts with UTF-16's.
BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
MAGIC_NUMBERS = (
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"PK\x03\x04", "a ZIP archive, such as an Excel workbook (.xlsx)"),
    (b"\xd0\xcf\x11\xe0", "an old Excel or Word file"),
    (b"%PDF-", "a PDF document"),
    (b"\x7fELF", "a program"),
    (b"\x1f\x8b", "a gzip file without .gz in its name"),
    (b"BZh", "a bzip2 file"),
    (b"\xfd7zXZ", "an xz file"),
    (b"\x28\xb5\x2f\xfd", "a zstd file"),
    (b"PAR1", "a Parquet file without .parquet in its name"),
    (b"SQLite format 3", "an SQLite database"),
)
CONTROL_BYTES = bytes(set(range(1, 32)) - set(b"\t\n\f\r\x1b"))
CHECKED_BYTES = 1 << 20
DETECTED_BYTES = 1 << 18
# Excluded from detection: its sample is lines cut at byte 10, and short ones pass for UTF-16.
MULTIPLES_OF_BYTES = ["utf_16", "utf_16_be", "utf_16_le", "utf_32", "utf_32_be", "utf_32_le"]
# What cp1252 holds beyond ASCII in the languages of western Europe; other code pages put other letters there.
WESTERN = set("àáâãäåæçèéêëìíîïñòóôõöøùúûüßœÀÁÂÃÄÅÆÇÈÉÊËÎÍÑÓÔÕÖØÙÚÛÜŒ’‘“”„–—…€£§°•«»¡¿´·\xa0\xad")


def to_utf8(data: bytes, name: str) -> tuple[bytes, str]:
    """The text in `data` as UTF-8 bytes, and the name of the encoding that it had.

    A guessed encoding, a mixed one and NUL bytes are reported by a logged warning; `name` is the file's name in it.
    Raises DataError where `data` is binary or breaks off.
    """
    text, encoding = _decode(data, name)
    if nuls := text.count(b"\0"):
        log.warning("%s: %d NUL bytes removed", name, nuls)
        text = text.replace(b"\0", b"")
    if b"\r" in text:
        text = text.replace(b"\r\n", b"\n")
        if b"\n" not in text:
            text = text.replace(b"\r", b"\n")
    return text, encoding


def _decode(data: bytes, name: str) -> tuple[bytes, str]:
    for mark, encoding in BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return _decode_marked(data, encoding, name), encoding
    refuse_binary(data, name)
    has_mark = data.startswith(codecs.BOM_UTF8)
    text = data.removeprefix(codecs.BOM_UTF8)
    if _is_utf8(text):
        return text, "utf-8-sig" if has_mark else "utf-8"

    bad = {number: line for number, line in enumerate(text.split(b"\n"), 1) if not _is_utf8(line)}
    if has_mark or is_mostly_utf8(text):
        log.warning("%s: %d lines are not UTF-8, the first is line %d; read as cp1252", name, len(bad), min(bad))
        return text.decode("utf-8", errors="cp1252").encode(), "utf-8 and cp1252"
    encoding = detect_encoding(b"\n".join(bad.values()))
    log.warning("%s is not UTF-8; read as %s, which is a guess: check the accents", name, encoding)
    return text.decode(encoding, errors="replace").encode(), encoding


def _decode_marked(data: bytes, encoding: str, name: str) -> bytes:
    try:
        return data.decode(encoding).encode()
    except UnicodeError as error:
        raise DataError(
            f"{name} is not whole {encoding} text: {error.reason} at byte {error.start}",
            "the file may be cut off; export it again, as UTF-8",
        ) from error


def _is_utf8(data: bytes) -> bool:
    if data.isascii():
        return True
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for start in range(0, len(data), CHECKED_BYTES):
            decoder.decode(data[start : start + CHECKED_BYTES])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def is_mostly_utf8(data: bytes) -> bool:
    """Whether most characters beyond ASCII are whole UTF-8."""
    text = data.decode("utf-8", errors="replace")
    beyond_ascii = len(text) - len(text.encode("ascii", errors="ignore"))
    return text.count("\ufffd") < beyond_ascii / 2


def refuse_binary(data: bytes, name: str) -> None:
    """Raise DataError for the beginning of a file that is no text."""
    looks_like = next((kind for magic, kind in MAGIC_NUMBERS if data.startswith(magic)), None)
    head = data[:CHECKED_BYTES]
    if looks_like is None and len(head) - len(head.translate(None, CONTROL_BYTES)) > len(head) / 20:
        looks_like = "a binary file"
    if looks_like is None and head.count(0) > len(head) / 4:
        looks_like = "a binary file, or UTF-16 text without a byte-order mark"
    if looks_like:
        raise DataError(
            f"{name} is not text: it looks like {looks_like}",
            "give the file the ending of what it is, or export the data as CSV or JSONL in UTF-8",
        )


def detect_encoding(sample: bytes) -> str:
    """The likeliest encoding of lines that are not UTF-8."""
    # charset-normalizer takes short French texts for cp1250 or cp1257, which turns à into ŕ; so cp1252 goes first where
    # it yields plain letters with western accents among them.
    sample = sample[:DETECTED_BYTES]
    western = sample.decode("cp1252", errors="replace")
    letters = sum(character.isalpha() for character in western)
    beyond_ascii = [character for character in western if not character.isascii()]
    if len(beyond_ascii) <= letters / 2 and sum(c in WESTERN for c in beyond_ascii) >= 0.98 * len(beyond_ascii):
        return "cp1252"

    from charset_normalizer import from_bytes

    best = from_bytes(sample, cp_exclusion=MULTIPLES_OF_BYTES).best()
    return best.encoding if best else "cp1252"


def _as_cp1252(error: UnicodeError) -> tuple[str, int]:
    return error.object[error.start : error.end].decode("cp1252", errors="replace"), error.end


# By byte and not by line: a line cut in the middle of a character keeps its other characters.
codecs.register_error("cp1252", _as_cp1252)
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
        with _opened(self.path) as file, _decoded_file(file, self.encoding, self.errors, self.newline) as text:
            for number, line in _limited(text, self.path):
                yield number, line.removesuffix(self.newline)


def open_text(path: str) -> TextFile:
    """Recognise a file's encoding, which may take reading it to its end, and its line ends.

    Raises DataError where it is empty, binary or damaged. An encoding that was guessed is a logged warning.
    """
    encoding, errors, has_mark = _recognise(path)
    with _opened(path) as file, _decoded_file(file, encoding, errors, "\n") as text:
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


def _decoded_file(file: BinaryIO, encoding: str, errors: str, newline: str) -> io.TextIOWrapper:
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
        head = file.read(CHECKED_BYTES)
        for mark, encoding in BYTE_ORDER_MARKS:
            if head.startswith(mark):
                return encoding, "strict", True
        refuse_binary(head, path)
        has_mark = head.startswith(codecs.BOM_UTF8)
        file.seek(0)
        for number, line in _limited(file, path):
            if line.isascii():
                continue
            if is_good := _is_utf8_line(line):
                kept = good
            else:
                kept = bad
                bad_lines += 1
                first_bad = first_bad or number
            if len(kept) < DETECTED_BYTES and not (is_good and number == 1 and has_mark):
                kept += line
    utf8 = "utf-8-sig" if has_mark else "utf-8"
    if not bad:
        return utf8, "strict", has_mark
    if has_mark or is_mostly_utf8(bytes(good + bad)):
        log.warning("%s: %d lines are not UTF-8, the first is line %d; read as cp1252", path, bad_lines, first_bad)
        return utf8, "cp1252", has_mark
    encoding = detect_encoding(bytes(bad))
    log.warning("%s is not UTF-8; read as %s, which is a guess: check the accents", path, encoding)
    return encoding, "replace", False


def _is_utf8_line(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True
