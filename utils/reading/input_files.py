"""Which files a path stands for, and of which format they are."""

import difflib
import logging
from pathlib import Path

from utils.errors import DataError
from utils.reading import hub_datasets, x_archive

log = logging.getLogger(__name__)

TEXT_FORMATS = (".csv", ".tsv", ".txt", ".json", ".jsonl", ".ndjson")
SUPPORTED = f"{', '.join(TEXT_FORMATS)} (also with .gz), .parquet"


def files_of(path: str | Path) -> list[str]:
    """The files that a path as typed stands for: a folder's supported ones by name, but an X archive as it is."""
    typed, path = str(path), Path(path)
    if hub_datasets.is_hub(typed) or x_archive.is_archive(path):
        return [typed]
    try:
        if not path.is_dir():
            path.stat()
            return [typed]
        files = sorted(file for file in path.iterdir() if not file.name.startswith("."))
    except FileNotFoundError as error:
        raise _missing(path) from error
    except OSError as error:
        raise unreadable(typed, error) from error
    supported = [file for file in files if format_of(file) and file.is_file()]
    if skipped := [file.name for file in files if file not in supported]:
        log.warning("%s: skipped %s; supported are %s", typed, ", ".join(skipped), SUPPORTED)
    if not supported:
        raise DataError(f"the folder {typed} holds no supported file", f"supported are {SUPPORTED}")
    return [str(file) for file in supported]


def format_of(path: Path) -> str | None:
    """The file name's ending, without .gz and in lower case; None where it is not supported."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes[-1:] == [".parquet"]:
        return ".parquet"
    if suffixes[-1:] == [".gz"]:
        suffixes.pop()
    return suffixes[-1] if suffixes and suffixes[-1] in TEXT_FORMATS else None


def _missing(path: Path) -> DataError:
    try:
        near = difflib.get_close_matches(path.name, [file.name for file in path.parent.iterdir()])
    except OSError:
        return DataError(f"{path} does not exist, nor does its folder", "check the path")
    hint = f"did you mean {' or '.join(str(path.parent / name) for name in near)}?" if near else "check the path"
    return DataError(f"{path} does not exist", hint)


def unreadable(name: str, error: OSError) -> DataError:
    """The error for a file that the system does not let us read."""
    return DataError(f"cannot read {name}: {error.strerror or error}", "check the path and the file's permissions")
