"""Complete checkpoints: a checksum of every file, written last, and the newest state that can be trusted.

A process may be killed while it writes, a disk may fill up, and people copy files. A run continues from exactly what
was saved, or from an older state; from a mixture, it would silently train on.
"""

import json
import logging
import os
import zipfile
import zlib
from pathlib import Path

from utils import distributed
from utils.errors import UserError
from utils.training.state.state_files import (
    CHECKSUMS,
    LAST_WRITTEN,
    PROGRESS,
    checkpoints,
    read_object,
    remove_checkpoint,
)

log = logging.getLogger(__name__)

ALWAYS_THERE = ("optimizer.pt", "scheduler.pt")  # in every checkpoint of an earlier version
CHUNK = 2**22


def seal(checkpoint: Path) -> None:
    """Write the size and the checksum of each file of a complete checkpoint, when all of them are on the disk."""
    for path in checkpoint.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())
    files = {path.name: _fingerprint(path) for path in sorted(checkpoint.iterdir()) if path.name != CHECKSUMS}
    part = checkpoint / f".{CHECKSUMS}.part"
    with part.open("w", encoding="utf-8") as file:
        json.dump(files, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    part.replace(checkpoint / CHECKSUMS)
    for folder in (checkpoint, checkpoint.parent):  # their new names, too
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def newest_whole_checkpoint(folder: Path) -> Path:
    """Return the newest checkpoint that can be continued, and remove those after it; UserError if there is none.

    The checkpoint of its best evaluation must be whole, too, since the run ends with those weights.
    """
    problems = []
    for checkpoint in reversed(checkpoints(folder)):
        problem = find_problem(checkpoint) or _problem_of_best(checkpoint, follows_damage=bool(problems))
        if problem is None:
            break
        problems.append(problem)
    else:
        raise UserError(
            f"there is no whole state to continue from in {folder}: {'; '.join(problems)}",
            "restore the file, or start from scratch with --overwrite instead of --resume",
        )
    for problem in problems:
        log.warning("warning: a saved state is left out: %s", problem)
    distributed.barrier()  # all have found it before the first process removes the others
    if distributed.is_main_process():
        for newer in checkpoints(folder)[-len(problems) :] if problems else []:
            remove_checkpoint(newer)
    return checkpoint


def find_problem(checkpoint: Path) -> str | None:
    """Return the problem of a checkpoint, with the file's name; None if it is whole."""
    state = checkpoint / LAST_WRITTEN
    if not state.is_file():
        return f"{state} is missing"
    if "global_step" not in (read_object(state) or {}):
        return f"{state} is damaged"
    if not (checkpoint / CHECKSUMS).is_file():
        unfinished = (checkpoint / PROGRESS).exists()  # an earlier version wrote neither
        return f"{checkpoint / CHECKSUMS} is missing" if unfinished else _visible_damage(checkpoint)
    expected = read_object(checkpoint / CHECKSUMS)
    if expected is None:
        return f"{checkpoint / CHECKSUMS} is damaged"
    for name, (size, checksum) in expected.items():
        path = checkpoint / name
        if not path.is_file():
            return f"{path} is missing"
        if (found := path.stat().st_size) != size:
            return f"{path} has {found:,} bytes instead of {size:,}"
        if _fingerprint(path)[1] != checksum:
            return f"{path} is not the file that was saved"
    return None


def _problem_of_best(checkpoint: Path, *, follows_damage: bool) -> str | None:
    """Return the problem of the checkpoint that was the best until this one.

    It may be gone where a later one has been better. That one is damaged now, and is made again, just as it was.
    """
    step = json.loads((checkpoint / LAST_WRITTEN).read_text(encoding="utf-8")).get("best_global_step")
    best = checkpoint.with_name(f"checkpoint-{step}")
    if not step or best == checkpoint or (follows_damage and not best.exists()):
        return None
    problem = find_problem(best)
    return problem and f"{problem}, the best state until {checkpoint.name}"


def _visible_damage(checkpoint: Path) -> str | None:
    """Return which file is cut, of a checkpoint without checksums."""
    from safetensors import SafetensorError, safe_open

    for name in ALWAYS_THERE:
        if not (checkpoint / name).is_file():
            return f"{checkpoint / name} is missing"
    for pattern in ("rng_state*.pth", "model*.safetensors"):
        if not any(checkpoint.glob(pattern)):
            return f"{checkpoint / pattern.replace('*', '')} is missing"
    for path in sorted(checkpoint.iterdir()):
        if path.suffix in (".pt", ".pth"):  # zip archives with checksums of their own
            try:
                with zipfile.ZipFile(path) as archive:
                    intact = archive.testzip() is None
            except (zipfile.BadZipFile, EOFError):
                intact = False
        elif path.suffix == ".safetensors":
            try:
                with safe_open(path, "pt"):
                    intact = True
            except SafetensorError:
                intact = False
        else:
            continue
        if not intact:
            return f"{path} is damaged"
    return None


def _fingerprint(path: Path) -> list[int]:
    """Return the size and the CRC-32 of a file: it finds damage, at the speed of reading."""
    checksum = 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            checksum = zlib.crc32(chunk, checksum)
    return [path.stat().st_size, checksum]
