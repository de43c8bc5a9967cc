"""Read files, in the formats that people have, into one pandas frame in which every cell is text.

Open `read_frame` first; `files_of` lists the files at a path.
"""

import ast
import contextlib
import difflib
import hashlib
import itertools
import logging
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from utils.errors import DataError
from utils.reading.columns import REPEATED, column_key, repeated_names, unique_names
from utils.reading.compressed import (
    OPENERS,
    STDIN,
    TEXT_FORMATS,
    check_unchanged,
    compression,
    on_disk,
    state_of,
    table_in_zip,
)
from utils.reading.csv_rows import DELIMITED_FORMATS, open_delimited
from utils.reading.encodings import open_bytes, to_utf8, unreadable
from utils.reading.hub_datasets import is_hub_path, read_hub_dataset
from utils.reading.json_records import NotText, as_text, read_json, read_json_lines
from utils.reading.kind_of_stdin import kind_of_stdin
from utils.reading.mastodon_posts import has_mastodon_columns, mastodon_columns
from utils.reading.parquet import read_parquet
from utils.reading.x_archive import is_x_archive, read_x_archive
from utils.terminal.progress import progress_bar

log = logging.getLogger(__name__)

SUPPORTED = f"{', '.join(TEXT_FORMATS)} (also with {', '.join(OPENERS)}), .parquet, a .zip with one of these"
NOT_TEXT = "not_text"  # the key in a frame's attrs
ROWS_AT_ONCE = 50_000
BYTES_LITERAL = re.compile(r"""b'(?:[^'\\]|\\.)*'|b"(?:[^"\\]|\\.)*\"""")


@dataclass(frozen=True)
class SourceFile:
    """One file that was read; `sha256` is of its bytes on disk, before any decompression."""

    path: str
    sha256: str
    rows: int
    encoding: str


def read_frame(paths: Sequence[str | Path], *, header: bool = True, hub_split: str = "train"):
    """Read every row of every file; return a pandas frame of text, and one SourceFile per file.

    A path is a file; a folder, whose supported files are read in order of their names; an X archive; or hf:// and a
    dataset of the Hub, whose split `hub_split` is read. Posts in Mastodon's own form become plain rows. Columns
    of several files are matched by name regardless of case and blanks. Nothing is converted: numbers, "NA" and "null"
    are the text that the file has; None/NaN means JSON's and Parquet's null and a column that a row's file
    lacks, "" for an empty cell. Nested JSON stays JSON text; `frame.attrs[NOT_TEXT]` says where: {column: bytes, one
    per row, 1 for what was a list, an object, true or false}, of the columns that have any; `frame.attrs[REPEATED]`,
    which columns a file names alike (`repeated_names`). Without `header`, the first line of CSV and TSV is data and the
    columns are "0", "1", …. Raises DataError if a file is missing, damaged or without a row.
    """
    frames, sources = [], []
    for file in [file for path in paths for file in files_of(path)]:
        if is_hub_path(file):
            columns, sha256 = read_hub_dataset(file, hub_split)
            frame, name, encoding = _frame_of_columns(columns), f"{file} ({hub_split})", "utf-8"
        elif is_x_archive(Path(file)):
            columns, sha256, name = read_x_archive(Path(file))
            frame, encoding = _frame_of_columns(columns), "utf-8"
        else:
            state = state_of(file)
            frame, encoding = _read_file(file, header)
            name = f"{file}: {table_in_zip(file)}" if compression(file) == ".zip" else file
            try:
                with on_disk(file).open("rb") as opened:
                    sha256 = hashlib.file_digest(opened, "sha256").hexdigest()
            except OSError as error:  # it was there a moment ago
                raise unreadable(file, error) from error
            check_unchanged(file, state)
        frames.append(frame)
        sources.append(SourceFile(name, sha256, len(frame), encoding))
    return _union(frames), sources


def files_of(path: str | Path) -> list[str]:
    """Return the files at a typed path: the supported ones of a folder, by name; an X archive is one.

    "-" means stdin. A folder's .zip files are skipped, because their contents are often beside them.
    """
    typed, path = str(path), Path(path)
    if typed == "-":
        return [STDIN]
    if is_hub_path(typed) or is_x_archive(path):
        return [typed]
    try:
        if not path.is_dir():
            path.stat()
            return [typed]
        files = sorted(file for file in path.iterdir() if not file.name.startswith("."))
    except FileNotFoundError as error:
        raise _missing(path) from error
    except OSError as error:
        raise unreadable(typed, error) from error
    supported = [file for file in files if file.is_file() and file.suffix.lower() != ".zip" and format_of(file)]
    if skipped := [file.name for file in files if file not in supported]:
        log.warning("%s: skipped %s; supported are %s", typed, ", ".join(skipped), SUPPORTED)
    if not supported:
        raise DataError(f"the folder {typed} holds no supported file", f"supported are {SUPPORTED}")
    return [str(file) for file in supported]


def format_of(path: Path) -> str | None:
    """Return the ending that says how a file is written, in lower case and without .gz; None if it is not supported.

    A .zip file has the ending of the one file in it; stdin has that which suits its content.
    """
    if str(path) in ("-", STDIN):
        return kind_of_stdin()
    name = path.name.lower()
    ending = path.suffix.lower()
    if ending == ".zip":
        name = (table_in_zip(str(path)) or "").lower()
    elif ending in OPENERS:
        name = name.removesuffix(ending)
    ending = Path(name).suffix
    return (
        ending if ending in TEXT_FORMATS or (ending == ".parquet" and compression(str(path)) in ("", ".zip")) else None
    )


def _missing(path: Path) -> DataError:
    try:
        near = difflib.get_close_matches(path.name, [file.name for file in path.parent.iterdir()])
    except OSError:
        return DataError(f"{path} does not exist, nor does its folder", "check the path")
    hint = f"did you mean {' or '.join(str(path.parent / name) for name in near)}?" if near else "check the path"
    return DataError(f"{path} does not exist", hint)


def _read_file(path: str, header: bool) -> tuple:
    """Return the frame of a file in one of the supported formats, and the name of its encoding."""
    kind = format_of(Path(path))
    if kind is None:
        raise DataError(f"{path}: files of this kind are not supported", f"supported are {SUPPORTED}")
    if kind in DELIMITED_FORMATS:
        frame, encoding = _read_delimited(path, kind, header)
    else:
        with open_bytes(path) as file:
            data = file.read()
        text, encoding = (data, "utf-8") if kind == ".parquet" else to_utf8(data, path)
        if not text.strip():
            raise DataError(f"{path} is empty", "check how the file was made; it must hold at least one row")
        columns = {".json": read_json, ".parquet": read_parquet}.get(kind, read_json_lines)(text, path)
        frame = _frame_of_columns(mastodon_columns(columns) if has_mastodon_columns(columns) else columns)
    if frame.empty:
        raise DataError(f"{path} holds no rows", "check how the file was made; column names alone are not enough")
    return _decode_bytes_literals(frame, path), encoding


def _read_delimited(path: str, kind: str, header: bool) -> tuple:
    import pandas as pd
    import pyarrow as pa

    table = open_delimited(path, kind, header)
    names = unique_names(table.columns)
    rows, line_end = table.rows(report=True), "\r" if table.text.newline == "\r" else "\r\n"
    frames = []
    with progress_bar("reading") as bar:
        # Piece by piece, since pandas keeps texts in a fraction of the memory that Python's strings take.
        while piece := [cells for _, cells in itertools.islice(rows, ROWS_AT_ONCE)]:
            columns = ([cell.replace(line_end, "\n") for cell in column] for column in zip(*piece, strict=True))
            columns = (pd.array(pa.array(column, pa.large_string()), dtype="str") for column in columns)
            frames.append(pd.DataFrame(dict(zip(names, columns, strict=True))))
            bar.update(len(piece))
    if not frames:
        return pd.DataFrame(), ""
    frame = pd.concat(frames, ignore_index=True)
    first = frame.iloc[:, 0].tolist()
    if not table.columns[0].strip() and all(cell == str(row) for row, cell in enumerate(first, int(first[0] == "1"))):
        frame = frame.iloc[:, 1:]  # a running index, which pandas wrote
    frame.attrs[REPEATED] = repeated_names(table.columns)
    return frame, str(table.text.encoding)


def _frame_of_columns(columns: dict[str, list[str | None]]):
    import pandas as pd

    names = [as_text(column) for column in columns]
    by_name = dict(zip(unique_names(names), columns.values(), strict=True))
    frame = pd.DataFrame(by_name, dtype="str")
    marks = {name: bytes(isinstance(cell, NotText) for cell in cells) for name, cells in by_name.items()}
    # As bytes, since pandas copies attrs deeply with every column taken: it takes them as they are.
    frame.attrs[NOT_TEXT] = {name: mark for name, mark in marks.items() if any(mark)}
    frame.attrs[REPEATED] = repeated_names(names)
    return frame


def _decode_bytes_literals(frame, name: str):
    """Return `frame` with columns of Python bytes literals, such as b'caf\\xc3\\xa9', decoded into texts."""
    for column in frame.columns:
        literal = frame[column].str.startswith(("b'", 'b"'), na=False)
        if literal.mean() < 0.9:
            continue
        cells = frame[column].tolist()
        decoded = list(map(_literal_text, cells))
        count = len(cells) - decoded.count(None)
        log.warning("%s: column %s: %d of %d cells are Python bytes literals, decoded", name, column, count, len(cells))
        frame[column] = [cell if text is None else text for cell, text in zip(cells, decoded, strict=True)]
    return frame


def _literal_text(cell: str) -> str | None:
    if isinstance(cell, str) and BYTES_LITERAL.fullmatch(cell):
        with warnings.catch_warnings(), contextlib.suppress(SyntaxError):
            warnings.simplefilter("ignore")  # of a backslash that starts no escape
            return ast.literal_eval(cell).decode("utf-8", errors="replace")
    return None


def _union(frames: list):
    import pandas as pd

    spelling: dict[str, str] = {}
    repeated: dict[str, str] = {}
    marks = []
    for frame in frames:
        marked, shared = frame.attrs.pop(NOT_TEXT, {}), frame.attrs.pop(REPEATED, {})
        frame.columns = [spelling.setdefault(column_key(column), column) for column in frame.columns]
        repeated |= {spelling[column_key(column)]: name for column, name in shared.items()}
        marks.append({spelling[column_key(column)]: mark for column, mark in marked.items()})
    union = frames[0] if len(frames) == 1 else pd.concat(frames, ignore_index=True)
    union.attrs[REPEATED] = repeated
    union.attrs[NOT_TEXT] = {
        column: b"".join(mark.get(column, bytes(len(frame))) for frame, mark in zip(frames, marks, strict=True))
        for column in dict.fromkeys(column for mark in marks for column in mark)
    }
    return union
