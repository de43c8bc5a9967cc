"""The processed pickle: a dict of builtins, written atomically and loaded without running any code."""

import array
import io
import pickle
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from utils.errors import DataError
from utils.files import atomic_write

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
    label: list[str | None]
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
    """Write the pickle (protocol 4) atomically."""
    payload = {
        "format": PROCESSED_FORMAT,
        "version": PROCESSED_VERSION,
        **{name: getattr(processed, name) for name in FIELDS},
        "splits": {name: _pack(split) for name, split in processed.splits.items()},
    }
    with atomic_write(path) as file:
        pickle.dump(payload, file, protocol=4)


def load_processed(path: Path) -> Processed:
    """Read a processed pickle without running any code in it; DataError for any other file."""
    hint = "make one with: python preprocess.py --data_path YOUR_DATA.csv --output_path data/processed.pkl"
    try:
        payload = _BuiltinsUnpickler(io.BytesIO(path.read_bytes())).load()
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist", hint) from error
    except IsADirectoryError as error:
        raise DataError(f"{path} is a folder, expected a processed .pkl", hint) from error
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}", hint) from error
    except _CodeRefusedError as error:
        raise DataError(f"{path} would run code when loaded ({error}); it was refused", hint) from error
    except Exception as error:  # a damaged pickle can raise almost any exception
        raise DataError(f"{path} is not a processed pickle, or it is truncated ({error})", hint) from error
    if not isinstance(payload, dict) or payload.get("format") != PROCESSED_FORMAT:
        raise DataError(f"{path} is a pickle, but preprocess.py did not write it", hint)
    if payload.get("version") != PROCESSED_VERSION:
        raise DataError(f"{path} has format version {payload.get('version')}, expected {PROCESSED_VERSION}", hint)
    try:
        splits = {name: _unpack(payload["splits"][name]) for name in SPLITS}
        return Processed(**{name: payload[name] for name in FIELDS}, splits=splits)
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path} is damaged: {error!r}", hint) from error


class _CodeRefusedError(Exception):
    """The pickle refers to a class, a function or an external object."""


class _BuiltinsUnpickler(pickle.Unpickler):
    """An unpickler of builtin values, which refuses everything else before it is imported."""

    def find_class(self, module, name):
        raise _CodeRefusedError(f"{module}.{name}")

    def persistent_load(self, pid):
        raise _CodeRefusedError(f"persistent id {pid!r}")


def _pack(split: Split) -> dict:
    columns = {name: list(getattr(split, name)) for name in COLUMNS}
    flat = array.array("I")
    for ids in split.ids:
        flat.extend(ids)
    if sys.byteorder == "big":
        flat.byteswap()
    lengths = [len(ids) for ids in split.ids]
    return {**columns, "ids": flat.tobytes(), "lengths": lengths, "facts": split.metadata}


def _unpack(columns: dict) -> Split:
    flat = array.array("I")
    flat.frombytes(columns["ids"])
    if sys.byteorder == "big":
        flat.byteswap()
    lists = {name: columns[name] for name in COLUMNS}
    metadata = dict(columns["facts"])
    lengths: Sequence[int] = columns["lengths"]
    if sum(lengths) != len(flat) or {*map(len, (*lists.values(), *metadata.values()))} != {len(lengths)}:
        raise ValueError("columns of different lengths")
    start, ids = 0, []
    for length in lengths:
        ids.append(flat[start : start + length])
        start += length
    return Split(ids=ids, **lists, metadata=metadata)
