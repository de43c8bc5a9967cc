"""Files of emoji → the cells of each row that matter: which columns hold them.

MERGED: The table that comes with the `emoji` package: every emoji with its names in several languages."""

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING

from utils.errors import DataError, UsageError
from utils.preprocessing.emoji_unicode import fully_qualified
from utils.reading.columns import column_key, find_column
from utils.reading.read_frame import SourceFile, read_frame
from utils.tasks.columns import find_wanted
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

# codepoint_1, codepoint_2, …: a column for each
_ONE_OF_SEVERAL = re.compile("(?:" + "|".join(CODE_POINT_COLUMNS) + r")[_.-]?\d+")
_EXPECTED = (
    "expected is a name or description, and beside it emoji, codepoints or both, with or without group, sub_group "
    "and status, as in Kaggle's emoji,name,group,sub_group,codepoints"
)


@dataclass(frozen=True)
class EmojiCells:
    """What a table says of one emoji, as text without blanks around it; "" where it says nothing."""

    emoji: str
    description: str
    where: str  # file and row
    code_points: str = ""
    code_point_column: str = ""
    status: str = ""
    group: str = ""
    sub_group: str = ""
    language: str = ""


def read_emoji_cells(
    paths: Sequence[str], *, text_column: str | None = None, hub_split: str = "train"
) -> tuple[list[EmojiCells], list[SourceFile]]:
    """The cells of every row. DataError where a file has no column of descriptions, or not the one asked for."""
    frame, sources = read_frame(paths, hub_split=hub_split)
    names = DESCRIPTION_COLUMNS
    if text_column is not None:
        column = find_wanted(list(frame.columns), text_column)
        if column is None:
            there = ", ".join(map(repr, frame.columns))
            raise DataError(f"there is no column {text_column!r}; the columns are: {there}", "see --text_column")
        names = (column,)
    _check_columns(frame, sources, names)
    several = [column for column in frame.columns if _ONE_OF_SEVERAL.fullmatch(column_key(column))]
    code_points = _first(frame, CODE_POINT_COLUMNS)
    parts = [_first(frame, [column]) for column in several]
    column = find_column(list(frame.columns), CODE_POINT_COLUMNS) or ", ".join(several)
    columns = (EMOJI_COLUMNS, names, STATUS_COLUMNS, GROUP_COLUMNS, SUB_GROUP_COLUMNS, LANGUAGE_COLUMNS)
    places = (f"{source.path}, row {row}" for source in sources for row in range(1, source.rows + 1))
    rows = zip(places, *(_first(frame, names) for names in columns), strict=True)
    return [
        EmojiCells(
            emoji=emoji,
            description=description,
            where=where,
            code_points=code_points[row] or " ".join(part[row] for part in parts if part[row]),
            code_point_column=column,
            status=status,
            group=group,
            sub_group=sub_group,
            language=language.lower(),
        )
        for row, (where, emoji, description, status, group, sub_group, language) in enumerate(rows)
    ], sources


def _first(frame: "pandas.DataFrame", names: Sequence[str]) -> list[str]:
    """The first cell of each row under one of the names that holds something; files of several kinds have several."""
    cells = [""] * len(frame)
    for name in names:
        column = find_column(list(frame.columns), [name])
        if column is not None:
            found = (cell.strip() if isinstance(cell, str) else "" for cell in frame[column].tolist())
            cells = [cell or other for cell, other in zip(cells, found, strict=True)]
    return cells


def _check_columns(frame: "pandas.DataFrame", sources: Sequence[SourceFile], names: Sequence[str]) -> None:
    start = 0
    for source in sources:
        rows = frame.iloc[start : start + source.rows]
        start += source.rows
        # Of several files, each has the columns that it fills.
        columns = [column for column in frame.columns if len(sources) == 1 or rows[column].notna().any()]
        if find_column(columns, names) is None:
            there = ", ".join(map(repr, columns))
            raise DataError(
                f"{source.path} is no table of emoji; its columns are: {there}; {_EXPECTED}",
                "give the columns these names, or name the column of the descriptions with --text_column",
            )


BUILTIN = "builtin"  # the data path that stands for this table
_NO_LETTERS = re.compile(r"[\s_:,.!()’'“”\"-]+")


def check_languages(codes: Sequence[str]) -> list[str]:
    """The language codes, once each; UsageError where the package has no such language."""
    import emoji

    if unknown := [code for code in codes if code not in emoji.LANGUAGES]:
        raise UsageError(
            f"--aliases {unknown[0]!r}: the emoji package has no names in such a language",
            f"its languages are {', '.join(sorted(emoji.LANGUAGES))}; write, for example, --aliases en,fr",
        )
    return list(dict.fromkeys(codes))


def read_builtin() -> tuple[list[EmojiCells], SourceFile]:
    """A row of every sequence that the package has, unqualified ones too, with its English name."""
    import emoji

    rows = [
        EmojiCells(emoji=text, description=data["en"], language="en", where=f"{BUILTIN}, row {row}")
        for row, (text, data) in enumerate(emoji.EMOJI_DATA.items(), start=1)
    ]
    return rows, _builtin_source(BUILTIN, [(row.emoji, row.description) for row in rows])


def builtin_aliases(found: Sequence[str], codes: Sequence[str]) -> list[EmojiCells]:
    """The package's names of these emoji in these languages, and its aliases, which are English."""
    import emoji

    emoji.config.load_language(list(codes))
    return [
        EmojiCells(emoji=text, description=name, language=code, where=f"the emoji package, {code}")
        for text in found
        for code in codes
        for name in _names(emoji.EMOJI_DATA.get(text, {}), code)
    ]


def aliases_source(rows: Sequence[EmojiCells], codes: Sequence[str]) -> SourceFile:
    """What the audit says of these rows of `aliases`."""
    return _builtin_source(f"aliases {','.join(codes)}", [(row.emoji, row.description) for row in rows])


def emoji_of(name: str) -> str | None:
    """The fully-qualified emoji of an English name or alias; case, blanks and most punctuation don't count."""
    key = _key(name)
    # Unicode's "flag: Peru" is "Peru" here, with the alias "flag for Peru".
    keys = (key, f"flag for {country}", country) if (country := key.removeprefix("flag ")) != key else (key,)
    return next((_by_name()[key] for key in keys if key in _by_name()), None)


@cache
def _by_name() -> dict[str, str]:
    import emoji

    found: dict[str, str] = {}
    for take in (lambda data: [data["en"]], lambda data: data.get("alias", [])):  # names go before aliases
        for text, data in emoji.EMOJI_DATA.items():
            for name in take(data):
                found.setdefault(_key(name), fully_qualified(text))
    return found


def _names(data: dict, code: str) -> Iterator[str]:
    if code in data:
        yield data[code]
    if code == "en":
        yield from data.get("alias", [])


def _key(name: str) -> str:
    return " ".join(_NO_LETTERS.sub(" ", name.casefold()).split())


def _builtin_source(what: str, rows: list[tuple[str, str]]) -> SourceFile:
    sha256 = hashlib.sha256(json.dumps(rows).encode()).hexdigest()
    return SourceFile(f"{what} (emoji {version('emoji')})", sha256, len(rows), "utf-8")
