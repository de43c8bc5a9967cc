"""The training state beside the output: what an interrupted run goes on from, and nothing else does.

MERGED: The state of a hyper-parameter search beside the output: what it goes on from, and the table that stays."""

import json
import shutil
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from utils import distributed
from utils.errors import DataError, UsageError, UserError
from utils.files import atomic_write

if TYPE_CHECKING:
    from utils.processed import Processed

ARGUMENTS_FILE = "arguments.json"
CHECKPOINTS = "checkpoint-*"
RUNS = "run-*.*"  # those of --average_runs that are done
LAST_WRITTEN = "trainer_state.json"  # a state without it was not written to its end
PREFIX_CACHE = {"keep_prefix_cache", "prefix_cache", "prefix_cache_gb"}
FREE_TO_CHANGE = PREFIX_CACHE | {
    "config", "data_path", "logging_steps", "output_path", "overwrite", "report_to", "resume",
}  # fmt: skip


def run_state_folder(output_path: Path) -> Path:
    """Where the state of the run that writes `output_path` lies."""
    return output_path.parent / f"{output_path.name}.training"


def check_run_state(folder: Path, resume: bool, overwrite: bool) -> None:
    """Refuse to lose the state that an interrupted run left, to go on from none, and to touch a folder not ours."""
    found = list(folder.iterdir()) if folder.is_dir() else [folder] * folder.exists()
    ours = (CHECKPOINTS, RUNS, ARGUMENTS_FILE)
    if not all(any(entry.match(pattern) for pattern in ours) for entry in found):
        raise UserError(f"{folder} is needed for the training state, and holds other files", "move them elsewhere")
    states = any(entry.match(CHECKPOINTS) or entry.match(RUNS) for entry in found)
    if resume and not states:
        raise UsageError(f"--resume, but there is no saved state in {folder}", "leave --resume away to start anew")
    if states and not resume and not overwrite:
        raise UserError(
            f"an interrupted run left its state in {folder}", "add --resume to go on, or --overwrite to start anew"
        )


def begin_run(folder: Path, arguments: dict, data_sha256: str, resume: bool) -> None:
    """Empty the folder for a new run; or make sure that the run that goes on is the one that was interrupted."""
    decisive = {name: value for name, value in arguments.items() if name not in FREE_TO_CHANGE}
    decisive["data"] = data_sha256
    decisive["processes"] = distributed.world_size()
    if not resume:
        if distributed.is_main_process():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            (folder / ARGUMENTS_FILE).write_text(json.dumps(decisive), encoding="utf-8")
        return
    before = json.loads((folder / ARGUMENTS_FILE).read_text(encoding="utf-8"))
    differing = [name for name, value in decisive.items() if before.get(name) != value]
    if differing:
        was, now = ({name: values.get(name) for name in differing} for values in (before, decisive))
        raise UsageError(
            f"--resume, but this is not the run that was interrupted: it had {was}, and now it is {now}",
            "give the same flags and data, or --overwrite to start anew",
        )


def has_checkpoints(folder: Path) -> bool:
    """Whether a run was interrupted within its steps."""
    return any(folder.glob(CHECKPOINTS))


def clear_checkpoints(folder: Path) -> None:
    """Take away what a run that is done needs no more."""
    for state in folder.glob(CHECKPOINTS):
        shutil.rmtree(state)


def epochs_done(folder: Path) -> float:
    """Those of the newest state that was written to its end; 0 without one."""
    states = [json.loads(path.read_text(encoding="utf-8")) for path in folder.glob(f"{CHECKPOINTS}/{LAST_WRITTEN}")]
    return max((state["epoch"] for state in states), default=0.0)


def keep_whole_checkpoints(folder: Path) -> bool:
    """Drop what was not written to its end, and the folder if nothing is left; whether something is."""
    states = list(folder.glob(CHECKPOINTS))
    whole = [state for state in states if (state / LAST_WRITTEN).is_file()]
    for state in set(states) - set(whole):
        shutil.rmtree(state)
    kept = bool(whole) or any(folder.glob(RUNS))
    if not kept:
        shutil.rmtree(folder, ignore_errors=True)
    return kept


STORAGE_FILE = "study.db"
TABLE_FILE = "search.csv"
SEARCH_FILES = (
    ARGUMENTS_FILE,
    f"{STORAGE_FILE}*",
    TABLE_FILE,
    f".{TABLE_FILE}.*",
)  # SQLite has a journal, a table its .part


def search_folder(output_path: Path) -> Path:
    """Where the trials of a search stand until its model is written."""
    return output_path.parent / f"{output_path.name}.search"


def search_table_path(output_path: Path) -> Path:
    """Where the table of all trials stays: in the model's folder, or beside its one file."""
    if output_path.suffix == ".pt":
        return output_path.with_suffix(f".{TABLE_FILE}")
    return output_path / TABLE_FILE


def check_search(flags: Namespace, data: "Processed", open_flags: Sequence[str]) -> None:
    """Refuse a search with nothing to compare by, with nothing to vary, or where other files would be lost."""
    if len(data.splits["validation"]) == 0:
        raise DataError(
            f"{flags.data_path} has no validation texts, by which --search compares settings", "preprocess more rows"
        )
    if not open_flags:
        raise UsageError("--search, but all flags that it varies are given", "leave away --learning_rate, for one")
    folder, table = search_folder(flags.output_path), search_table_path(flags.output_path)
    found = list(folder.iterdir()) if folder.is_dir() else [folder] * folder.exists()
    if not all(any(entry.match(pattern) for pattern in SEARCH_FILES) for entry in found):
        raise UserError(f"{folder} is needed for the trials, and holds other files", "move them elsewhere")
    if flags.output_path.suffix == ".pt" and table.exists() and not flags.overwrite:
        raise UserError(f"{table} already holds a search", "add --overwrite to replace it, or move it elsewhere")


def begin_search(folder: Path, flags: dict, space: dict, data_sha256: str, overwrite: bool) -> None:
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


def finish_search(output_path: Path) -> None:
    """Put the table where it stays, and remove the rest."""
    folder = search_folder(output_path)
    with atomic_write(search_table_path(output_path)) as file:
        file.write((folder / TABLE_FILE).read_bytes())
    shutil.rmtree(folder)
