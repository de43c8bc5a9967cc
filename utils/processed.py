"""The processed pickle: a dict of builtins, written atomically and loaded without running any code.

The pickle is followed by its SHA-256, which Python's own `pickle.load` ignores.
"""

import array
import hashlib
import pickle
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from utils.errors import DataError
from utils.files import atomic_write
from utils.processed_fields import check_columns, check_fields
from utils.safe_pickle import CodeRefusedError, load_builtins
from utils.system_errors import read_file

PROCESSED_FORMAT = "small-text-fine-tuning/processed"
PROCESSED_VERSION = 2
SPLITS = ("train", "validation", "test")
FIELDS = ("recipe", "audit", "sources", "tokenizer")
COLUMNS = ("prompt", "completion", "label", "group", "loss_start")


@dataclass(frozen=True)
class Split:
    """The train, validation or test split in columns; every list has one entry per row.

    `ids` are the token ids of prompt and completion with the tokens around them; the tokens from `ids[loss_start]` on
    are supervised. `metadata` holds further columns, such as id, date and language.
    """

    prompt: list[str]
    completion: list[str]
    label: list[str | tuple[str, ...] | float | None]  # a class, several labels, or a score; None for a text to write
    group: list[str]
    ids: list[array.array]
    loss_start: list[int]
    metadata: dict[str, list] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.completion)

    def take(self, rows: Iterable[int]) -> "Split":
        """Return the split with these rows, in this order."""
        rows = list(rows)
        columns = {name: [getattr(self, name)[row] for row in rows] for name in (*COLUMNS, "ids")}
        metadata = {name: [values[row] for row in rows] for name, values in self.metadata.items()}
        return Split(**columns, metadata=metadata)


@dataclass(frozen=True)
class Processed:
    """The output of preprocess.py. `recipe` has task, kind, labels, template, cleaning, seed, base model, …."""

    recipe: dict
    audit: dict
    sources: list[dict]
    tokenizer: dict  # name, fingerprint
    splits: dict[str, Split]


def save_processed(path: Path, processed: Processed) -> None:
    """Write the pickle (protocol 4) and its checksum atomically."""
    payload = {
        "format": PROCESSED_FORMAT,
        "version": PROCESSED_VERSION,
        **{name: getattr(processed, name) for name in FIELDS},
        "splits": {name: _pack(split) for name, split in processed.splits.items()},
    }
    with atomic_write(path) as file:
        written = _HashedFile(file)
        pickle.Pickler(written, protocol=4).dump(payload)  # piece by piece: a million rows take 0.3 GB
        file.write(_checksum(written.sha256))


class _HashedFile:
    """A file to write to, and the SHA-256 of its content."""

    def __init__(self, file: BinaryIO):
        self._file, self.sha256 = file, hashlib.sha256()

    def write(self, content: bytes) -> None:
        self.sha256.update(content)
        self._file.write(content)


def load_processed(path: Path) -> Processed:
    """Read a processed pickle without running any code in it; DataError for any other file, and for a damaged one."""
    hint = "make one with: python preprocess.py --data_path YOUR_DATA.csv --output_path data/processed.pkl"
    try:
        content = read_file(path)
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist", hint) from error
    except IsADirectoryError as error:
        raise DataError(f"{path} is a folder, expected a processed .pkl", hint) from error
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}", hint) from error
    try:
        payload, length = load_builtins(content)
    except CodeRefusedError as error:
        raise DataError(f"{path} would run code when loaded ({error}); it was refused", hint) from error
    except Exception as error:  # a damaged pickle can raise almost any exception
        raise DataError(f"{path} is not a processed pickle, or it is truncated ({error})", hint) from error
    if not isinstance(payload, dict) or payload.get("format") != PROCESSED_FORMAT:
        raise DataError(f"{path} is a pickle, but preprocess.py did not write it", hint)
    version = payload.get("version")
    if not isinstance(version, int | str | None) or version != PROCESSED_VERSION:
        raise DataError(f"{path} has format version {version!s:.20}, expected {PROCESSED_VERSION}", hint)
    if content[length:] not in (
        b"",
        _checksum(hashlib.sha256(content[:length])),
    ):  # b"": written by an older version, or by hand
        raise DataError(f"{path} is damaged or truncated: its checksum is another one", hint)
    try:
        check_fields(payload, size=len(content))
        for name in SPLITS:
            check_columns(name, payload["splits"].get(name), payload["recipe"], size=len(content))
    except ValueError as error:
        raise DataError(f"{path} is damaged: {error}", hint) from error
    splits = {name: _unpack(payload["splits"][name]) for name in SPLITS}
    return Processed(**{name: payload[name] for name in FIELDS}, splits=splits)


def _checksum(sha256: "hashlib._Hash") -> bytes:
    return f"\nsha256 {sha256.hexdigest()}\n".encode()


def _pack(split: Split) -> dict:
    columns = {name: list(getattr(split, name)) for name in COLUMNS}
    flat = array.array("I", b"".join(split.ids))
    if sys.byteorder == "big":
        flat.byteswap()
    lengths = [len(ids) for ids in split.ids]
    return {**columns, "ids": flat.tobytes(), "lengths": lengths, "facts": split.metadata}


def _unpack(columns: dict) -> Split:
    flat = array.array("I")
    flat.frombytes(columns["ids"])
    if sys.byteorder == "big":
        flat.byteswap()
    start, ids = 0, []
    for length in columns["lengths"]:
        ids.append(flat[start : start + length])
        start += length
    return Split(ids=ids, metadata=dict(columns["facts"]), **{name: columns[name] for name in COLUMNS})
