"""Find the rows in the value of a whole JSON file: a list of objects, one of pandas' forms, or inside a wrapper.

Open `rows_in` first.
"""

import itertools
import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from utils.errors import DataError

log = logging.getLogger(__name__)

EXPECTED = 'expected a list of objects, [{"text": "…"}, …], or one object per line'
DEEPEST = 4  # levels of objects around the rows
# An object with one of these is a row; the lists in it, of media say, are none.
TEXT_KEYS = ("text", "full_text", "rawContent", "content", "body")
SAMPLE_ROWS = 50
WORDS = re.compile(r"[^\W\d_]+")
ALIKE = 0.5  # the share of common keys from which two lists are parts of one table


def rows_in(value, name: str) -> Iterable[Mapping]:
    """Return the objects in the value of a JSON file, one per row. Raises DataError where there are none, or it is not
    clear which.
    """
    if isinstance(value, Mapping):
        value = _rows_of_object(value, name)
    if not isinstance(value, list):
        raise DataError(f"{name}: {kind_of(value)} with no list of objects in it", EXPECTED)
    if value and all(isinstance(row, list) for row in value):
        return _rows_of_lists(value, name)
    if value and all(isinstance(row, str) for row in value) and any(" " in row for row in value):
        return [{"text": row} for row in value]
    for number, row in enumerate(value, 1):
        if not isinstance(row, dict):
            raise DataError(f"{name}: element {number} of the list is {kind_of(row)} instead of an object", EXPECTED)
    return _unwrapped(value)


def kind_of(value) -> str:
    """Return the name of a JSON value's kind, for an error."""
    kinds = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return kinds.get(type(value), "a number")


def _rows_of_object(value: Mapping, name: str) -> object:
    """The list of objects in an object; the object itself where it is one row, or holds no list."""
    found = _lists_in(value, name, (), 1)
    if not found:
        lists = [inside for inside in value.values() if isinstance(inside, list)]
        if len(lists) == 1:
            return lists[0]
        return value if any(isinstance(inside, dict | list) for inside in value.values()) else [value]
    with_texts = {key: part for key, part in found.items() if _hold_texts(part)} or found
    by_length = sorted(with_texts, key=lambda key: len(found[key]), reverse=True)
    longest, others = by_length[0], by_length[1:]
    parts = [key for key in found if key == longest or _are_alike(found[key], found[longest])]
    others = [key for key in others if key not in parts]
    ignored = [*others, *(key for key in found if key not in with_texts and key not in parts)]
    if others and 2 * len(found[others[0]]) > len(found[longest]):
        lists = " and ".join(f"{len(found[key]):,} in {'.'.join(key)!r}" for key in (longest, others[0]))
        raise DataError(f"{name}: two lists of objects could be the rows: {lists}", "write one of them to its own file")
    where = " and ".join(repr(".".join(key)) for key in parts)
    if len(value) > 1 and where != "''":
        not_read = f"; not those in {', '.join(repr('.'.join(key)) for key in ignored)}" if ignored else ""
        log.info("%s: the rows are the objects in %s%s", name, where, not_read)
    return list(itertools.chain.from_iterable(found[key] for key in parts))


def _lists_in(value: Mapping, name: str, path: tuple[str, ...], depth: int) -> dict[tuple[str, ...], list]:
    """The lists of objects in an object by the keys that lead there: its own ones or, if it has none, those inside."""
    if any(isinstance(value.get(key), str) for key in TEXT_KEYS):
        return {path: [value]}
    if (rows := _rows_of_pandas(value, name)) is not None:
        return {path: rows}
    if (messages := _telegram_messages(value)) is not None:
        return {(*path, "chats"): messages}
    # "@context" says what the keys mean, in JSON-LD such as an export of Mastodon.
    inside = {key: part for key, part in value.items() if key != "@context"}
    lists = {
        (*path, key): part
        for key, part in inside.items()
        if isinstance(part, list) and any(isinstance(row, dict) for row in part)
    }
    if lists or depth == DEEPEST:
        return lists
    objects = {key: part for key, part in inside.items() if isinstance(part, dict)}
    return {
        found: rows
        for key, part in objects.items()
        for found, rows in _lists_in(part, name, (*path, key), depth + 1).items()
        if rows != [part]
    }


def _rows_of_pandas(value: Mapping, name: str) -> list[dict] | None:
    """The rows of a table in one of the forms that pandas writes; None if it is not in one of them."""
    columns, data, schema = value.get("columns"), value.get("data"), value.get("schema")
    parts = list(value.values())
    if isinstance(columns, list) and isinstance(data, list) and all(isinstance(row, list) for row in data):
        names = [str(column) for column in columns]
        if any(len(row) != len(names) for row in data):
            raise DataError(f"{name}: rows in 'data' that have not as many values as there are 'columns'", EXPECTED)
        return [dict(zip(names, row, strict=True)) for row in data]
    if isinstance(schema, dict) and isinstance(data, list) and schema.get("primaryKey") == ["index"]:
        return [{key: cell for key, cell in row.items() if key != "index"} for row in data if isinstance(row, dict)]
    if len(parts) > 1 and all(isinstance(part, str) for part in parts) and all(key.isdecimal() for key in value):
        return [{"text": part} for part in parts]  # one column
    if parts and all(isinstance(part, list) for part in parts) and not all(isinstance(cell, dict) for cell in parts[0]):
        if len({len(part) for part in parts}) > 1:
            raise DataError(f"{name}: an object of lists of different lengths", EXPECTED)
        return [dict(zip(value, row, strict=True)) for row in zip(*parts, strict=True)]
    if parts and all(isinstance(part, dict) and part for part in parts):
        return _rows_of_objects(value)
    return None


def _rows_of_objects(value: Mapping[str, dict]) -> list[dict] | None:
    """The rows of {row: {column: cell}} or {column: {row: cell}}; None if the objects inside are not alike."""
    parts = list(value.values())
    first = parts[0]
    has_row_numbers = all(key.isdecimal() for key in value)
    inside_has_row_numbers = all(key.isdecimal() for part in parts for key in part)
    is_flat = not any(isinstance(cell, dict | list) for part in parts for cell in part.values())
    are_columns = is_flat and all(part.keys() == first.keys() for part in parts)
    if are_columns and inside_has_row_numbers and (not has_row_numbers or len(parts) < len(first)):
        return [{column: value[column][row] for column in value} for row in first]
    if has_row_numbers:
        return parts
    if len(parts) > 1 and are_columns and len(first) > len(parts):
        return [{column: value[column][row] for column in value} for row in first]
    has_texts = all(any(isinstance(cell, str) for cell in part.values()) for part in parts)
    return parts if len(parts) > 1 and has_texts and _are_alike(parts[:1], parts[1:]) else None


def _telegram_messages(value: Mapping) -> list[dict] | None:
    """The messages of all chats in Telegram's export of an account; None if it is none."""
    chats = value["chats"].get("list") if isinstance(value.get("chats"), dict) else None
    if not isinstance(chats, list) or not chats:
        return None
    if not all(isinstance(chat, dict) and isinstance(chat.get("messages"), list) for chat in chats):
        return None
    return list(itertools.chain.from_iterable(chat["messages"] for chat in chats))


def _rows_of_lists(value: list[list], name: str) -> list[dict]:
    """The rows of a list of lists, with the names in the first one if only that one holds nothing but texts."""
    first, others = value[0], value[1:]
    for number, row in enumerate(value, 1):
        if len(row) != len(first):
            problem = f"{name}: list {number} holds {len(row)} values, but the first one holds {len(first)}"
            raise DataError(problem, EXPECTED)
    are_texts = [all(isinstance(cell, str) for cell in row) for row in value]
    if others and are_texts[0] and not any(are_texts[1:]) and len(set(first)) == len(first):
        return [dict(zip(first, row, strict=True)) for row in others]
    return [{str(position): cell for position, cell in enumerate(row)} for row in value]


def _unwrapped(rows: list[dict]) -> list[dict]:
    """The objects in Reddit's {"kind": …, "data": {…}}, those in its listings one by one; otherwise the rows."""
    while rows and all(row.keys() == {"kind", "data"} and isinstance(row["data"], dict) for row in rows):
        rows = [
            inside
            for row in rows
            for inside in (row["data"].get("children", []) if row["kind"] == "Listing" else [row["data"]])
        ]
    return rows


def _are_alike(rows: Sequence, others: Sequence) -> bool:
    """Return whether two lists of objects have most of their keys in common."""
    keys, other_keys = (
        {key for row in part[:SAMPLE_ROWS] if isinstance(row, dict) for key in row} for part in (rows, others)
    )
    return len(keys & other_keys) > ALIKE * len(keys | other_keys)


def _hold_texts(rows: Sequence) -> bool:
    """Return whether texts are in a list of objects: a fifth of them, at least, with four words or more."""
    sample = rows[:SAMPLE_ROWS]
    texts = {text for row in sample for text in _strings_in(row, DEEPEST) if len(WORDS.findall(text)) >= 4}
    return len(texts) > len(sample) / 5


def _strings_in(value, depth: int) -> Iterator[str]:
    if isinstance(value, str):
        if "://" not in value:
            yield value
    elif depth and isinstance(value, dict | list):
        for inside in value.values() if isinstance(value, dict) else value:
            yield from _strings_in(inside, depth - 1)
