"""The names of columns: made unique, compared regardless of case and blanks, and looked up."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from utils.errors import DataError
from utils.reading.encodings import BOM

if TYPE_CHECKING:
    import pandas

    from utils.reading.read_frame import SourceFile

REPEATED = "repeated"  # the key in a frame's attrs of the result of `repeated_names`
MOST_COLUMNS = 10_000  # of a table; pandas takes minutes for millions of them
# Missing cells take memory that they do not take in the file: two bytes can leave 10,000 of them missing.
MISSING_ALWAYS, MISSING_PER_CELL = 10_000_000, 20


def check_width(name: str, count: int) -> None:
    """Raise DataError for a table of more columns than any has."""
    if count > MOST_COLUMNS:
        problem = f"{name} has {count:,} columns or more; the limit is {MOST_COLUMNS:,}"
        raise DataError(problem, "write a table with one row per text, and a column for each of its properties")


def check_filled(name: str, missing: int, there: int) -> None:
    """Raise DataError for a table in which `missing` cells are missing, many more than are `there`."""
    if missing > MISSING_ALWAYS + MISSING_PER_CELL * there:
        problem = f"{name} has so many columns that its rows lack most of them: {missing:,} cells, and have {there:,}"
        raise DataError(problem, "remove the columns that nothing fills, or write a file for each kind of row")


def unique_names(names: Sequence[str]) -> list[str]:
    """Return column names without blanks around them or byte-order marks; empty and repeated ones get a number."""
    unique: dict[str, str] = {}
    repeats: Counter[str] = Counter()  # or a header of one name would be counted from the start for each column
    for position, name in enumerate(names):
        candidate = base = name.replace(BOM, "").strip() or f"Unnamed: {position}"
        key = column_key(base)
        while column_key(candidate) in unique:
            repeats[key] += 1
            candidate = f"{base}.{repeats[key]}"
        unique[column_key(candidate)] = candidate
    return list(unique.values())


def repeated_names(names: Sequence[str]) -> dict[str, str]:
    """Return the unique names of the columns that share their name with others, each with its own spelling of it."""
    keys = list(map(column_key, names))
    count = Counter(keys)
    columns = zip(unique_names(names), names, keys, strict=True)
    return {column: name.strip() for column, name, key in columns if key and count[key] > 1}


def check_not_repeated(
    path: str,
    columns: Sequence[str],
    repeated: Mapping[str, str],
    column: str,
    flag: str | None = None,
    requested: str | None = None,
) -> None:
    """Raise DataError if a file has several columns of the name of the one that was chosen.

    A column that was `requested` by its number, or by its unique name, is the one that is meant.
    """
    key = column_key(repeated.get(column, ""))
    if not key or (requested is not None and column_key(requested) != key):
        return
    numbers = [number for number, name in enumerate(columns) if column_key(repeated.get(name, "")) == key]
    if len(numbers) < 2:
        return
    listed = f"{', '.join(map(str, numbers[:-1]))} and {numbers[-1]}"
    problem = f"{path}: {len(numbers)} columns are named {repeated[column]!r}, numbers {listed} counted from 0"
    rename = "give the others different names in the file"
    raise DataError(problem, f"name one by its number: {flag}{numbers[0]}; or {rename}" if flag else rename)


def check_not_repeated_in(
    frame: "pandas.DataFrame",
    sources: Sequence["SourceFile"],
    column: str,
    flag: str | None = None,
    requested: str | None = None,
) -> None:
    """Raise DataError like `check_not_repeated` for each file of a frame."""
    repeated = frame.attrs.get(REPEATED, {})
    if column in repeated:
        for source, filled in columns_by_source(frame, sources):
            of_source = {name: shared for name, shared in repeated.items() if name in filled}
            _check_spelled_alike(source.path, frame, of_source, column)
            check_not_repeated(source.path, list(frame), of_source, column, flag, requested)


def _check_spelled_alike(path: str, frame: "pandas.DataFrame", repeated: Mapping[str, str], column: str) -> None:
    """Raise DataError if each row of a file has one of several spellings of the chosen column's name, as in JSON."""
    key = column_key(repeated.get(column, ""))
    spellings = {name: spelled for name, spelled in repeated.items() if column_key(spelled) == key}
    if len(set(spellings.values())) > 1 and frame[list(spellings)].notna().sum(axis=1).max() < 2:
        listed = ", others ".join(map(repr, spellings.values()))
        raise DataError(f"{path}: some rows call a column {listed}", "give it one name in all rows")


def column_key(name: str) -> str:
    """Return a key that is equal for the same column name: case, blanks and byte-order marks don't count."""
    return "".join(name.replace(BOM, "").split()).casefold()


def find_column(columns: Sequence[str], names: Sequence[str]) -> str | None:
    """Return the column that bears the first possible name of `names`, compared by `column_key`."""
    by_key = {column_key(column): column for column in reversed(columns)}
    return next((by_key[column_key(name)] for name in names if column_key(name) in by_key), None)


def find_columns(columns: Sequence[str], names: Sequence[str]) -> list[str]:
    """Return every column that bears one of `names`, in their order; together, several files can have several."""
    return [column for name in names if (column := find_column(columns, [name])) is not None]


def find_requested_column(columns: Sequence[str], requested: str) -> str | None:
    """Return the column that a user requested by its name, or else by its number, counted from 0."""
    numbered = columns[int(requested)] if requested.isdecimal() and int(requested) < len(columns) else None
    return find_column(columns, [requested]) or numbered


def columns_by_source(
    frame: "pandas.DataFrame", sources: Sequence["SourceFile"]
) -> Iterator[tuple["SourceFile", list[str]]]:
    """Yield each source of a frame with its columns: all if it is the only source, else those that it fills."""
    start = 0
    for source in sources:
        rows = frame.iloc[start : start + source.rows]
        start += source.rows
        yield source, [column for column in frame.columns if len(sources) == 1 or rows[column].notna().any()]


def row_locations(sources: Sequence["SourceFile"]) -> list[str]:
    """Return the file and row number of every row of a frame, for error messages."""
    return [f"{source.path}, row {row}" for source in sources for row in range(1, source.rows + 1)]
