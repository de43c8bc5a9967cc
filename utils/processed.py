"""The processed pickle: plain builtins, written whole or not at all, and loaded without running anything."""

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
COLUMNS = ("prompt", "completion", "label", "group", "loss_start")


@dataclass(frozen=True)
class Split:
    """One side of the data, column by column; every list has one entry a row.

    `ids` are the token ids of prompt, completion and the tokens around them; the loss counts from
    `ids[loss_start]` on. `facts` are further columns of what the data says of a row: id, date, language, … .
    """

    prompt: list[str]
    completion: list[str]
    label: list[str | None]
    group: list[str]
    ids: list[array.array]
    loss_start: list[int]
    facts: dict[str, list] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.completion)

    def take(self, rows: Iterable[int]) -> "Split":
        """The given rows, in the given order."""
        rows = list(rows)
        columns = {name: [getattr(self, name)[row] for row in rows] for name in (*COLUMNS, "ids")}
        facts = {name: [values[row] for row in rows] for name, values in self.facts.items()}
        return Split(**columns, facts=facts)


@dataclass(frozen=True)
class Processed:
    """What preprocess.py hands on. `recipe` holds task, kind, labels, template, cleaning, seed, base model, …"""

    recipe: dict
    audit: dict
    sources: list[dict]
    tokenizer: dict  # name, fingerprint
    splits: dict[str, Split]


def save_processed(path: Path, processed: Processed) -> None:
    """Write the pickle (protocol 4) beside `path` and move it into place."""
    payload = {
        "format": PROCESSED_FORMAT,
        "version": PROCESSED_VERSION,
        "recipe": processed.recipe,
        "audit": processed.audit,
        "sources": processed.sources,
        "tokenizer": processed.tokenizer,
        "splits": {name: _packed(split) for name, split in processed.splits.items()},
    }
    with atomic_write(path) as file:
        pickle.dump(payload, file, protocol=4)


def load_processed(path: Path) -> Processed:
    """Read a processed pickle; DataError for anything that is not one, without running what it says."""
    hint = "make one with: python preprocess.py --data_path YOUR_DATA.csv --output_path data/processed.pkl"
    try:
        payload = _Refusing(io.BytesIO(path.read_bytes())).load()
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist", hint) from error
    except IsADirectoryError as error:
        raise DataError(f"{path} is a folder, expected a processed .pkl", hint) from error
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}", hint) from error
    except _CodeRefusedError as error:
        raise DataError(f"{path} would run code when loaded ({error}); it was refused", hint) from error
    except (
        pickle.UnpicklingError,
        EOFError,
        ValueError,
        IndexError,
        KeyError,
        TypeError,
        AttributeError,
        BufferError,
        OverflowError,
        MemoryError,
    ) as error:
        raise DataError(f"{path} is not a processed pickle, or it is cut short ({error})", hint) from error
    if not isinstance(payload, dict) or payload.get("format") != PROCESSED_FORMAT:
        raise DataError(f"{path} is a pickle, but not one that preprocess.py wrote", hint)
    if payload.get("version") != PROCESSED_VERSION:
        raise DataError(f"{path} has format version {payload.get('version')}, expected {PROCESSED_VERSION}", hint)
    try:
        return Processed(
            recipe=payload["recipe"],
            audit=payload["audit"],
            sources=payload["sources"],
            tokenizer=payload["tokenizer"],
            splits={name: _unpacked(payload["splits"][name]) for name in SPLITS},
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path} is damaged: {error!r} in its fields", hint) from error


class _CodeRefusedError(Exception):
    """The pickle names a class or function."""


class _Refusing(pickle.Unpickler):
    """An unpickler of builtin values: whatever else a pickle asks for is refused before it is imported."""

    def find_class(self, module, name):
        raise _CodeRefusedError(f"{module}.{name}")

    def persistent_load(self, pid):
        raise _CodeRefusedError(f"persistent id {pid!r}")


def _packed(split: Split) -> dict:
    columns = {name: list(getattr(split, name)) for name in COLUMNS}
    flat = array.array("I")
    for ids in split.ids:
        flat.extend(ids)
    if sys.byteorder == "big":
        flat.byteswap()
    lengths = [len(ids) for ids in split.ids]
    return {**columns, "ids": flat.tobytes(), "lengths": lengths, "facts": split.facts}


def _unpacked(columns: dict) -> Split:
    flat = array.array("I")
    flat.frombytes(columns["ids"])
    if sys.byteorder == "big":
        flat.byteswap()
    lists = {name: columns[name] for name in COLUMNS}
    facts = dict(columns["facts"])
    lengths: Sequence[int] = columns["lengths"]
    if sum(lengths) != len(flat) or any(len(values) != len(lengths) for values in (*lists.values(), *facts.values())):
        raise ValueError("columns of different lengths")
    ends, ids = 0, []
    for length in lengths:
        ids.append(flat[ends : ends + length])
        ends += length
    return Split(ids=ids, **lists, facts=facts)
