"""The state of a hyperparameter search: its trials, and the table of them that its model gets."""

import json
from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path

from utils.errors import DataError, UsageError, UserError
from utils.files import atomic_write
from utils.processed import Processed
from utils.temporary import remove
from utils.training.state.arguments import read_arguments, require_ours, require_same, unchangeable_flags
from utils.training.state.state_files import (
    ARGUMENTS_FILE,
    remove_if_empty,
)

STORAGE_FILE = "study.db"
TABLE_FILE = "search.csv"
SEARCH_FILES = (  # with SQLite's own, and those that are being written; arguments.json is removed last
    *(STORAGE_FILE, f"{STORAGE_FILE}-journal", f"{STORAGE_FILE}-wal", f"{STORAGE_FILE}-shm"),
    *(TABLE_FILE, f".{TABLE_FILE}.*.part", f".{ARGUMENTS_FILE}.*.part", ARGUMENTS_FILE),
)


def search_folder(output_path: Path) -> Path:
    """Return the folder for the trials of a search until its model is written."""
    return output_path.parent / f"{output_path.name}.search"


def has_search(output_path: Path) -> bool:
    """Return whether a search for the run that writes `output_path` has begun."""
    return (search_folder(output_path) / ARGUMENTS_FILE).is_file()


def search_table_path(output_path: Path) -> Path:
    """Return the path of the table of all trials: in the model's folder, or beside its one file."""
    if output_path.suffix == ".pt":
        return output_path.with_suffix(f".{TABLE_FILE}")
    return output_path / TABLE_FILE


def check_search(flags: Namespace, data: Processed, searchable: Sequence[str]) -> None:
    """Raise UserError for a search without validation texts or free flags, or one that would replace other files."""
    if len(data.splits["validation"]) == 0:
        raise DataError(
            f"{flags.data_path} has no validation texts, which --search needs to compare settings",
            "preprocess more rows",
        )
    if not searchable:
        raise UsageError("--search, but every flag that it varies is given", "remove --learning_rate, for one")
    folder = search_folder(flags.output_path)
    found = [path for path in (folder / STORAGE_FILE, folder / TABLE_FILE) if path.exists()]
    require_ours(folder, "trials", {"data", "searched"}, [] if (folder / ARGUMENTS_FILE).exists() else found)
    table = search_table_path(flags.output_path)
    if flags.output_path.suffix == ".pt" and table.exists() and not flags.overwrite:
        raise UserError(f"{table} already has the table of a search", "add --overwrite to replace it, or move it")


def begin_search(folder: Path, flags: Mapping, space: Mapping, data_sha256: str, overwrite: bool) -> None:
    """Check that the search in `folder` is this one, or empty the folder for a new one.

    `flags` are those that all trials share; how many trials there are to be may change. `overwrite` replaces another
    search, but never the same one.
    """
    fixed = unchangeable_flags(flags, data=data_sha256, searched=space)
    del fixed["search"]
    before = read_arguments(folder, fixed)
    if before == fixed:
        return
    if before is not None and not overwrite:
        require_same(before, fixed, f"{folder} has a search with other settings")
    _remove_search(folder)
    with atomic_write(folder / ARGUMENTS_FILE, "w") as file:
        json.dump(fixed, file)


def finish_search(output_path: Path) -> None:
    """Copy the table of all trials to the model, and remove the rest; nothing where that is done already."""
    folder = search_folder(output_path)
    if not (folder / ARGUMENTS_FILE).is_file():
        return
    if (folder / TABLE_FILE).is_file():
        with atomic_write(search_table_path(output_path)) as file:
            file.write((folder / TABLE_FILE).read_bytes())
    _remove_search(folder)


def _remove_search(folder: Path) -> None:
    """Remove the files of a search, and the folder if nothing else is in it."""
    for pattern in SEARCH_FILES if (folder / ARGUMENTS_FILE).is_file() else ():
        for path in list(folder.glob(pattern)):
            remove(path)
    remove_if_empty(folder)
