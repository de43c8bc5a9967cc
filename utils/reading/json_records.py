"""Read JSON and JSON Lines (UTF-8 bytes) into columns of text, with every number as the file spells it."""

import io
import json
import math
import re
import reprlib
from collections.abc import Iterable, Iterator

from utils.errors import DataError
from utils.reading.columns import check_filled, check_width
from utils.reading.encodings import LONGEST_LINE
from utils.reading.json_shapes import EXPECTED, kind_of, rows_in

BLANKS = re.compile(r"\s*")
LONE_SURROGATE = re.compile("[\ud800-\udfff]")


class _Number(float):
    """A float that prints as it was spelled: 1e5 stays "1e5", not "100000.0"."""

    __slots__ = ("spelling",)

    def __new__(cls, spelling: str):
        number = super().__new__(cls, spelling)
        number.spelling = spelling
        return number

    def __str__(self):
        return self.spelling


class NotText(str):
    """JSON text of a value that is not a text: a list, an object, true or false."""

    __slots__ = ()


def _with_each_key_once(pairs: list[tuple[str, object]]) -> dict:
    """Return an object; ValueError where one of its keys has two values, of which a dict would keep the last."""
    found = dict(pairs)
    if len(found) < len(pairs):
        for key, value in pairs:
            if value != found[key]:
                values = f"{reprlib.repr(value)} and {reprlib.repr(found[key])}"
                raise ValueError(f"the key {key!r} is there twice in one object, with different values: {values}")
    return found


# Not strict: a raw tab inside a string is common and harmless.
DECODER = json.JSONDecoder(parse_float=_Number, parse_constant=_Number, strict=False)
DECODER_OF_ROWS = json.JSONDecoder(
    object_pairs_hook=_with_each_key_once, parse_float=_Number, parse_constant=_Number, strict=False
)


def read_json(text: bytes, name: str) -> dict[str, list[str | None]]:
    """Return the columns of the rows in a JSON value (`json_shapes.py`), of JSON Lines, or of objects one by one.

    null and a key that an object lacks are None. Raises DataError with line and column for invalid JSON, and for an
    object with two values of one key.
    """
    try:
        value = DECODER_OF_ROWS.decode(text.decode())
    except json.JSONDecodeError as error:
        if error.msg == "Extra data" and error.doc[error.pos] == "{":
            is_line = "\n" in error.doc[: error.pos] and "\n" not in error.doc[: error.pos].strip()
            return columns_of(_objects_of_lines(text, name) if is_line else _objects_in_a_row(error.doc, name), name)
        raise _invalid(f"{name}, line {error.lineno}", error) from error
    except (ValueError, RecursionError) as error:
        raise _invalid(name, error) from error
    return columns_of(rows_in(value, name), name)


def read_json_lines(text: bytes, name: str) -> dict[str, list[str | None]]:
    """Return the columns of a file with one JSON object per line, of a list, or of objects that span lines.

    Raises DataError like `read_json`.
    """
    first = text.lstrip()[:1024].partition(b"\n")[0].strip()
    if first[:1] == b"[" or first == b"{":
        return read_json(text, name)
    return columns_of(_objects_of_lines(text, name), name)


def columns_of(objects: Iterable[dict], name: str) -> dict[str, list[str | None]]:
    """Return rows as columns of text (`as_text`); null and a key that an object lacks are None.

    Raises DataError, which names the file, where different keys take unreasonably more memory than what is there.
    """
    columns: dict[str, list[str | None]] = {}
    missing = there = 0
    for number, row in enumerate(objects):
        for key, value in row.items():
            if key not in columns:
                check_width(name, len(columns) + 1)
                missing += number
                check_filled(name, missing, there)
                columns[key] = [None] * number
            columns[key].append(as_text(value))
        there += len(row)
        if len(row) < len(columns):
            missing += len(columns) - len(row)
            check_filled(name, missing, there)
            for key in columns.keys() - row.keys():
                columns[key].append(None)
    return columns


def as_text(value) -> str | None:
    """Return a value of JSON or Parquet as text: true, false and nested values as a NotText, null and NaN as None.

    A lone surrogate, which cannot be encoded as UTF-8, becomes U+FFFD.
    """
    if isinstance(value, str):
        return _encodable(value)
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, bool):
        return NotText("true" if value else "false")
    if isinstance(value, dict | list):
        return NotText(_encodable(json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)))
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    return _encodable(str(value))


def _encodable(text: str) -> str:
    if text.isascii() or not LONE_SURROGATE.search(text):
        return text
    return text.encode("utf-16-le", errors="surrogatepass").decode("utf-16-le", errors="replace")


def _objects_of_lines(text: bytes, name: str) -> Iterator[dict]:
    lines = io.BytesIO(text)
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        if len(line) > LONGEST_LINE:
            problem = f"{name}, line {number} is longer than {LONGEST_LINE:,} bytes"
            raise DataError(problem, "JSON Lines have one row per line; check how the file was made")
        try:
            value = DECODER_OF_ROWS.decode(line.rstrip(b"\n").decode())
        except (ValueError, RecursionError) as error:
            raise _invalid_line(name, number, error, is_last=not lines.read().strip()) from error
        if not isinstance(value, dict):
            raise DataError(f"{name}, line {number}: {kind_of(value)} instead of an object", EXPECTED)
        yield value


def _objects_in_a_row(text: str, name: str) -> Iterator[dict]:
    """Yield objects that follow each other with nothing between them, wherever their lines end."""
    position = 0
    while (position := BLANKS.match(text, position).end()) < len(text):
        try:
            value, position = DECODER_OF_ROWS.raw_decode(text, position)
        except json.JSONDecodeError as error:
            raise _invalid(f"{name}, line {error.lineno}", error) from error
        except (ValueError, RecursionError) as error:
            raise _invalid(name, error) from error
        if not isinstance(value, dict):
            line = text.count("\n", 0, position) + 1
            raise DataError(f"{name}, line {line}: {kind_of(value)} instead of an object", EXPECTED)
        yield value


def _invalid(where: str, error: Exception) -> DataError:
    hint = "correct the file there"
    if isinstance(error, json.JSONDecodeError):
        if error.msg.startswith("Unterminated string") or error.pos >= len(error.doc.rstrip()):
            hint = "the file looks cut off; download or export it again"
        return DataError(f"{where}, column {error.colno}: invalid JSON, {error.msg}", hint)
    reason = "too deeply nested" if isinstance(error, RecursionError) else error
    return DataError(f"{where}: invalid JSON, {reason}", hint)


def _invalid_line(name: str, number: int, error: Exception, is_last: bool) -> DataError:
    problem = _invalid(f"{name}, line {number}", error).problem
    if is_last and number > 1 and isinstance(error, json.JSONDecodeError):
        hint = f"the file looks cut off: delete line {number}, or download the file again"
        return DataError(f"{problem}; it is the last line, and all lines before it are valid", hint)
    return DataError(problem, "correct or delete that line; each line must be one complete object")
