"""Values inside the objects and lists in a file's cells, by dotted paths such as post.record.text.

`read_frame` keeps an object or a list as JSON text in one cell. `nested_paths` lists the values inside, `nested_cells`
returns those at one path. `texts_by_path` and `value_at` do the same for plain lists of cells.
"""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from utils.reading.columns import find_column
from utils.reading.json_records import DECODER, NotText, as_text
from utils.reading.literals import parse_literal
from utils.reading.read_frame import NOT_TEXT

if TYPE_CHECKING:
    import pandas

# The content of a chat message: each of its parts is a paragraph. Other pieces, as in Telegram, are runs of one text.
PART_TYPES = {"text", "input_text", "output_text"}
DEEPEST = 8
MOST_PATHS = 500  # of one column: more are an index by ids or dates and no set of fields


def nested_paths(frame: "pandas.DataFrame", sample: int = 1000) -> list[str]:
    """Return the dotted paths of the values inside objects and lists, in the order of first sight.

    "media[].title" is in a list of objects, "langs[]" in a list of values. A list of pieces of one text, such as
    Telegram's, is itself a text and has the path of its column. Of each column the first `sample` cells are looked at:
    of a column that the file marks as nested, the first such cells; of another one, where at least half of the filled
    cells read as JSON or as Python writes it.
    """
    marks = frame.attrs.get(NOT_TEXT, {})
    return [
        path
        for name in frame.columns
        for path in texts_by_path(name, first_nested(frame[name], marks.get(name), sample), marked=name in marks)
    ]


def first_nested(column: "pandas.Series", marks: bytes | None, sample: int) -> list[str | None]:
    """Return the first cells of a column, or if some of them are marked as not text, the first of these."""
    if marks is None:
        return column.iloc[:sample].tolist()
    return column.iloc[list(itertools.islice(itertools.compress(itertools.count(), marks), sample))].tolist()


def nested_columns(frame: "pandas.DataFrame") -> frozenset[str]:
    """Return the columns in which a JSON or Parquet file has lists or objects."""
    marks = frame.attrs.get(NOT_TEXT, {})
    cells = {name: itertools.compress(frame[name], of_rows) for name, of_rows in marks.items()}
    return frozenset(name for name in cells if any(cell[:1] in ("[", "{") for cell in cells[name]))


def nested_cells(frame: "pandas.DataFrame", path: str) -> list[str | None]:
    """Return every row's value at a path, as text; None where there is none.

    Names are compared by `column_key`, and "[]" may be left out. Several texts in a list are joined by line ends,
    without repetitions; pieces of one text without anything between them. What is an object is `NotText`.
    """
    found = find_path(list(frame), path)
    if found is None:
        return [None] * len(frame)
    column, keys = found
    return [value_at(cell, keys) for cell in frame[column].tolist()]


def find_path(columns: Sequence[str], path: str) -> tuple[str, list[str]] | None:
    """Return the column that a path starts in, and the keys to follow inside; None if there is no such column."""
    if (column := find_column(columns, [path])) is not None:
        return column, []
    parts = path.replace("[]", "").split(".")
    for end in range(len(parts), 0, -1):  # the longest name first: a column's own name may have dots
        column = find_column(columns, [".".join(parts[:end])])
        if column is not None:
            return column, parts[end:]
    return None


def texts_by_path(name: str, cells: Sequence[str | None], *, marked: bool = False) -> dict[str, dict[int, list[str]]]:
    """Return the values inside the cells of a column: path → number of the cell → the values there, as text.

    Nothing is returned if less than half of the filled cells are nested, unless the file has `marked` some as nested.
    """
    filled = [(number, cell) for number, cell in enumerate(cells) if isinstance(cell, str) and cell.strip()]
    values = [(number, value) for number, cell in filled if (value := parse_nested(cell))]
    if not marked and 2 * len(values) < len(filled):
        return {}
    paths: dict[str, dict[int, list[str]]] = {}
    for number, value in values:
        for path, text in _paths(value, name, DEEPEST):
            paths.setdefault(path, {}).setdefault(number, []).append(text)
        if len(paths) > MOST_PATHS:
            break
    return paths


def value_at(cell: str | None, keys: Sequence[str]) -> str | None:
    """Return, as text, the value in a cell where the keys lead; None if there is nothing."""
    if not isinstance(cell, str):
        return None
    value = parse_nested(cell)
    if value is None:
        return None if keys else cell
    texts = [text for inside in _follow(value, keys) if (text := _text_of(inside)) is not None]
    return join_texts(texts) or next(iter(texts), None)


def join_texts(texts: Iterable[str]) -> str:
    """Return the texts, one per line, without blank and repeated ones and objects."""
    return "\n".join(dict.fromkeys(text for text in texts if text.strip() and not isinstance(text, NotText)))


def parse_nested(cell: str) -> dict | list | None:
    """Return the object or the list that a cell holds as JSON or as Python writes it; None if it holds another text."""
    stripped = cell.strip()
    if stripped[:1] + stripped[-1:] not in ("{}", "[]"):
        return None
    try:
        return DECODER.decode(stripped)
    except (ValueError, RecursionError):
        pass
    return parse_literal(stripped) if "'" in stripped or '"' in stripped else None


def join_pieces(value: list) -> str | None:
    """Return the text of a list of pieces: strings and objects with a type and a text; None if it is another list."""
    objects = [piece for piece in value if isinstance(piece, dict)]
    if not objects or not all(isinstance(piece, str) or _has_type(piece) for piece in value):
        return None
    pieces = [piece if isinstance(piece, str) else piece.get("text") for piece in value]
    texts = [text for text in pieces if isinstance(text, str)]
    if any(piece["type"] in PART_TYPES for piece in objects):
        return "\n".join(texts) if texts else None  # the other parts are images, …
    return "".join(texts) if len(texts) == len(pieces) else None


def _has_type(piece) -> bool:
    return isinstance(piece, dict) and isinstance(piece.get("type"), str)


def _paths(value, path: str, depth: int) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and depth:
        for key, inside in value.items():
            yield from _paths(inside, f"{path}.{key}", depth - 1)
    elif isinstance(value, list) and depth:
        if (text := join_pieces(value)) is not None:
            yield path, text
        else:
            for inside in value:
                yield from _paths(inside, f"{path}[]", depth - 1)
    elif not isinstance(value, dict | list) and (text := _text_of(value)) is not None:
        yield path, text


def _follow(value, keys: Sequence[str]) -> Iterator:
    """Yield the values where the keys lead, which go through lists."""
    if isinstance(value, list) and join_pieces(value) is None:
        for inside in value:
            yield from _follow(inside, keys)
    elif not keys:
        yield value
    elif isinstance(value, dict):
        key = keys[0] if keys[0] in value else find_column([key for key in value if isinstance(key, str)], [keys[0]])
        if key is not None:
            yield from _follow(value[key], keys[1:])


def _text_of(value) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    pieces = join_pieces(value) if isinstance(value, list) else None
    return as_text(value if pieces is None else pieces)
