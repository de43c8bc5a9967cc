"""Recognize this run's own files in OUTPUT.training, and remove no others.

People keep files of their own there, some with names like ours: a copy of checkpoint-200, run-notes.txt. arguments.json
has the run's id, and each checkpoint repeats it; earlier versions wrote no id, and then the names decide.
"""

import json
import logging
import math
import re
from collections.abc import Mapping
from fnmatch import fnmatch
from pathlib import Path

from utils.files import atomic_write
from utils.temporary import remove

log = logging.getLogger(__name__)

ARGUMENTS_FILE = "arguments.json"
RUN_ID = "run"  # in arguments.json and in each checkpoint's progress.json
CHECKPOINT = re.compile(r"checkpoint-\d+")
LAST_WRITTEN = "trainer_state.json"  # by transformers; a checkpoint without it is incomplete
CHECKSUMS = "checksums.json"  # of the other files, written when all are complete; earlier versions wrote none
PROGRESS = "progress.json"  # written first: the run's id, and what transformers does not save; not by earlier versions
UNFINISHED = ".tmp" + 6 * "[A-Za-z0-9]"  # safetensors' temporary file, if it was killed before renaming it
CHECKPOINT_FILES = (  # in the order of their removal: without checksums, nothing is taken for whole
    *(CHECKSUMS, f".{CHECKSUMS}.part", LAST_WRITTEN, "optimizer.pt", "scheduler.pt", "scaler.pt", "rng_state*.pth"),
    *(
        "training_args.bin",
        "config.json",
        "generation_config.json",
        "model*.safetensors",
        "model.safetensors.index.json",
        UNFINISHED,
    ),
    *(PROGRESS, f".{PROGRESS}.part"),
)
SOUP_RUN = re.compile(r"run-\d+\.safetensors")  # the weights of a finished run of --model_soup
FOLDS_FILE = "folds.json"  # the figures of the finished folds of --folds
SAVED_FILE = "saved.json"  # the hash of the run.json of the model that the run writes at its end
TEMPORARY = re.compile(
    rf"\.(({re.escape(ARGUMENTS_FILE)}|{re.escape(SAVED_FILE)}|{re.escape(FOLDS_FILE)})\..*|run-\d+)\.part|\.tmp\w{{6}}"
)
LONGEST_HEADER = 10**8  # bytes, of a safetensors file


def read_run_id(folder: Path) -> str | None:
    """Return the id of the run whose state is in `folder`; None of an earlier version's run, or where there is none."""
    arguments = read_object(folder / ARGUMENTS_FILE)
    return arguments.get(RUN_ID) if arguments else None


def read_object(path: Path) -> dict | None:
    """Return the JSON object in a file; None where there is no file, or another content."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def checkpoints(folder: Path) -> list[Path]:
    """Return this run's checkpoints in `folder`, whole or not, by their step."""
    run = read_run_id(folder)
    ours = [path for path in folder.glob("checkpoint-*") if _is_checkpoint(path, run)]
    return sorted(ours, key=lambda path: int(path.name.partition("-")[2]))


def _is_checkpoint(path: Path, run: str | None) -> bool:
    """Return whether a path is a checkpoint of the run with this id; one that was begun, and has no file yet, is."""
    if not CHECKPOINT.fullmatch(path.name) or not path.is_dir() or path.is_symlink():
        return False
    if not (path / PROGRESS).exists():
        return run is None or {entry.name for entry in path.iterdir()} <= {f".{PROGRESS}.part"}
    progress = read_object(path / PROGRESS)
    return progress is None or progress.get(RUN_ID) == run  # a damaged one will be found to be so


def is_complete(checkpoint: Path) -> bool:
    """Return whether a checkpoint was completely written, judging by its file names; it may be damaged since."""
    if (checkpoint / PROGRESS).exists():
        return (checkpoint / CHECKSUMS).exists()
    return (checkpoint / LAST_WRITTEN).exists()


def keep_newest(folder: Path, number: int, best: str | None) -> None:
    """Remove old checkpoints until `number` are left; the newest one and the `best` always are."""
    found = checkpoints(folder)
    removable = [path for path in found[:-1] if best is None or path.name != Path(best).name]
    for checkpoint in removable[: max(0, len(found) - number)]:
        remove_checkpoint(checkpoint)


def foreign_states(folder: Path) -> list[Path]:
    """Return the paths in `folder` that are named like checkpoints or the folds' figures but are not of its run."""
    ours = checkpoints(folder) if (folder / ARGUMENTS_FILE).exists() else []
    foreign = [
        path for path in sorted(folder.glob("checkpoint-*")) if CHECKPOINT.fullmatch(path.name) and path not in ours
    ]
    return foreign + ([folder / FOLDS_FILE] if (folder / FOLDS_FILE).exists() and not read_folds(folder) else [])


def read_folds(folder: Path) -> list[dict]:
    """Return the figures of the finished folds of the run in `folder`, as `write_folds` wrote them; else []."""
    saved = read_object(folder / FOLDS_FILE) or {}
    run, folds = read_run_id(folder), saved.get("folds")
    if run is None or saved.get(RUN_ID) != run or not isinstance(folds, list) or not all(map(_is_fold, folds)):
        return []
    return folds if len({fold["seed"] for fold in folds}) == len(folds) else []


def _is_fold(fold: object) -> bool:
    """Return whether a value is --folds' record of one fold: numbers, and numbers in "tuned" and other objects."""
    if not isinstance(fold, dict) or not {"seed", "epochs", "texts", "tuned"} <= fold.keys():
        return False
    figures = [each for value in fold.values() for each in (value.values() if isinstance(value, dict) else [value])]
    return isinstance(fold["tuned"], dict) and all(
        isinstance(each, int | float) and math.isfinite(each) for each in figures
    )


def write_folds(folder: Path, folds: list[dict]) -> None:
    """Note the figures of all finished folds. UserError where they cannot be written."""
    with atomic_write(folder / FOLDS_FILE, "w") as file:
        json.dump({RUN_ID: read_run_id(folder), "folds": folds}, file)


def remove_checkpoint(checkpoint: Path) -> None:
    """Remove a checkpoint of ours; files that people put into it stay."""
    names = sorted(entry.name for entry in checkpoint.iterdir())
    for pattern in CHECKPOINT_FILES:
        for name in [name for name in names if fnmatch(name, pattern)]:
            remove(checkpoint / name)
    remove_if_empty(checkpoint)


def remove_run_state(folder: Path) -> None:
    """Remove all that the run has in `folder`, and the folder if nothing else is in it.

    What says that its model is saved goes last. What the disk does not remove stays, and a log line says so.
    """
    if not (folder / ARGUMENTS_FILE).exists():
        remove(folder / SAVED_FILE)
        remove_if_empty(folder)
        return
    for checkpoint in checkpoints(folder):
        remove_checkpoint(checkpoint)
    folds = [folder / FOLDS_FILE] if read_folds(folder) else []
    for path in soup_files(folder) + folds + [path for path in folder.iterdir() if TEMPORARY.fullmatch(path.name)]:
        remove(path)
    for name in (ARGUMENTS_FILE, SAVED_FILE):
        remove(folder / name)
    remove_if_empty(folder)


def soup_files(folder: Path) -> list[Path]:
    """Return the files of the finished runs of --model_soup, whole or not, if the run in `folder` has several."""
    arguments = read_object(folder / ARGUMENTS_FILE) or {}
    if max(arguments.get("model_soup") or 1, arguments.get("average_runs") or 1) == 1:
        return []
    return [path for path in sorted(folder.glob("run-*")) if is_soup_run(path, arguments.get(RUN_ID))]


def is_soup_run(path: Path, run: str | None) -> bool:
    """Return whether a file has the weights of a finished run of the soup with this id, or is too damaged to say."""
    if not SOUP_RUN.fullmatch(path.name) or not path.is_file():
        return False
    metadata = soup_metadata(path)
    return metadata is None or run is None or metadata.get(RUN_ID) == run


def soup_metadata(path: Path) -> dict | None:
    """Return the metadata of a soup's finished run from its file; None where it is damaged."""
    with path.open("rb") as file:
        header = file.read(min(int.from_bytes(file.read(8), "little"), LONGEST_HEADER))
    try:
        return json.loads(header).get("__metadata__", {})
    except (ValueError, AttributeError, RecursionError):
        return None


def remove_if_empty(folder: Path) -> None:
    """Remove a folder; one with other files in it stays, and a log line says so."""
    if not folder.is_dir():
        return
    if others := sorted(path.name for path in folder.iterdir()):
        log.info("%s stays, since it has other files: %s", folder, ", ".join(others[:3]))
    elif not remove(folder):
        log.warning("warning: %s cannot be removed", folder)


def write_progress(checkpoint: Path, progress: Mapping) -> None:
    """Begin a checkpoint with its progress.json."""
    checkpoint.mkdir(parents=True, exist_ok=True)
    part = checkpoint / f".{PROGRESS}.part"
    part.write_text(json.dumps(progress), encoding="utf-8")
    part.replace(checkpoint / PROGRESS)
