"""The state of a training run: the checks before it starts or continues, and the cleanup when it ends."""

import contextlib
import json
import uuid
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from utils import distributed
from utils.errors import UsageError, UserError
from utils.files import atomic_write
from utils.system_errors import as_os_errors
from utils.training.state.arguments import (
    read_arguments,
    require_ours,
    require_same,
    unchangeable_flags,
)
from utils.training.state.saved_states import newest_whole_checkpoint
from utils.training.state.state_files import (
    ARGUMENTS_FILE,
    RUN_ID,
    SAVED_FILE,
    checkpoints,
    foreign_states,
    is_complete,
    read_folds,
    read_object,
    remove_checkpoint,
    remove_run_state,
    soup_files,
)


def run_state_folder(output_path: Path) -> Path:
    """Return the folder for the checkpoints of the run that writes `output_path`."""
    return output_path.parent / f"{output_path.name}.training"


def check_run_state(folder: Path, resume: bool, overwrite: bool, complete: Path | None = None) -> None:
    """Raise UserError if starting would lose an interrupted run or other files, or there is nothing to resume.

    `complete` is the output, if a model is there.
    """
    require_ours(folder, "training state", {"data", "processes"}, foreign_states(folder))
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
    fixed = unchangeable_flags(flags, data=data_sha256, processes=distributed.world_size())
    if resume:
        check_same_run(folder, flags, data_sha256)
        # A soup, and folds, remove those of their finished runs first.
        if checkpoints(folder) and not soup_files(folder) and not read_folds(folder):
            newest_whole_checkpoint(folder)
    elif distributed.is_main_process():
        remove_run_state(folder)
        if is_interrupted(folder):
            raise UserError(f"the earlier run's state in {folder} cannot be removed", "remove it, and start again")
        with atomic_write(folder / ARGUMENTS_FILE, "w") as file:
            json.dump(fixed | {RUN_ID: uuid.uuid4().hex}, file)


def check_same_run(folder: Path, flags: Mapping, data_sha256: str, but: Collection[str] = ()) -> None:
    """Raise UsageError where the run in `folder` had other flags, data or processes; `but` are not compared."""
    fixed = unchangeable_flags(flags, data=data_sha256, processes=distributed.world_size())
    saved = read_arguments(folder, fixed) or {}
    now, before = ({name: each[name] for name in each if name not in {RUN_ID, *but}} for each in (fixed, saved))
    require_same(before, now, "--resume, but this is not the run that was interrupted")


def is_interrupted(folder: Path) -> bool:
    """Return whether a run was interrupted after its first saved state, also after it has saved its model."""
    return is_resumable(folder) or (folder / SAVED_FILE).is_file()


def is_resumable(folder: Path) -> bool:
    """Return whether there is a state to train on from: a checkpoint, a finished run of a soup, or a finished fold."""
    return any(map(is_complete, checkpoints(folder))) or bool(soup_files(folder)) or bool(read_folds(folder))


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
