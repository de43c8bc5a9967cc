"""Read one split of a dataset, from the Hugging Face Hub or a folder on disk, into columns of text: hf://user/name."""

import hashlib
import json
import logging
import re
import sys
import warnings
from datetime import date, time
from pathlib import Path

from utils.errors import DataError, UserError
from utils.reading.hub_loading import FORMS, DatasetLocation, load_split
from utils.reading.json_records import as_text
from utils.temporary import temporary_folder

log = logging.getLogger(__name__)

PREFIX = "hf://"
HUB_NAME = re.compile(r"([\w.-]+(?:/[\w.-]+)?)(?:/([^/@]+))?(?:@(.+))?")
CONFIGURATION_NAME = re.compile(r"""^[-\s]*config_name:\s*["']?(.*?)["']?\s*$""", re.MULTILINE)


def is_hub_path(path: str) -> bool:
    """Return whether `path` names a dataset rather than a file."""
    return path.startswith(PREFIX)


def read_hub_dataset(path: str, split: str) -> tuple[dict[str, list[str | None]], str]:
    """Return (columns of text, SHA-256) of one split of hf://user/name, …/CONFIG, …@REVISION or hf://./folder.

    Numbers, true and false, and nested values are JSON text, dates ISO 8601, labels their names (-1, no label, is
    None); columns of audio, images and the like are left out undecoded. The SHA-256 is of the list of the columns'
    names and of every row's list of cells, each as a line of JSON, in order: it is the same on every machine.
    A folder holds data files, with or without a README.md that declares configurations, or what save_to_disk wrote.
    Raises DataError if the dataset is unusable, UserError if the Hub refuses or does not answer.
    """
    location = _location_of(path)
    _keep_libraries_quiet()
    # The Arrow copy that datasets makes of a folder is deleted after the block; by then the cells are Python strings.
    with warnings.catch_warnings(), temporary_folder() as scratch:
        warnings.simplefilter("ignore")
        columns = _columns(load_split(location, split, str(scratch)), location)
    digest = hashlib.sha256(json.dumps(list(columns)).encode())
    for row in zip(*columns.values(), strict=True):
        digest.update(b"\n" + json.dumps(row).encode())
    return columns, digest.hexdigest()


def _location_of(path: str) -> DatasetLocation:
    name = path.removeprefix(PREFIX)
    if name.startswith((".", "/", "~")) or Path(name).is_absolute():
        return _location_on_disk(Path(name).expanduser())
    match = HUB_NAME.fullmatch(name.removeprefix("datasets/"))
    if not match:
        raise UserError(f"{path} names no dataset", f"the forms are {FORMS}")
    return DatasetLocation(*match.groups(), on_disk=False)


def _location_on_disk(folder: Path) -> DatasetLocation:
    """Return `folder`, or one of the configurations that the README.md of its parent folder declares."""
    card = folder.parent / "README.md"
    try:
        text = card.read_text(encoding="utf-8", errors="replace") if card.is_file() else ""
    except OSError as error:
        raise DataError(f"cannot read {card}: {error.strerror}", "check the path, and its permissions") from error
    declared = CONFIGURATION_NAME.findall(text) if text.startswith("---") else []
    if folder.name in declared or (declared and not folder.exists()):
        return DatasetLocation(str(folder.parent), folder.name, None, on_disk=True)
    if not folder.is_dir():
        raise DataError(f"there is no folder {folder}", f"check the path; the forms are {FORMS}")
    return DatasetLocation(str(folder), None, None, on_disk=True)


def _keep_libraries_quiet() -> None:
    """Show bars of downloads only, on a terminal, and no log lines: our errors have the important ones."""
    import datasets
    import huggingface_hub

    for library in ("datasets", "huggingface_hub"):
        logging.getLogger(library).setLevel(logging.CRITICAL)
    datasets.disable_progress_bars()
    if not sys.stderr.isatty():
        huggingface_hub.utils.disable_progress_bars()


def _columns(rows, location: DatasetLocation) -> dict[str, list[str | None]]:
    media = [name for name, feature in rows.features.items() if _is_media(feature)]
    if media:
        log.warning("%s: left out %s: audio, images and the like are not text", location, ", ".join(media))
    kept = [name for name in rows.features if name not in media]
    if not kept:
        raise DataError(f"{location} has no column of text", "choose a dataset of texts")
    table = rows.select_columns(kept).with_format("arrow")[:]
    columns = {name: [as_text(_plain(cell, rows.features[name])) for cell in table[name].to_pylist()] for name in kept}
    if rows.info.builder_name == "csv":
        texts = {name for name in kept if getattr(rows.features[name], "dtype", None) in ("string", "large_string")}
        if guessed := [name for name in kept if name not in texts or None in columns[name]]:
            advice = "datasets guesses what cells are (007 becomes 7, NA null); name the CSV file itself to keep text"
            log.warning("%s: columns %s: %s", location, ", ".join(guessed), advice)
    return columns


def _is_media(feature) -> bool:
    """Return whether the cells are, or hold, something that datasets would decode: audio, images, PDF, …"""
    parts = feature.values() if isinstance(feature, dict) else filter(None, [getattr(feature, "feature", None)])
    return _kind(feature) != "Json" and (hasattr(feature, "decode_example") or any(map(_is_media, parts)))


def _plain(cell, feature):
    """Return a cell with labels as their names and dates as ISO 8601, at any depth."""
    if cell is None:
        return cell
    if _kind(feature) == "ClassLabel":
        if cell >= len(feature.names):
            raise DataError(f"the label {cell} has no name, there are {len(feature.names)}", "correct the README.md")
        return None if cell == -1 else feature.int2str(cell)
    if _kind(feature) == "Json":
        return json.loads(cell)
    if isinstance(cell, date | time):  # a datetime is a date
        return cell.isoformat()
    if isinstance(cell, list):
        return [_plain(part, getattr(feature, "feature", None)) for part in cell]
    if isinstance(cell, dict):
        features = feature if isinstance(feature, dict) else {}
        return {key: _plain(part, features.get(key)) for key, part in cell.items()}
    return cell


def _kind(feature) -> str:
    return type(feature).__name__
