"""The sources of raw emoji rows: files, and the `emoji` package, which has names in several languages."""

import hashlib
import json
import re
from collections.abc import Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING
from unicodedata import unidata_version

import emoji

from utils.errors import DataError, UsageError
from utils.preprocessing.emoji.resolve import RawEmojiRow
from utils.preprocessing.emoji.unicode import character_name
from utils.reading.columns import (
    check_not_repeated_in,
    column_key,
    columns_by_source,
    find_columns,
    find_requested_column,
    row_locations,
)
from utils.reading.read_frame import SourceFile, read_frame
from utils.tasks.emoji import COLUMNS

if TYPE_CHECKING:
    import pandas

BUILTIN = "builtin"  # the data path that means the package's table
UNICODE = "unicode"  # the language of names of characters
# codepoint_1, codepoint_2, …: one column per code point
_NUMBERED_COLUMN = re.compile("(?:" + "|".join(COLUMNS["code_points"]) + r")[_.-]?\d+")


def read_emoji_rows(
    paths: Sequence[str], *, text_column: str | None = None, hub_split: str = "train"
) -> tuple[list[RawEmojiRow], list[SourceFile]]:
    """Return every row of the files.

    DataError for a file without a column of descriptions, or without the one named, or with two of one name.
    """
    frame, sources = read_frame(paths, hub_split=hub_split)
    columns = list(frame)
    found = {content: find_columns(columns, names) for content, names in COLUMNS.items()}
    if text_column is not None:
        column = find_requested_column(columns, text_column)
        if column is None:
            problem = f"there is no column {text_column!r}; the columns are: {', '.join(map(repr, columns))}"
            raise DataError(problem, "name one of them with --text_column")
        found["description"] = [column]
    for content, names in found.items():
        flag, requested = ("--text_column ", text_column) if content == "description" else (None, None)
        for column in names:
            check_not_repeated_in(frame, sources, column, flag, requested)
    for source, names in columns_by_source(frame, sources):
        if not set(found["description"]) & set(names):
            raise DataError(
                f"{source.path} is not a table of emoji; its columns are: {', '.join(map(repr, names))}; expected a "
                "column called name or description, with emoji, codepoints or both beside it, as in Kaggle's "
                "emoji,name,group,sub_group,codepoints",
                "give the columns these names, or name the column of the descriptions with --text_column",
            )
    numbered = [column for column in columns if _NUMBERED_COLUMN.fullmatch(column_key(column))]
    cells = {content: _first_filled(frame, names) for content, names in found.items()}
    points = zip(cells["code_points"], *(_first_filled(frame, [column]) for column in numbered), strict=True)
    cells["code_points"] = [together or " ".join(filter(None, parts)) for together, *parts in points]
    cells["location"] = row_locations(sources)
    code_point_column = ", ".join(found["code_points"][:1] or numbered)
    rows = [
        RawEmojiRow(**dict(zip(cells, row, strict=True)), code_point_column=code_point_column)
        for row in zip(*cells.values(), strict=True)
    ]
    return rows, sources


def read_builtin() -> tuple[list[RawEmojiRow], list[SourceFile]]:
    """Return a row for every sequence of the package, unqualified ones too, with its English name."""
    rows = [
        RawEmojiRow(emoji=text, description=data["en"], language="en", location=f"{BUILTIN}, row {number}")
        for number, (text, data) in enumerate(emoji.EMOJI_DATA.items(), start=1)
    ]
    return rows, [package_source(BUILTIN, rows)]


def package_names(emojis: Sequence[str], languages: Sequence[str]) -> list[RawEmojiRow]:
    """Return a row for every name of the emoji in these languages.

    English names include the package's aliases and, in the language `UNICODE`, Unicode's names of their characters.
    """
    emoji.config.load_language(list(languages))
    rows = []
    for text in emojis:
        data = emoji.EMOJI_DATA.get(text, {})
        for code in languages:
            names = [data[code]] if code in data else []
            names += data.get("alias", []) if code == "en" else []
            rows += [RawEmojiRow(text, name, f"the emoji package, {code}", language=code) for name in names]
        if "en" in languages and (name := character_name(text)):
            rows.append(RawEmojiRow(text, name, "Unicode", language=UNICODE))
    return rows


def package_source(name: str, rows: Sequence[RawEmojiRow]) -> SourceFile:
    """Return the processed pickle's fields on rows that come from the package."""
    names = f", Unicode {unidata_version}" if any(row.language == UNICODE for row in rows) else ""
    pairs = json.dumps([(row.emoji, row.description) for row in rows])
    sha256 = hashlib.sha256(pairs.encode()).hexdigest()
    return SourceFile(f"{name} (emoji {version('emoji')}{names})", sha256, len(rows), "utf-8")


def check_languages(codes: Sequence[str]) -> list[str]:
    """Return the language codes in lower case, without repeats; UsageError if the package lacks a language."""
    codes = list(dict.fromkeys(code.strip().lower() for code in codes))
    if unknown := [code for code in codes if code not in emoji.LANGUAGES]:
        problem = f"--aliases {unknown[0]!r}: the emoji package has no names in this language"
        raise UsageError(problem, f"choose from {', '.join(sorted(emoji.LANGUAGES))}; for example --aliases en,fr")
    return codes


def _first_filled(frame: "pandas.DataFrame", columns: Sequence[str]) -> list[str]:
    """Return each row's first non-empty cell in these columns, "" if there is none."""
    cells = [""] * len(frame)
    for column in columns:
        cells = [cell or other.strip() for cell, other in zip(cells, frame[column].fillna(""), strict=True)]
    return cells
