"""Files of emoji → the cells of each row that matter: which columns hold them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from utils import reading
from utils.errors import DataError
from utils.reading import find_column
from utils.reading.delimited import column_key
from utils.tasks.base import find_wanted
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
class Cells:
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


def read(
    paths: Sequence[str], *, text_column: str | None = None, hub_split: str = "train"
) -> tuple[list[Cells], list[reading.Source]]:
    """The cells of every row. DataError where a file has no column of descriptions, or not the one asked for."""
    frame, sources = reading.read_frame(paths, hub_split=hub_split)
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
        Cells(
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


def _check_columns(frame: "pandas.DataFrame", sources: Sequence[reading.Source], names: Sequence[str]) -> None:
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
