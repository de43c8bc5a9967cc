"""Read JSON and JSON Lines (UTF-8 bytes) into columns of text, with every number as the file spells it."""

import io
import json
import math
import re
from collections.abc import Iterable, Iterator

from utils.errors import DataError

LONE_SURROGATE = re.compile("[\ud800-\udfff]")
EXPECTED = 'expected a list of objects, [{"text": "…"}, …], or one object per line'


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


# Not strict: a raw tab inside a string is common and harmless.
DECODER = json.JSONDecoder(parse_float=_Number, parse_constant=_Number, strict=False)


def read_json(text: bytes, name: str) -> dict[str, list[str | None]]:
    """Return the columns of a list of objects, an object of lists, an object with one list inside, or JSON Lines.

    null and a key that an object lacks are None. Raises DataError with line and column for invalid JSON.
    """
    try:
        value = DECODER.decode(text.decode())
    except json.JSONDecodeError as error:
        if error.msg == "Extra data" and error.doc[error.pos] == "{":
            return columns_of(_objects_of_lines(text, name))
        raise _invalid(f"{name}, line {error.lineno}", error) from error
    except (ValueError, RecursionError) as error:
        raise _invalid(name, error) from error
    return columns_of(_objects(value, name))


def read_json_lines(text: bytes, name: str) -> dict[str, list[str | None]]:
    """Return the columns of a file with one JSON object per line, or of a list. Raises DataError like `read_json`."""
    if text.lstrip()[:1] == b"[":
        return read_json(text, name)
    return columns_of(_objects_of_lines(text, name))


def columns_of(objects: Iterable[dict]) -> dict[str, list[str | None]]:
    """Return rows as columns of text (`as_text`); null and a key that an object lacks are None."""
    columns: dict[str, list[str | None]] = {}
    for number, row in enumerate(objects):
        for key, value in row.items():
            if key not in columns:
                columns[key] = [None] * number
            columns[key].append(as_text(value))
        if len(row) < len(columns):
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
        try:
            value = DECODER.decode(line.rstrip(b"\n").decode())
        except (ValueError, RecursionError) as error:
            raise _invalid_line(name, number, error, is_last=not lines.read().strip()) from error
        if not isinstance(value, dict):
            raise DataError(f"{name}, line {number}: {_kind(value)} instead of an object", EXPECTED)
        yield value


def _objects(value, name: str) -> Iterable[dict]:
    """Return the objects in the value of a whole JSON file, one per row."""
    if isinstance(value, dict):
        # "@context" says what the keys mean, in JSON-LD such as an export of Mastodon.
        lists = [inside for key, inside in value.items() if isinstance(inside, list) and key != "@context"]
        if lists and len(lists) == len(value) and not all(isinstance(cell, dict) for cell in lists[0]):
            if len({len(column) for column in lists}) > 1:
                raise DataError(f"{name}: an object of lists of different lengths", EXPECTED)
            return (dict(zip(value, row, strict=True)) for row in zip(*lists, strict=True))
        if len(lists) == 1:
            value = lists[0]
        elif not any(isinstance(inside, dict | list) for inside in value.values()):
            value = [value]
    if not isinstance(value, list):
        raise DataError(f"{name}: {_kind(value)} with no list of objects in it", EXPECTED)
    for number, row in enumerate(value, 1):
        if not isinstance(row, dict):
            raise DataError(f"{name}: element {number} of the list is {_kind(row)} instead of an object", EXPECTED)
    return value


def _kind(value) -> str:
    kinds = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return kinds.get(type(value), "a number")


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
    if is_last and number > 1:
        hint = f"the file looks cut off: delete line {number}, or download the file again"
        return DataError(f"{problem}; it is the last line, and all lines before it are valid", hint)
    return DataError(problem, "correct or delete that line; each line must be one complete object")
