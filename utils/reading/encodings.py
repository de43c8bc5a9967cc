"""Text in any encoding: recognize it, read it line by line, or convert it to UTF-8.

`open_text` serves tables, which may be larger than memory; `to_utf8` serves formats that are parsed as a whole.
Either way, NUL characters are removed, and an encoding that had to be guessed is logged as a warning.
"""

import codecs
import io
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO

from utils.errors import DataError
from utils.reading.compressed import DAMAGES, FileState, check_unchanged, compression, open_decompressed, state_of

log = logging.getLogger(__name__)

BOM = "\ufeff"
SAMPLE_CHARACTERS = 1 << 20
LONGEST_LINE = 1 << 24  # characters; a file without line ends must not fill the memory
HEAD_BYTES = 1 << 20
CHUNK_BYTES = 1 << 18
CHUNK_CHARACTERS = 1 << 16
DETECTION_BYTES = 1 << 18
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
COPY_AGAIN = "the file may be cut off; copy or download it again"
CONTROL_BYTES = bytes(set(range(1, 32)) - set(b"\t\n\f\r\x1b"))
# Excluded from detection: its sample consists of lines cut at byte 10, and short ones pass for UTF-16.
MULTIPLES_OF_BYTES = ["utf_16", "utf_16_be", "utf_16_le", "utf_32", "utf_32_be", "utf_32_le"]
# Letters of western European languages beyond ASCII in cp1252; other code pages have other letters there.
WESTERN = set("àáâãäåæçèéêëìíîïñòóôõöøùúûüßœÀÁÂÃÄÅÆÇÈÉÊËÎÍÑÓÔÕÖØÙÚÛÜŒ’‘“”„–—…€£§°•«»¡¿´·\xa0\xad")


@dataclass(frozen=True)
class Encoding:
    """An encoding as `bytes.decode` takes it: a codec, and how it handles bytes that are invalid in it."""

    codec: str
    errors: str = "strict"
    has_mark: bool = False  # whether the file starts with a byte-order mark

    def __str__(self):
        return "utf-8 and cp1252" if self.errors == "cp1252" else self.codec


@dataclass(frozen=True)
class TextFile:
    """A text file and how to read it; only `newline` ends a line."""

    path: str
    encoding: Encoding
    newline: str
    sample: str  # the first characters, up to the end of a line; all of them if `is_whole`
    is_whole: bool
    state: FileState = None  # when it was recognized

    def lines(self) -> Iterator[tuple[int, str]]:
        """Yield each line's number, from 1, and the line without `newline`; a "\\r" before it stays.

        DataError at the end where the file was changed since it was recognized.
        """
        number, rest = 1, ""
        with open_bytes(self.path) as file, _decoded(file, self.encoding) as text:
            while chunk := text.read(CHUNK_CHARACTERS):
                *lines, rest = (rest + chunk.replace("\0", "")).split(self.newline)
                yield from enumerate(lines, number)
                number += len(lines)
                if len(rest) >= LONGEST_LINE:
                    problem = f"{self.path}, line {number} is longer than {LONGEST_LINE:,} characters"
                    raise DataError(problem, "a table has one row per line; check how the file was made")
        if self.state is not None:
            check_unchanged(self.path, self.state)
        if rest:
            yield number, rest


def open_text(path: str) -> TextFile:
    """Recognize a file's encoding and line ends; compressed files are decompressed.

    Raises DataError if the file cannot be read, or is empty, binary or damaged.
    """
    state = state_of(path)
    with open_bytes(path) as file:
        encoding = recognize_encoding(file, path)
        file.seek(0)
        with _decoded(file, encoding) as text:
            sample = text.read(SAMPLE_CHARACTERS)
            is_whole = not text.read(1)
    if is_whole and not sample.strip():
        raise DataError(f"{path} is empty", "check how the file was made; it must hold at least one row")
    newline = "\r" if "\r" in sample and "\n" not in sample else "\n"
    sample = sample if is_whole else sample[: sample.rfind(newline) + 1] or sample
    return TextFile(path, encoding, newline, sample, is_whole, state)


def to_utf8(data: bytes, name: str) -> tuple[bytes, str]:
    """Return the text in `data` as UTF-8 bytes with "\\n" line ends and no byte-order mark, and its encoding's name.

    Bytes and not `str`, because a single emoji makes Python store four bytes for every character of a text.
    `name` is the file's name in warnings and errors. Raises DataError if `data` is binary or incomplete.
    """
    encoding = recognize_encoding(io.BytesIO(data), name)
    text = data.removeprefix(codecs.BOM_UTF8)
    if encoding.errors != "strict" or not encoding.codec.startswith("utf-8"):
        try:
            text = data.decode(encoding.codec, encoding.errors).encode()
        except UnicodeError as error:
            raise _incomplete_text(name, error) from error
    text = text.replace(b"\0", b"").replace(b"\r\n", b"\n")
    return text if b"\n" in text else text.replace(b"\r", b"\n"), str(encoding)


def decode_mixed(text: bytes) -> str:
    """Decode UTF-8; bytes that are not UTF-8 are read as cp1252."""
    return text.decode("utf-8", _cp1252_errors())


def recognize_encoding(file: BinaryIO, name: str) -> Encoding:
    """Recognize the encoding of a text, which may take reading it to the end. Raises DataError if it is binary."""
    head = file.read(HEAD_BYTES)
    for mark, codec in BYTE_ORDER_MARKS:
        if head.startswith(mark):
            return Encoding(codec, has_mark=True)
    _check_is_text(head, name)
    has_mark = head.startswith(codecs.BOM_UTF8)
    utf8 = Encoding("utf-8-sig" if has_mark else "utf-8", has_mark=has_mark)
    if _is_utf8(file, name):
        return utf8

    valid, invalid = bytearray(), bytearray()  # lines beyond ASCII, by whether they are UTF-8; the first of each
    invalid_lines = first_invalid = 0
    file.seek(0)
    for number, line in enumerate(iter(partial(file.readline, LONGEST_LINE), b""), 1):
        if line.isascii():
            continue
        lines = valid
        if not _decodes(line.decode):
            lines = invalid
            invalid_lines += 1
            first_invalid = first_invalid or number
        if len(lines) < DETECTION_BYTES:
            lines += line
    characters = (valid + invalid).decode("utf-8", errors="replace")
    beyond_ascii = sum(not character.isascii() for character in characters)
    if has_mark or characters.count("\ufffd") < beyond_ascii / 2:
        problem = "%s: %d lines are not UTF-8, the first is line %d; read as cp1252"
        log.warning(problem, name, invalid_lines, first_invalid)
        return Encoding(utf8.codec, _cp1252_errors(), has_mark)
    codec = _detect_codec(bytes(invalid[:DETECTION_BYTES]))
    log.warning("%s is not UTF-8; read as %s, which is a guess: check the accents", name, codec)
    return Encoding(codec, "replace")


@contextmanager
def open_bytes(path: str) -> Iterator[BinaryIO]:
    """Open a file, decompressing it. Raises DataError if it cannot be read or, in the block, decoded."""
    try:
        with open_decompressed(path) as file:
            yield file
    except DAMAGES as error:
        kind = {".gz": "gzip", ".bz2": "bzip2"}.get(compression(path), compression(path).strip("."))
        raise DataError(f"{path} is not a complete {kind} file: {error}", COPY_AGAIN) from error
    except UnicodeError as error:
        raise _incomplete_text(path, error) from error
    except OSError as error:
        raise unreadable(path, error) from error


def unreadable(name: str, error: OSError) -> DataError:
    """Return the error for a file that the system does not let us read."""
    return DataError(f"cannot read {name}: {error.strerror or error}", "check the path and the file's permissions")


def _incomplete_text(name: str, error: UnicodeError) -> DataError:
    problem = f"{name} is not complete {error.encoding} text: {error.reason}"
    return DataError(problem, "the file may be cut off; export it again, as UTF-8")


def _decoded(file: BinaryIO, encoding: Encoding) -> io.TextIOWrapper:
    return io.TextIOWrapper(file, encoding.codec, encoding.errors, newline="\n")  # translates no line ends


def _check_is_text(head: bytes, name: str) -> None:
    """Raise DataError for the beginning of a binary file."""
    looks_like = next((kind for magic, kind in MAGIC_NUMBERS if head.startswith(magic)), None)
    if looks_like is None and len(head) - len(head.translate(None, CONTROL_BYTES)) > len(head) / 20:
        looks_like = "a binary file"
    if looks_like is None and head.count(0) > len(head) / 4:
        looks_like = "a binary file, or UTF-16 text without a byte-order mark"
    if looks_like:
        hint = "give the file the ending of its real format, or export the data as CSV or JSONL in UTF-8"
        raise DataError(f"{name} is not text: it looks like {looks_like}", hint)


def _is_utf8(file: BinaryIO, name: str) -> bool:
    """Return whether the whole file is UTF-8; also warn about NUL bytes in it."""
    decoder, is_valid, nuls = codecs.getincrementaldecoder("utf-8")(), True, 0
    file.seek(0)
    for chunk in iter(partial(file.read, CHUNK_BYTES), b""):
        nuls += chunk.count(0)
        is_valid = is_valid and _decodes(decoder.decode, chunk)
    if nuls:
        log.warning("%s: %d NUL bytes removed", name, nuls)
    return is_valid and _decodes(decoder.decode, b"", True)


def _decodes(decode: Callable, *arguments) -> bool:
    try:
        decode(*arguments)
    except UnicodeDecodeError:
        return False
    return True


def _detect_codec(sample: bytes) -> str:
    """Return the likeliest encoding of lines that are not UTF-8."""
    # charset-normalizer takes short French texts for cp1250 or cp1257, which turns à into ŕ; so cp1252 goes first where
    # it yields plain letters with western accents among them.
    western = sample.decode("cp1252", errors="replace")
    letters = sum(character.isalpha() for character in western)
    beyond_ascii = [character for character in western if not character.isascii()]
    if len(beyond_ascii) <= letters / 2 and sum(c in WESTERN for c in beyond_ascii) >= 0.98 * len(beyond_ascii):
        return "cp1252"

    from charset_normalizer import from_bytes

    best = from_bytes(sample, cp_exclusion=MULTIPLES_OF_BYTES).best()
    return best.encoding if best else "cp1252"


def _cp1252_errors() -> str:
    """Return the name of an error handler that reads bytes that are not UTF-8 as cp1252."""

    # By byte and not by line: a line cut in the middle of a character keeps its other characters.
    def as_cp1252(error: UnicodeError) -> tuple[str, int]:
        return error.object[error.start : error.end].decode("cp1252", errors="replace"), error.end

    codecs.register_error("cp1252", as_cp1252)
    return "cp1252"
