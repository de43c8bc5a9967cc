"""Where raw rows of emoji come from: files, and the `emoji` package, which has names in several languages."""

import hashlib
import json
import re
from collections.abc import Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING

from utils.errors import DataError, UsageError
from utils.preprocessing.emoji_resolve import RawEmojiRow
from utils.reading.columns import (
    column_key,
    columns_by_source,
    find_column,
    find_requested_column,
    row_locations,
)
from utils.reading.read_frame import SourceFile, read_frame
from utils.tasks.emoji import (
    CODE_POINT_COLUMNS,
    DESCRIPTION_COLUMNS,
    EMOJI_COLUMNS,
    GROUP_COLUMNS,
    LANGUAGE_COLUMNS,
    STATUS_COLUMNS,
    SUB_GROUP_COLUMNS,
)

if TYPE_CHECKING:
    import pandas

BUILTIN = "builtin"  # the data path that means the package's table
# codepoint_1, codepoint_2, …: one column per code point
_NUMBERED_COLUMN = re.compile("(?:" + "|".join(CODE_POINT_COLUMNS) + r")[_.-]?\d+")


def read_emoji_rows(
    paths: Sequence[str], *, text_column: str | None = None, hub_split: str = "train"
) -> tuple[list[RawEmojiRow], list[SourceFile]]:
    """Return every row of the files; DataError if a file has no column of descriptions, or not the one asked for."""
    frame, sources = read_frame(paths, hub_split=hub_split)
    columns = list(frame.columns)
    description_columns = DESCRIPTION_COLUMNS
    if text_column is not None:
        column = find_requested_column(columns, text_column)
        if column is None:
            raise DataError(
                f"there is no column {text_column!r}; the columns are: {', '.join(map(repr, columns))}",
                "name one of them with --text_column",
            )
        description_columns = (column,)
    _check_columns(frame, sources, description_columns)
    numbered = [column for column in columns if _NUMBERED_COLUMN.fullmatch(column_key(column))]
    code_points = zip(_first(frame, CODE_POINT_COLUMNS), *(_first(frame, [name]) for name in numbered), strict=True)
    code_point_column = find_column(columns, CODE_POINT_COLUMNS) or ", ".join(numbered)
    wanted = (EMOJI_COLUMNS, description_columns, STATUS_COLUMNS, GROUP_COLUMNS, SUB_GROUP_COLUMNS, LANGUAGE_COLUMNS)
    cells = zip(row_locations(sources), code_points, *(_first(frame, names) for names in wanted), strict=True)
    rows = [
        RawEmojiRow(
            emoji=emoji,
            description=description,
            location=location,
            code_points=points or " ".join(filter(None, parts)),
            code_point_column=code_point_column,
            status=status,
            group=group,
            sub_group=sub_group,
            language=language.lower(),
        )
        for location, (points, *parts), emoji, description, status, group, sub_group, language in cells
    ]
    return rows, sources


def read_builtin() -> tuple[list[RawEmojiRow], SourceFile]:
    """Return a row for every sequence of the package, unqualified ones too, with its English name."""
    import emoji

    rows = [
        RawEmojiRow(emoji=text, description=data["en"], language="en", location=f"{BUILTIN}, row {number}")
        for number, (text, data) in enumerate(emoji.EMOJI_DATA.items(), start=1)
    ]
    return rows, package_source(BUILTIN, rows)


def package_names(emojis: Sequence[str], languages: Sequence[str]) -> list[RawEmojiRow]:
    """Return a row for every name of the emoji in these languages; English names include the package's aliases."""
    import emoji

    emoji.config.load_language(list(languages))
    rows = []
    for text in emojis:
        data = emoji.EMOJI_DATA.get(text, {})
        for code in languages:
            names = [data[code]] if code in data else []
            names += data.get("alias", []) if code == "en" else []
            rows += [RawEmojiRow(text, name, f"the emoji package, {code}", language=code) for name in names]
    return rows


def package_source(name: str, rows: Sequence[RawEmojiRow]) -> SourceFile:
    """Return what the processed pickle says of rows that come from the package."""
    pairs = json.dumps([(row.emoji, row.description) for row in rows])
    sha256 = hashlib.sha256(pairs.encode()).hexdigest()
    return SourceFile(f"{name} (emoji {version('emoji')})", sha256, len(rows), "utf-8")


def check_languages(codes: Sequence[str]) -> list[str]:
    """Return the language codes in lower case, without repeats; UsageError if the package lacks a language."""
    import emoji

    codes = list(dict.fromkeys(code.strip().lower() for code in codes))
    if unknown := [code for code in codes if code not in emoji.LANGUAGES]:
        raise UsageError(
            f"--aliases {unknown[0]!r}: the emoji package has no names in this language",
            f"choose from {', '.join(sorted(emoji.LANGUAGES))}; for example --aliases en,fr",
        )
    return codes


def _first(frame: "pandas.DataFrame", names: Sequence[str]) -> list[str]:
    """Return each row's first non-empty cell under one of the names; together, several files can have several."""
    cells = [""] * len(frame)
    for name in names:
        column = find_column(list(frame.columns), [name])
        if column is not None:
            stripped = (cell.strip() if isinstance(cell, str) else "" for cell in frame[column].tolist())
            cells = [cell or other for cell, other in zip(cells, stripped, strict=True)]
    return cells


def _check_columns(frame: "pandas.DataFrame", sources: Sequence[SourceFile], names: Sequence[str]) -> None:
    for source, columns in columns_by_source(frame, sources):
        if find_column(columns, names) is None:
            raise DataError(
                f"{source.path} is not a table of emoji; its columns are: {', '.join(map(repr, columns))}; expected a "
                "column called name or description, with emoji, codepoints or both beside it, as in Kaggle's "
                "emoji,name,group,sub_group,codepoints",
                "give the columns these names, or name the column of the descriptions with --text_column",
            )
