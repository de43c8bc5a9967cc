"""The state beside the output from which an interrupted run or search continues, and the checks before it does.

A run keeps its checkpoints in OUTPUT.training, a search its trials in OUTPUT.search. Each folder also has the flags and
the data's hash in arguments.json, so that nothing else continues there. Both folders are removed at the end.
"""

import contextlib
import json
import shutil
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from utils import distributed
from utils.errors import DataError, UsageError, UserError
from utils.files import atomic_write
from utils.processed import Processed
from utils.training.saved_states import CHECKPOINTS, LAST_WRITTEN, newest_whole_checkpoint

ARGUMENTS_FILE = "arguments.json"
RENAMED_FLAGS = {"average_runs": "model_soup"}  # old name → new, in the states that earlier versions wrote
ADDED_FLAGS = {
    "lr_scheduler_type": "linear",
    "eval_strategy": None,
    "eval_on_start": None,
}  # and what runs did before
FREE_TO_CHANGE = {"config", "data_path", "logging_steps", "output_path", "overwrite", "report_to", "resume"}
FREE_TO_CHANGE |= {"keep_prefix_cache", "prefix_cache", "prefix_cache_gb"}

SOUP_RUNS = "run-*.*"  # the weights of the finished runs of --model_soup

STORAGE_FILE = "study.db"
TABLE_FILE = "search.csv"
# With SQLite's journal, and with the table while it is being written.
SEARCH_FILES = (ARGUMENTS_FILE, f"{STORAGE_FILE}*", TABLE_FILE, f".{TABLE_FILE}.*")


# ---- a training run


def run_state_folder(output_path: Path) -> Path:
    """Return the folder for the checkpoints of the run that writes `output_path`."""
    return output_path.parent / f"{output_path.name}.training"


def check_run_state(folder: Path, resume: bool, overwrite: bool) -> None:
    """Raise UserError if starting would lose an interrupted run or files not ours, or there is nothing to resume."""
    _require_no_other_files(folder, (CHECKPOINTS, SOUP_RUNS, ARGUMENTS_FILE), "training state")
    interrupted = has_checkpoints(folder) or any(folder.glob(SOUP_RUNS))
    if resume and not interrupted:
        raise UsageError(f"--resume, but there is no saved state in {folder}", "remove --resume to start from scratch")
    if interrupted and not resume and not overwrite:
        raise UserError(
            f"an interrupted run left its state in {folder}",
            "add --resume to continue it, or --overwrite to start from scratch",
        )


def resumes_from(resume: bool | str, folder: Path) -> bool:
    """Return whether to resume. UsageError where --resume_from_checkpoint names another state than the newest one."""
    if isinstance(resume, bool):
        return resume
    steps = {int(path.name.rpartition("-")[2]): path for path in folder.glob(CHECKPOINTS)}
    newest = steps[max(steps)] if steps else folder
    if Path(resume).resolve() not in (folder.resolve(), newest.resolve()):
        raise UsageError(
            f"--resume_from_checkpoint {resume}, but a run continues from the newest state in {folder}",
            f"use --resume, which continues from {newest}" if steps else "name the --output_path that was interrupted",
        )
    return True


def begin_run(folder: Path, flags: Mapping, data_sha256: str, resume: bool) -> None:
    """Empty `folder` for a new run, or check that the run to resume has the same flags, data and processes.

    UserError if it has not, or if no state is whole.
    """
    fixed = _unchangeable_flags(flags, data=data_sha256, processes=distributed.world_size())
    if resume:
        _require_same(
            _read_arguments(folder, fixed) or {}, fixed, "--resume, but this is not the run that was interrupted"
        )
        if has_checkpoints(folder):
            newest_whole_checkpoint(folder)
    elif distributed.is_main_process():
        shutil.rmtree(folder, ignore_errors=True)
        with atomic_write(folder / ARGUMENTS_FILE, "w") as file:
            json.dump(fixed, file)


def has_checkpoints(folder: Path) -> bool:
    """Whether a run was interrupted between its first and last step."""
    return any(folder.glob(CHECKPOINTS))


def remove_checkpoints(folder: Path) -> None:
    """Remove the checkpoints of a run that is finished."""
    for checkpoint in folder.glob(CHECKPOINTS):
        shutil.rmtree(checkpoint)


def completed_epochs(folder: Path) -> float:
    """Return the epochs of the newest checkpoint; 0 without one."""
    states = [json.loads(path.read_text(encoding="utf-8")) for path in folder.glob(f"{CHECKPOINTS}/{LAST_WRITTEN}")]
    return max((state["epoch"] for state in states), default=0.0)


def keep_complete_checkpoints(folder: Path) -> bool:
    """Remove incomplete checkpoints, and the folder if nothing is left; return whether the run can be resumed."""
    for checkpoint in list(folder.glob(CHECKPOINTS)):
        if not (checkpoint / LAST_WRITTEN).is_file():
            shutil.rmtree(checkpoint)
    resumable = has_checkpoints(folder) or any(folder.glob(SOUP_RUNS))
    if not resumable:
        shutil.rmtree(folder, ignore_errors=True)
    return resumable


@contextlib.contextmanager
def explain_state_errors(folder: Path) -> Iterator[None]:
    """Turn the errors of reading and writing the training state (a full disk) into UserError."""
    from safetensors import SafetensorError

    try:
        yield
    except (OSError, RuntimeError, SafetensorError) as error:
        if isinstance(error, RuntimeError) and "inline_container" not in str(error):  # torch.save's writer
            raise
        reason = str(error).partition("\n")[0]
        raise UserError(
            f"the training state in {folder} cannot be written or read: {reason}",
            "free some space or choose another --output_path; --overwrite starts from scratch",
        ) from error


# ---- a hyperparameter search


def search_folder(output_path: Path) -> Path:
    """Return the folder for the trials of a search until its model is written."""
    return output_path.parent / f"{output_path.name}.search"


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
    _require_no_other_files(search_folder(flags.output_path), SEARCH_FILES, "trials")
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
    shutil.rmtree(folder, ignore_errors=True)
    with atomic_write(folder / ARGUMENTS_FILE, "w") as file:
        json.dump(fixed, file)


def finish_search(output_path: Path) -> None:
    """Move the table of all trials to the model, and remove the rest."""
    folder = search_folder(output_path)
    with atomic_write(search_table_path(output_path)) as file:
        file.write((folder / TABLE_FILE).read_bytes())
    shutil.rmtree(folder)


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
    try:
        saved = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        saved = None
    if not isinstance(saved, dict):
        raise UserError(f"{path} is damaged", f"restore it, or remove {folder} to start from scratch")
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


def _require_no_other_files(folder: Path, ours: Sequence[str], purpose: str) -> None:
    entries = list(folder.iterdir()) if folder.is_dir() else [folder] * folder.exists()
    if not all(any(entry.match(pattern) for pattern in ours) for entry in entries):
        raise UserError(f"{folder} is needed for the {purpose}, but has other files in it", "move them elsewhere")
