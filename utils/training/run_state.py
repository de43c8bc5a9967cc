"""The state beside the output from which an interrupted run or search continues, and the checks before it does.

A run keeps its checkpoints in OUTPUT.training, a search its trials in OUTPUT.search. Each folder also has the flags and
the data's hash in arguments.json, so that nothing else continues there. Both folders are removed at the end.
"""

import contextlib
import json
import uuid
from argparse import Namespace
from collections.abc import Collection, Iterator, Mapping, Sequence, Set
from pathlib import Path

from utils import distributed
from utils.errors import DataError, UsageError, UserError
from utils.files import atomic_write
from utils.processed import Processed
from utils.system_errors import as_os_errors
from utils.temporary import remove
from utils.training.saved_states import newest_whole_checkpoint
from utils.training.state_files import (
    ARGUMENTS_FILE,
    RUN_ID,
    SAVED_FILE,
    checkpoints,
    foreign_checkpoints,
    is_complete,
    read_object,
    remove_checkpoint,
    remove_if_empty,
    remove_run_state,
    soup_files,
)

RENAMED_FLAGS = {"average_runs": "model_soup"}  # old name → new, in the states that earlier versions wrote
ADDED_FLAGS = {
    "lr_scheduler_type": "linear",
    "eval_strategy": None,
    "eval_on_start": None,
}  # and what runs did before
FREE_TO_CHANGE = {"config", "data_path", "logging_steps", "output_path", "overwrite", "report_to", "resume"}
FREE_TO_CHANGE |= {"keep_prefix_cache", "prefix_cache", "prefix_cache_gb"}

STORAGE_FILE = "study.db"
TABLE_FILE = "search.csv"
SEARCH_FILES = (  # with SQLite's own, and those that are being written; arguments.json is removed last
    *(STORAGE_FILE, f"{STORAGE_FILE}-journal", f"{STORAGE_FILE}-wal", f"{STORAGE_FILE}-shm"),
    *(TABLE_FILE, f".{TABLE_FILE}.*.part", f".{ARGUMENTS_FILE}.*.part", ARGUMENTS_FILE),
)


# ---- a training run


def run_state_folder(output_path: Path) -> Path:
    """Return the folder for the checkpoints of the run that writes `output_path`."""
    return output_path.parent / f"{output_path.name}.training"


def check_run_state(folder: Path, resume: bool, overwrite: bool, complete: Path | None = None) -> None:
    """Raise UserError if starting would lose an interrupted run or other files, or there is nothing to resume.

    `complete` is the output, if a model is there.
    """
    _require_ours(folder, "training state", {"data", "processes"}, foreign_checkpoints(folder))
    interrupted = is_interrupted(folder)
    if resume and not interrupted and complete:
        problem = f"--resume, but there is no saved state in {folder}, and a model in {complete}"
        raise UsageError(problem, "use it; to train another one, replace --resume with --overwrite")
    if resume and not interrupted:
        raise no_saved_state(folder)
    if interrupted and not resume and not overwrite:
        raise UserError(
            f"an interrupted run left its state in {folder}",
            "add --resume to continue it, or --overwrite to start from scratch",
        )


def no_saved_state(folder: Path) -> UsageError:
    """Return the error where there is nothing to resume."""
    return UsageError(f"--resume, but there is no saved state in {folder}", "remove --resume to start from scratch")


def resumes_from(resume: bool | str, folder: Path) -> bool:
    """Return whether to resume. UsageError where --resume_from_checkpoint names another state than the newest one."""
    if isinstance(resume, bool):
        return resume
    found = checkpoints(folder)
    newest = found[-1] if found else folder
    if Path(resume).resolve() not in (folder.resolve(), newest.resolve()):
        raise UsageError(
            f"--resume_from_checkpoint {resume}, but a run continues from the newest state in {folder}",
            f"use --resume, which continues from {newest}"
            if newest != folder
            else "name the --output_path that was interrupted",
        )
    return True


def begin_run(folder: Path, flags: Mapping, data_sha256: str, resume: bool) -> None:
    """Empty `folder` for a new run, or check that the run to resume has the same flags, data and processes.

    UserError if it has not, or if no state is whole.
    """
    fixed = _unchangeable_flags(flags, data=data_sha256, processes=distributed.world_size())
    if resume:
        check_same_run(folder, flags, data_sha256)
        if checkpoints(folder) and not soup_files(folder):  # a soup removes those of its finished runs first
            newest_whole_checkpoint(folder)
    elif distributed.is_main_process():
        remove_run_state(folder)
        if is_interrupted(folder):
            raise UserError(f"the earlier run's state in {folder} cannot be removed", "remove it, and start again")
        with atomic_write(folder / ARGUMENTS_FILE, "w") as file:
            json.dump(fixed | {RUN_ID: uuid.uuid4().hex}, file)


def check_same_run(folder: Path, flags: Mapping, data_sha256: str, but: Collection[str] = ()) -> None:
    """Raise UsageError where the run in `folder` had other flags, data or processes; `but` are not compared."""
    fixed = _unchangeable_flags(flags, data=data_sha256, processes=distributed.world_size())
    saved = _read_arguments(folder, fixed) or {}
    now, before = ({name: each[name] for name in each if name not in {RUN_ID, *but}} for each in (fixed, saved))
    _require_same(before, now, "--resume, but this is not the run that was interrupted")


def is_interrupted(folder: Path) -> bool:
    """Whether a run was interrupted after its first saved state, also after it has saved its model."""
    return is_resumable(folder) or (folder / SAVED_FILE).is_file()


def is_resumable(folder: Path) -> bool:
    """Whether there is a state to train on from: a checkpoint, or a finished run of a soup."""
    return any(map(is_complete, checkpoints(folder))) or bool(soup_files(folder))


def keep_complete_checkpoints(folder: Path) -> bool:
    """Remove incomplete checkpoints, and the state if nothing is left; return whether the run can be resumed."""
    for checkpoint in checkpoints(folder):
        if not is_complete(checkpoint):
            remove_checkpoint(checkpoint)
    resumable = is_interrupted(folder)
    if not resumable:
        remove_run_state(folder)
    return resumable


def record_saving(folder: Path, record: dict, history: list[dict]) -> None:
    """Note which model the run is about to write: if it is killed then, --resume finds it done or writes it again."""
    with atomic_write(folder / SAVED_FILE, "w") as file:
        json.dump({"run": record, "log": history}, file)


def read_saving(folder: Path) -> tuple[dict, list[dict]] | None:
    """Return (run.json's content, the log) of the model that an interrupted run was about to write, if it was."""
    saved = read_object(folder / SAVED_FILE) or {}
    return (saved["run"], saved["log"]) if saved.keys() >= {"run", "log"} else None


@contextlib.contextmanager
def explain_state_errors(folder: Path) -> Iterator[None]:
    """Turn the errors of reading and writing the training state (a full disk) into UserError."""
    from safetensors import SafetensorError

    try:
        with as_os_errors():
            yield
    except (OSError, SafetensorError) as error:
        reason = str(error).partition("\n")[0]
        raise UserError(
            f"the training state in {folder} cannot be written or read: {reason}",
            "free some space or choose another --output_path; --overwrite starts from scratch",
        ) from error


# ---- a hyperparameter search


def search_folder(output_path: Path) -> Path:
    """Return the folder for the trials of a search until its model is written."""
    return output_path.parent / f"{output_path.name}.search"


def has_search(output_path: Path) -> bool:
    """Whether a search for the run that writes `output_path` has begun."""
    return (search_folder(output_path) / ARGUMENTS_FILE).is_file()


def search_table_path(output_path: Path) -> Path:
    """Return where the table of all trials is kept: in the model's folder, or beside its one file."""
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
    _require_ours(folder, "trials", {"data", "searched"}, [] if (folder / ARGUMENTS_FILE).exists() else found)
    table = search_table_path(flags.output_path)
    if flags.output_path.suffix == ".pt" and table.exists() and not flags.overwrite:
        raise UserError(f"{table} already has the table of a search", "add --overwrite to replace it, or move it")


def begin_search(folder: Path, flags: Mapping, space: Mapping, data_sha256: str, overwrite: bool) -> None:
    """Check that the search in `folder` is this one, or empty the folder for a new one.

    `flags` are those that all trials share; how many trials there are to be may change. `overwrite` replaces another
    search, but never the same one.
    """
    fixed = _unchangeable_flags(flags, data=data_sha256, searched=space)
    del fixed["search"]
    before = _read_arguments(folder, fixed)
    if before == fixed:
        return
    if before is not None and not overwrite:
        _require_same(before, fixed, f"{folder} has a search with other settings")
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


# ---- both


def _unchangeable_flags(flags: Mapping, **further: object) -> dict:
    """What must not change between an interruption and what continues, after a round trip through JSON."""
    fixed = {name: value for name, value in flags.items() if name not in FREE_TO_CHANGE}
    return json.loads(json.dumps(fixed | further))


def _read_arguments(folder: Path, now: Mapping) -> dict | None:
    """Return the saved flags, with what earlier versions did where they lack one that there is `now`."""
    path = folder / ARGUMENTS_FILE
    if not path.is_file():
        return None
    saved = _open_arguments(path)
    added = {name: value for name, value in ADDED_FLAGS.items() if name in now}
    return added | {RENAMED_FLAGS.get(name, name): value for name, value in saved.items()}


def _require_same(before: dict, now: dict, problem: str) -> None:
    differing = [name for name in before | now if before.get(name) != now.get(name)]
    if differing:
        old, new = ({name: values.get(name) for name in differing} for values in (before, now))
        raise UsageError(
            f"{problem}: it had {old}, and now there is {new}",
            "give the same flags and data to continue it, or --overwrite to start from scratch",
        )


def _require_ours(folder: Path, purpose: str, fields: Set[str], foreign: Sequence[Path]) -> None:
    """Raise UserError where `folder` is no folder or another program's, or has `foreign` files by the names of ours."""
    path, hint = folder / ARGUMENTS_FILE, "move it elsewhere, or choose another --output_path"
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is needed for the {purpose}, but is a file", hint)
    if path.exists() and not fields <= _open_arguments(path).keys():
        raise UserError(f"{path} is not fine_tune.py's, and {folder} is needed for the {purpose}", hint)
    if foreign:
        raise UserError(f"{foreign[0]} is in the place of the {purpose}, but not of this run", hint)


def _open_arguments(path: Path) -> dict:
    """Return arguments.json's content. UserError where it is damaged."""
    if (arguments := read_object(path)) is None:
        raise UserError(f"{path} is damaged", f"restore it, or remove {path.parent} to start from scratch")
    return arguments
