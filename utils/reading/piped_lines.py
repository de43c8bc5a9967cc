"""Lines that another program writes to stdin, as they arrive."""

import os
import stat
import sys
from collections.abc import Iterator

from utils.errors import DataError
from utils.reading.encodings import BOM, LONGEST_LINE, decode_mixed

BYTES_AT_ONCE = 1 << 16  # the capacity of a pipe


def is_redirected() -> bool:
    """Return whether stdin is a pipe or a file, and not a terminal, /dev/null or closed."""
    try:
        mode = os.fstat(sys.stdin.fileno()).st_mode
    except (AttributeError, OSError, ValueError):  # no stdin, or one without a file
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode)


def arriving_lines() -> Iterator[list[str]]:
    """Yield the lines that have arrived since the last call, at least one, without their ends.

    So a reader can answer a line before the other program writes the next one. Bytes that are not UTF-8 are read as
    cp1252. DataError for a line that is too long to be a text.
    """
    rest, mark = b"", BOM
    while data := sys.stdin.buffer.read1(BYTES_AT_ONCE):
        *lines, rest = (rest + data).split(b"\n")
        if len(rest) > LONGEST_LINE:
            problem = f"stdin: a line is longer than {LONGEST_LINE:,} bytes"
            raise DataError(problem, "write one text per line")
        if lines:
            yield [_decoded(lines[0]).removeprefix(mark), *map(_decoded, lines[1:])]
            mark = ""
    if rest:
        yield [_decoded(rest).removeprefix(mark)]


def _decoded(line: bytes) -> str:
    return decode_mixed(line.removesuffix(b"\r"))
