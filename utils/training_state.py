"""The training state beside the output: what an interrupted run goes on from, and nothing else does."""

import json
import shutil
from pathlib import Path

from utils import processes
from utils.errors import UsageError, UserError

ARGUMENTS_FILE = "arguments.json"
STATES = "checkpoint-*"
RUNS = "run-*.*"  # those of --average_runs that are done
LAST_WRITTEN = "trainer_state.json"  # a state without it was not written to its end
PREFIX_CACHE = {"keep_prefix_cache", "prefix_cache", "prefix_cache_gb"}
FREE_TO_CHANGE = PREFIX_CACHE | {
    "config", "data_path", "logging_steps", "output_path", "overwrite", "report_to", "resume",
}  # fmt: skip


def folder_beside(output_path: Path) -> Path:
    """Where the state of the run that writes `output_path` lies."""
    return output_path.parent / f"{output_path.name}.training"


def check(folder: Path, resume: bool, overwrite: bool) -> None:
    """Refuse to lose the state that an interrupted run left, to go on from none, and to touch a folder not ours."""
    found = list(folder.iterdir()) if folder.is_dir() else [folder] * folder.exists()
    ours = (STATES, RUNS, ARGUMENTS_FILE)
    if not all(any(entry.match(pattern) for pattern in ours) for entry in found):
        raise UserError(f"{folder} is needed for the training state, and holds other files", "move them elsewhere")
    states = any(entry.match(STATES) or entry.match(RUNS) for entry in found)
    if resume and not states:
        raise UsageError(f"--resume, but there is no saved state in {folder}", "leave --resume away to start anew")
    if states and not resume and not overwrite:
        raise UserError(
            f"an interrupted run left its state in {folder}", "add --resume to go on, or --overwrite to start anew"
        )


def begin(folder: Path, arguments: dict, data_sha256: str, resume: bool) -> None:
    """Empty the folder for a new run; or make sure that the run that goes on is the one that was interrupted."""
    decisive = {name: value for name, value in arguments.items() if name not in FREE_TO_CHANGE}
    decisive["data"] = data_sha256
    decisive["processes"] = processes.world_size()
    if not resume:
        if processes.is_first():
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


def has_states(folder: Path) -> bool:
    """Whether a run was interrupted within its steps."""
    return any(folder.glob(STATES))


def clear_states(folder: Path) -> None:
    """Take away what a run that is done needs no more."""
    for state in folder.glob(STATES):
        shutil.rmtree(state)


def epochs_done(folder: Path) -> float:
    """Those of the newest state that was written to its end; 0 without one."""
    states = [json.loads(path.read_text(encoding="utf-8")) for path in folder.glob(f"{STATES}/{LAST_WRITTEN}")]
    return max((state["epoch"] for state in states), default=0.0)


def keep_whole_states(folder: Path) -> bool:
    """Drop what was not written to its end, and the folder if nothing is left; whether something is."""
    states = list(folder.glob(STATES))
    whole = [state for state in states if (state / LAST_WRITTEN).is_file()]
    for state in set(states) - set(whole):
        shutil.rmtree(state)
    kept = bool(whole) or any(folder.glob(RUNS))
    if not kept:
        shutil.rmtree(folder, ignore_errors=True)
    return kept
