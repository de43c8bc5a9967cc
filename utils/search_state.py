"""The state of a hyper-parameter search beside the output: what it goes on from, and the table that stays."""

import json
import shutil
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from utils.errors import DataError, UsageError, UserError
from utils.files import atomic_write
from utils.training_state import ARGUMENTS_FILE, FREE_TO_CHANGE

if TYPE_CHECKING:
    from utils.store import Processed

STORAGE_FILE = "study.db"
TABLE_FILE = "search.csv"
FILES = (ARGUMENTS_FILE, f"{STORAGE_FILE}*", TABLE_FILE, f".{TABLE_FILE}.*")  # SQLite has a journal, a table its .part


def folder_beside(output_path: Path) -> Path:
    """Where the trials of a search stand until its model is written."""
    return output_path.parent / f"{output_path.name}.search"


def table_of(output_path: Path) -> Path:
    """Where the table of all trials stays: in the model's folder, or beside its one file."""
    if output_path.suffix == ".pt":
        return output_path.with_suffix(f".{TABLE_FILE}")
    return output_path / TABLE_FILE


def check(flags: Namespace, data: "Processed", open_flags: Sequence[str]) -> None:
    """Refuse a search with nothing to compare by, with nothing to vary, or where other files would be lost."""
    if len(data.splits["validation"]) == 0:
        raise DataError(
            f"{flags.data_path} has no validation texts, by which --search compares settings", "preprocess more rows"
        )
    if not open_flags:
        raise UsageError("--search, but all flags that it varies are given", "leave away --learning_rate, for one")
    folder, table = folder_beside(flags.output_path), table_of(flags.output_path)
    found = list(folder.iterdir()) if folder.is_dir() else [folder] * folder.exists()
    if not all(any(entry.match(pattern) for pattern in FILES) for entry in found):
        raise UserError(f"{folder} is needed for the trials, and holds other files", "move them elsewhere")
    if flags.output_path.suffix == ".pt" and table.exists() and not flags.overwrite:
        raise UserError(f"{table} already holds a search", "add --overwrite to replace it, or move it elsewhere")


def begin(folder: Path, flags: dict, space: dict, data_sha256: str, overwrite: bool) -> None:
    """Make sure that the search to go on with is this one; or an empty folder for a new one.

    `flags` are those that hold for all trials. A search that is the same goes on even with `overwrite`.
    """
    decisive = {name: value for name, value in flags.items() if name not in FREE_TO_CHANGE | {"search"}}
    decisive = json.loads(json.dumps(decisive | {"data": data_sha256, "searched": space}))
    path = folder / ARGUMENTS_FILE
    before = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
    if before == decisive:
        return
    if before is not None and not overwrite:
        differing = [name for name in before | decisive if before.get(name) != decisive.get(name)]
        was, now = ({name: values.get(name) for name in differing} for values in (before, decisive))
        raise UsageError(
            f"the search in {folder} is another one: it had {was}, and now it is {now}",
            "give the same flags and data to go on with it, or --overwrite to start anew",
        )
    shutil.rmtree(folder, ignore_errors=True)
    with atomic_write(path, "w") as file:
        json.dump(decisive, file)


def finish(output_path: Path) -> None:
    """Put the table where it stays, and remove the rest."""
    folder = folder_beside(output_path)
    with atomic_write(table_of(output_path)) as file:
        file.write((folder / TABLE_FILE).read_bytes())
    shutil.rmtree(folder)
