"""The columns of files of instructions, by role, and their cells."""

import itertools
import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from utils.errors import DataError
from utils.preprocessing.turns import read_turns
from utils.reading.columns import (
    check_not_repeated_in,
    column_key,
    columns_by_source,
    find_columns,
    find_requested_column,
)
from utils.reading.json_records import NotText, as_text
from utils.reading.nested import find_path, parse_nested, value_at
from utils.reading.read_frame import NOT_TEXT, SourceFile
from utils.tasks.alpaca import COLUMNS, EXAMPLE, MEDIA_COLUMNS, VAGUE_INSTRUCTIONS

if TYPE_CHECKING:
    import pandas

log = logging.getLogger(__name__)

EXPECTED = (
    "expected instruction and output (with or without input), prompt and response, question and answer, messages, "
    "or conversations"
)
SAMPLE_CELLS = 50
GOOD, BAD = {"true", "1", "1.0", "yes", "good"}, {"false", "0", "0.0", "-1", "no", "bad"}
NO_MEDIA = {"", "[]", "{}", "false", "0", "none", "nan", "null"}
CHOICES = ("choices", "options")
LETTERS = "ABCDEFGHIJ"
Cells = list[str | None]


def read_columns(
    frame: "pandas.DataFrame", sources: Sequence[SourceFile], requested: Mapping[str, str]
) -> dict[str, list]:
    """Return the cells of each key of COLUMNS, None where a row has none; "bad" and "media" say True or False.

    `requested` names columns, or paths inside of them, for some keys; the others are recognized. What was not a text
    in the file is `NotText`. DataError if a file lacks the columns of instructions, or has two of one name.
    """
    names = list(frame)
    chosen = {key: [_requested_path(names, key, name)] for key, name in requested.items()}
    taken = {find_path(names, path)[0] for paths in chosen.values() for path in paths}
    free = [name for name in names if name not in taken]
    for key, known in COLUMNS.items():
        if key not in requested:
            chosen[key] = find_columns(free, known)
    _leave_out(chosen, requested, frame)
    for key, paths in chosen.items():
        for path in paths:
            check_not_repeated_in(frame, sources, path, f"--columns {key}=", requested.get(key))
    for source, filled in columns_by_source(frame, sources):
        _check(source, filled, chosen)
    like_trl = bool(chosen["messages"]) or "completion" in map(column_key, chosen["output"])
    marks = _marks_of_bad_answers(frame, chosen["label"], "label" in requested, like_trl)
    _log_columns(chosen, names)
    cells = {key: _first_filled(frame, columns) for key, columns in chosen.items() if key != "label"}
    if chosen["instruction"]:
        cells["instruction"] = [cell or "" for cell in cells["instruction"]]  # null is an empty instruction
    if (choices := find_columns(free, CHOICES)) and cells["output"]:
        cells["output"] = _texts_of_choices(cells["output"], _first_filled(frame, choices), choices[0])
    media = _first_filled(frame, find_columns(names, MEDIA_COLUMNS))
    return cells | {"bad": marks, "media": [(cell or "").strip().casefold() not in NO_MEDIA for cell in media]}


def _texts_of_choices(answers: Cells, choices: Cells, column: str) -> Cells:
    """Return the answers; where they are numbers (from 0) or letters of listed choices, the texts of these."""
    texts = list(answers)
    for row, (answer, cell) in enumerate(zip(answers, choices, strict=True)):
        listed = parse_nested(cell) if isinstance(answer, str) and isinstance(cell, str) else None
        if isinstance(listed, list) and all(isinstance(choice, str) for choice in listed) and answer not in listed:
            numbers = {
                name: number for number in range(len(listed)) for name in (str(number), LETTERS[number : number + 1])
            }
            number = numbers.get(answer.strip().upper())
            texts[row] = answer if number is None else listed[number]
    if changed := sum(text is not answer for text, answer in zip(texts, answers, strict=True)):
        log.info(
            "%s answers are numbers or letters of the choices in column %r, whose texts are learned", changed, column
        )
    return texts


def _requested_path(columns: Sequence[str], key: str, name: str) -> str:
    """Return the column, or the path inside of one, that the user asks for."""
    column = find_requested_column(columns, name)
    if column is None and find_path(columns, name) is None:
        problem = f"--columns {key}={name}: there is no column {name!r}"
        raise DataError(f"{problem}; the columns are: {', '.join(map(repr, columns))}", "name one of these columns")
    return column or name


def _leave_out(chosen: dict[str, list[str]], requested: Mapping[str, str], frame: "pandas.DataFrame") -> None:
    """Leave out the columns whose names or cells say less than those of other columns."""
    if "messages" in requested:
        unwanted = {"dialog", "instruction", "input", "output", "chosen", "history"}
    elif requested.keys() & {"instruction", "output", "chosen"}:
        unwanted = {"messages", "dialog"} | ({"chosen"} if "output" in requested else set())
    else:
        unwanted = set()
    for key in unwanted - requested.keys():
        chosen[key] = []
    if "instruction" not in requested:
        clear = [name for name in chosen["instruction"] if column_key(name) not in VAGUE_INSTRUCTIONS]
        if clear or chosen["input"]:
            chosen["instruction"] = clear
    if "messages" not in requested:
        surest = COLUMNS["messages"][:2]
        chosen["messages"] = [
            name for name in chosen["messages"] if column_key(name) in surest or _holds_turns(frame, name, texts=False)
        ]
    if "chosen" not in requested:  # "chosen" can also be the number of the better answer
        chosen["chosen"] = [name for name in chosen["chosen"] if not _all_numbers(frame, name)]
    if chosen["messages"] or chosen["chosen"] or ((chosen["instruction"] or chosen["input"]) and chosen["output"]):
        chosen["dialog"] = []
    chosen["dialog"] = [name for name in chosen["dialog"] if _holds_turns(frame, name, texts=True)]


def _filled_sample(frame: "pandas.DataFrame", column: str) -> list[str]:
    filled = (cell for cell in frame[column] if isinstance(cell, str) and cell.strip())
    return list(itertools.islice(filled, SAMPLE_CELLS))


def _holds_turns(frame: "pandas.DataFrame", column: str, *, texts: bool) -> bool:
    """Return whether more than half of the column's first cells are chats."""
    cells = _filled_sample(frame, column)
    return sum(bool(read_turns(cell, texts=texts)) for cell in cells) > len(cells) / 2


def _all_numbers(frame: "pandas.DataFrame", column: str) -> bool:
    cells = _filled_sample(frame, column)
    return bool(cells) and all(cell.strip().casefold() in GOOD | BAD or cell.strip().isdecimal() for cell in cells)


def _check(source: SourceFile, filled: Sequence[str], chosen: Mapping[str, Sequence[str]]) -> None:
    """Raise DataError if the columns that a source fills hold no instructions with answers."""
    names = set(filled)
    has = {key: any(find_path(filled, path) for path in paths) for key, paths in chosen.items()}
    if has["messages"] or has["dialog"] or has["chosen"]:
        return
    if (has["instruction"] or has["input"]) and has["output"]:
        return
    problem = f"{source.path} has no columns of instructions and answers; the columns are: "
    problem += f"{', '.join(map(repr, filled))}; {EXPECTED}"
    keys = {column_key(name) for name in names}
    if keys & {"role", "speaker", "author"} and keys & {"content", "text", "message"}:
        raise DataError(
            f"{problem}. It seems to have one message in each row",
            'write every conversation as one row: {"messages": [{"role": "user", "content": "…"}, …]}',
        )
    raise DataError(problem, f"give the columns these names, or name your own: {EXAMPLE}")


def _marks_of_bad_answers(
    frame: "pandas.DataFrame", columns: Sequence[str], requested: bool, like_trl: bool
) -> list[bool]:
    """Return whether each row's answer is marked as a bad one.

    "label" counts where it is true or false alone; 0 and 1 may as well be classes, so that they count in files like
    TRL's, for `kto_tag`, or where the user names the column.
    """
    known = {"true", "false", "0", "1"} if like_trl else {"true", "false"}
    bad = [False] * len(frame)
    for column in columns:
        cells = [cell.strip().casefold() if isinstance(cell, str) else "" for cell in _cells(frame, column)]
        values = set(cells) - {""}
        sure = requested or column_key(column) == "kto_tag" or values <= known
        if not values or not values <= GOOD | BAD:
            if requested:
                problem = f"column {column!r} holds {', '.join(map(repr, sorted(values - GOOD - BAD)[:3]))}"
                raise DataError(f"{problem}; expected true and false", "--columns label=COLUMN marks bad answers")
            continue
        if not sure:
            log.warning(
                "warning: column %r is not used; if it is 0 where the answer is bad: --columns label=%s", column, column
            )
            continue
        log.info("column %r marks the bad answers", column)
        bad = [earlier or cell in BAD for earlier, cell in zip(bad, cells, strict=True)]
    return bad


def _log_columns(chosen: Mapping[str, Sequence[str]], columns: Sequence[str]) -> None:
    """Log the columns by role, and the unused ones."""
    shown = [f"{key} in {' or '.join(map(repr, paths))}" for key, paths in chosen.items() if paths and key != "label"]
    used = {find_path(columns, path)[0] for paths in chosen.values() for path in paths}
    unused = [column for column in columns if column not in used]
    rest = f"; not used: {', '.join(map(repr, unused[:10]))}{', …' if len(unused) > 10 else ''}" if unused else ""
    log.info("the columns: %s%s", ", ".join(shown), rest)


def _first_filled(frame: "pandas.DataFrame", columns: Sequence[str]) -> Cells:
    """Return each row's first filled cell of the columns; "" or None where all are empty."""
    cells: Cells = [None] * len(frame)
    for column in columns:
        for row, cell in enumerate(_cells(frame, column)):
            if cell is not None and not (cells[row] or "").strip():
                cells[row] = cell
    return cells


def _cells(frame: "pandas.DataFrame", path: str) -> Cells:
    """Return the cells of a column, or the values at a path inside of it."""
    name, keys = find_path(list(frame), path)
    cells = [cell if isinstance(cell, str) else None for cell in frame[name].tolist()]
    if keys:
        return [_inside(cell, keys) for cell in cells]
    marks = frame.attrs.get(NOT_TEXT, {}).get(name)
    if marks is None:
        return cells
    return [NotText(cell) if mark and cell is not None else cell for cell, mark in zip(cells, marks, strict=True)]


def _inside(cell: str | None, keys: Sequence[str]) -> str | None:
    """Return the value where the keys lead, lists of turns included, which `value_at` would take apart."""
    value = None if cell is None else parse_nested(cell)
    for key in keys:
        if isinstance(value, list) and len(value) == 1:
            [value] = value
        if not isinstance(value, dict):
            return value_at(cell, keys)
        value = next((inside for name, inside in value.items() if column_key(str(name)) == column_key(key)), None)
    return as_text(value)
