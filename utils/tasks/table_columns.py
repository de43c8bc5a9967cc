"""The columns of a table and the paths inside their objects: candidates to choose from, and the cells of the chosen."""

import itertools
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import TYPE_CHECKING

from utils.errors import DataError
from utils.reading.columns import find_requested_column, unique_names
from utils.reading.json_records import NotText
from utils.reading.nested import find_path, join_texts, nested_columns, parse_nested, texts_by_path, value_at
from utils.reading.table_stream import TableStream
from utils.tasks.column_choice import Candidate, Choice

if TYPE_CHECKING:
    import pandas

log = logging.getLogger(__name__)

SAMPLE_ROWS = 1000
MOST_LISTED = 8
Part = tuple[int, list[str]]  # the position of a column, and the keys to follow inside its cells


@dataclass(frozen=True)
class TableColumns:
    """The names of a table's columns, and a function that samples the cells of one, from the same rows for each.

    `nested` are the columns in which the file has lists or objects.
    """

    names: list[str]
    sample: Callable[[str], Sequence[str | None]]
    nested: frozenset[str] = frozenset()

    def candidates(self) -> list[Candidate]:
        """Return the columns; where cells are lists of pieces of one text, these are joined."""
        return [Candidate(name, partial(self._joined, name)) for name in self.names]

    def inside(self) -> list[Candidate]:
        """Return the paths to the values in objects and lists."""
        return [
            Candidate(path, partial(self._cells, name, rows), _values_per_row(rows))
            for name in self.names
            for path, rows in self._texts_inside(name).items()
            if path != name
        ]

    def find_requested(self, requested: str, content: str, *, keeps_lists: bool = False) -> str:
        """Return the column or the path that a user requested, by name or number, for the `content` text or label.

        Raises DataError if there is no such column or path, or only objects and lists are there. With `keeps_lists`, a
        column of lists is used as it is, and nothing is joined.
        """
        name = find_requested_column(self.names, requested) or requested
        values = [value_at(cell, keys) for place, keys in self.parts([name]) for cell in self.sample(self.names[place])]
        filled = [value for value in values if value]
        paths = self.inside()
        inside = [path.name for path in paths if path.cells.kind == "text"]
        if name not in self.names and not filled:
            problem = f"there is no column {requested!r}; the columns are: {', '.join(map(repr, self.names))}"
        elif filled and 2 * sum(isinstance(value, NotText) for value in filled) > len(filled):
            problem = f"column {requested!r} holds objects or lists"
            inside = [path for path in inside if path.startswith((f"{name}.", f"{name}["))] or inside
        else:
            of_name = [path for path in paths if path.name.replace("[]", "") == name.replace("[]", "")]
            if any(path.is_repeated for path in of_name) and not (keeps_lists and name in self.names):
                log.warning("warning: rows have several values in %r, which are joined", requested)
            return name
        if inside:
            more = ", …" if len(inside) > MOST_LISTED else ""
            problem += f"; the texts inside are: {', '.join(map(repr, inside[:MOST_LISTED]))}{more}"
        raise DataError(problem, f"name it with --{content}_column")

    def parts(self, names: Sequence[str]) -> list[Part]:
        """Return the parts with the cells of columns or paths."""
        found = [find_path(self.names, name) for name in names]
        return [(self.names.index(place[0]), place[1]) for place in found if place is not None]

    def has_values(self, name: str) -> bool:
        """Return whether there are values in a column or at a path, other than objects and lists."""
        parts = self.parts([name])
        return any(text_of_row([cell], [(0, keys)]) for place, keys in parts for cell in self.sample(self.names[place]))

    def is_plain(self, name: str) -> bool:
        """Return whether the cells of a column are texts as they are."""
        return name in self.names and name not in self.nested and not self._texts_inside(name)

    def _texts_inside(self, name: str) -> dict[str, dict[int, list[str]]]:
        return texts_by_path(name, self.sample(name), marked=name in self.nested)

    def _joined(self, name: str) -> Sequence[str | None]:
        cells = self.sample(name)
        return [value_at(cell, []) for cell in cells] if name in self._texts_inside(name) else cells

    def _cells(self, name: str, rows: dict[int, list[str]]) -> list[str | None]:
        return [join_texts(rows[row]) if row in rows else None for row in range(len(self.sample(name)))]


def text_of_row(cells: Sequence[str | None], parts: Sequence[Part]) -> str | None:
    """Return the first text in a row's cells where the parts lead; None if there is none."""
    values = (value_at(cells[place], keys) for place, keys in parts)
    return next((value for value in values if value and value.strip() and not isinstance(value, NotText)), None)


def columns_of_frame(frame: "pandas.DataFrame") -> TableColumns:
    """Return the columns of a frame; rows from all over it are the sample."""
    sample = frame.iloc[:: max(1, len(frame) // SAMPLE_ROWS)]
    return TableColumns(list(frame), cache(lambda name: sample[name].fillna("").tolist()), nested_columns(frame))


def columns_of_stream(table: TableStream) -> TableColumns:
    """Return the columns of a table that is read row by row; the first rows are the sample."""
    rows = [cells for _, cells in itertools.islice(table.rows(), SAMPLE_ROWS)]
    names = unique_names(table.columns)
    return TableColumns(names, dict(zip(names, zip(*rows, strict=True), strict=True)).__getitem__, table.nested)


def cells_of_frame(frame: "pandas.DataFrame", columns: TableColumns, choice: Choice) -> "pandas.Series":
    """Return the cells of a chosen column or path."""
    if columns.is_plain(choice.name) and not choice.fillers:
        return frame[choice.name]
    import pandas

    parts = columns.parts([choice.name, *choice.fillers])
    cells = zip(*(frame.iloc[:, place].tolist() for place, _ in parts), strict=True)
    parts = [(number, keys) for number, (_, keys) in enumerate(parts)]
    return pandas.Series([text_of_row(row, parts) for row in cells], index=frame.index, dtype="str")


def with_column(
    table: TableStream, columns: TableColumns, choice: Choice, *, keep_lists: bool = False
) -> tuple[TableStream, int]:
    """Return the table with the chosen column, and its position.

    `keep_lists`: a column of lists, some of none or several values, stays as it is, not one value a line.
    """
    exists = choice.name in columns.names
    position = columns.names.index(choice.name) if exists else len(table.columns)
    if columns.is_plain(choice.name) and not choice.fillers:
        return table, position
    if keep_lists and exists and _holds_several(table, position):
        return table, position
    parts = columns.parts([choice.name, *choice.fillers])

    def rows() -> Iterator[tuple[int, list[str]]]:
        for number, cells in table.rows():
            yield number, [*cells[:position], text_of_row(cells, parts) or "", *cells[position + 1 :]]

    return replace(table, columns=table.columns if exists else [*table.columns, choice.name], rows=rows), position


def _holds_several(table: TableStream, position: int) -> bool:
    values = (parse_nested(cells[position]) for _, cells in table.rows())
    return any(isinstance(value, list) and len(value) != 1 for value in values)


def _values_per_row(rows: dict[int, list[str]]) -> float:
    filled = [number for texts in rows.values() if (number := len(set(filter(str.strip, texts))))]
    return sum(filled) / max(1, len(filled))
