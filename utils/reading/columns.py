from collections.abc import Sequence

from utils.reading.encodings import BOM


def unique_names(names: list[str]) -> list[str]:
    """Column names without blanks around them or byte-order marks; empty and repeated ones get a number."""
    unique: dict[str, str] = {}
    for position, name in enumerate(names):
        base = name.replace(BOM, "").strip() or f"Unnamed: {position}"
        candidate, repeat = base, 0
        while column_key(candidate) in unique:
            repeat += 1
            candidate = f"{base}.{repeat}"
        unique[column_key(candidate)] = candidate
    return list(unique.values())


def column_key(name: str) -> str:
    """What makes two column names the same: case, blanks and byte-order marks don't count."""
    return "".join(name.replace(BOM, "").split()).casefold()


def find_column(columns: Sequence[str], wanted: Sequence[str]) -> str | None:
    """The column that bears the first possible name of `wanted`; case, blanks and byte-order marks don't count."""
    by_key = {column_key(column): column for column in reversed(columns)}
    return next((by_key[column_key(name)] for name in wanted if column_key(name) in by_key), None)
