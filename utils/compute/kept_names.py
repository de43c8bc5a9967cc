"""The public names of each transformers module, cached between commands.

transformers reads the 1,600 files of all its models at every import, to learn which file defines which class. That
takes 0.5 s, and the result changes only when the files do, as their sizes and times show.

Without it: `transformers.utils.import_utils.define_import_structure`; the result is the same.
"""

import functools
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

from utils.temporary import folder_for_a_while

READER, ARGUMENTS = "define_import_structure", {"prefix": "models"}  # the function, and how transformers calls it


def keep_names(module: ModuleType) -> None:
    """Let transformers.utils.import_utils, just imported, read the files of all models only where they are new."""
    read = getattr(module, READER, None)
    if read is None:  # another version has it elsewhere, and is slower
        return

    @functools.wraps(read)
    def kept(*paths, **arguments):
        if arguments != ARGUMENTS or len(paths) != 1:  # one model's files
            return read(*paths, **arguments)
        return _kept(Path(paths[0]), lambda: read(*paths, **arguments))

    setattr(module, READER, kept)


def _kept(models: Path, read: Callable[[], dict]) -> dict:
    from huggingface_hub.constants import HF_HOME

    file = Path(HF_HOME) / "names_in_transformers" / f"{_fingerprint(models)}.txt"
    try:
        digest, _, groups = file.read_text(encoding="utf-8").partition("\n")
    except (OSError, ValueError):  # not there, or damaged
        digest = groups = ""
    if digest == _digest(groups):
        return {
            frozenset(needs): {name: set(each) for name, each in found.items()} for needs, found in json.loads(groups)
        }
    names = read()
    _write(file, names)
    return names


def _write(file: Path, names: dict) -> None:
    groups = json.dumps(
        [[sorted(needs), {name: sorted(each) for name, each in found.items()}] for needs, found in names.items()]
    )
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with folder_for_a_while(file.parent, ".names-") as folder:
            (folder / file.name).write_text(f"{_digest(groups)}\n{groups}", encoding="utf-8")
            (folder / file.name).replace(file)
    except OSError:  # no space, or nothing may be written there: the next command reads the files again
        return


def _digest(groups: str) -> str:
    return hashlib.sha256(groups.encode()).hexdigest()


def _fingerprint(models: Path) -> str:
    """Return a digest of the folder's path, and of the path, size and time of each of its Python files."""
    files = sorted((entry.path, entry.stat().st_size, entry.stat().st_mtime_ns) for entry in _python_files(models))
    return hashlib.sha256(repr((str(models), files)).encode()).hexdigest()[:32]


def _python_files(folder: Path | str) -> Iterator[os.DirEntry]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(".py"):
                yield entry
            elif entry.name != "__pycache__" and entry.is_dir():
                yield from _python_files(entry.path)
