"""Where a data set lies → the rows of one split as a datasets.Dataset, or what is said where there are none.

MERGED: A data set of the Hugging Face Hub, or a data set folder on disk, as columns of text: hf://user/name."""

import hashlib
import json
import logging
import re
import sys
import tempfile
import warnings
import zipfile
from dataclasses import dataclass, replace
from datetime import date, time
from pathlib import Path

from utils.errors import DataError, UserError
from utils.reading.json_records import as_text

log = logging.getLogger(__name__)
FORMS = "hf://user/name, hf://user/name/CONFIG, hf://user/name@REVISION or, for a folder on disk, hf://./folder"
CONNECT_SECONDS, ANSWER_SECONDS = 2, 5
CONFIGURATIONS_LISTED = re.compile(r"vailable(?: configs)?: (\[.*\])")  # in the ValueErrors of datasets
COPY_AGAIN = "copy or download the data set again, or correct that file"


@dataclass(frozen=True)
class DatasetLocation:
    """A data set, or one configuration of it; prints as people type it."""

    where: str  # a repository of the Hub, or a folder
    configuration: str | None
    revision: str | None
    on_disk: bool

    def __str__(self):
        relative = self.on_disk and not Path(self.where).is_absolute() and not self.where.startswith(".")
        configuration = f"/{self.configuration}" if self.configuration else ""
        return (
            f"hf://{'./' if relative else ''}{self.where}{configuration}{f'@{self.revision}' if self.revision else ''}"
        )


def rows_of(place: DatasetLocation, split: str, scratch: str):
    """The rows of a split. A folder's Arrow copy goes to `scratch`, which must outlive them; the Hub's to its cache.

    Raises DataError where the data set is unusable, UserError where the Hub refuses or does not answer.
    """
    saved = place.on_disk and any((Path(place.where) / name).is_file() for name in ("state.json", "dataset_dict.json"))
    rows = _saved_rows(place, split) if saved else _built_rows(place, split, scratch)
    if rows is None or not rows.num_rows:
        raise DataError(f"{place}: the split {split} holds no rows", "choose another with --hub_split")
    return rows


def _saved_rows(place: DatasetLocation, split: str):
    """The rows that Dataset.save_to_disk or DatasetDict.save_to_disk wrote; None where there are none."""
    import datasets

    folder = Path(place.where)
    try:
        if (folder / "dataset_dict.json").is_file():
            _check_split(json.loads((folder / "dataset_dict.json").read_text())["splits"], split, place)
            return datasets.load_from_disk(str(folder / split))
        rows = datasets.load_from_disk(str(folder))
    except IndexError:  # what datasets does with a split that was saved without rows
        return None
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{place} is no whole saved data set: {_line(error)}", COPY_AGAIN) from error
    _check_split([str(rows.split or "train")], split, place)
    return rows


def _built_rows(place: DatasetLocation, split: str, scratch: str):
    """The rows that datasets finds in data files; None where there are none."""
    import datasets
    import httpx2  # the client that huggingface_hub brings
    import yaml

    builder = None
    try:
        if place.on_disk:
            folder = str(Path(place.where).resolve())
            builder = datasets.load_dataset_builder(folder, place.configuration, cache_dir=scratch)
        else:
            builder = _hub_builder(place)
        builder.download_and_prepare()
        _check_split(builder.info.splits, split, place)
        return builder.as_dataset(split=split) if builder.info.splits[split].num_examples else None
    except RuntimeError as error:
        if "scripts are no longer supported" not in str(error):
            raise
        hint = "ask its author for Parquet, CSV or JSON Lines files, or convert it where you trust the program"
        raise DataError(f"{place} is made by a program (.py), and code from a data set is not run", hint) from error
    except (OSError, ValueError, httpx2.HTTPError, yaml.YAMLError, zipfile.BadZipFile) as error:
        raise _explained(error, place, builder) from error
    except (datasets.exceptions.DatasetsError, StopIteration) as error:  # StopIteration: an empty file of JSON Lines
        raise _explained(error, place, builder) from error


def _hub_builder(place: DatasetLocation):
    """The builder of a data set of the Hub; of the local cache where the Hub does not answer one quick question."""
    import datasets
    import httpx2
    from huggingface_hub import HfApi
    from huggingface_hub import errors as hub

    timeout = httpx2.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS)
    try:
        info = HfApi().dataset_info(place.where, revision=place.revision, timeout=timeout)
    except hub.HFValidationError as error:
        raise UserError(f"{place} names no data set", f"the forms are {FORMS}") from error
    except hub.RevisionNotFoundError as error:
        raise UserError(
            f"the Hub's data set {place.where} has no revision {place.revision}", "check its name"
        ) from error
    except hub.OfflineModeIsEnabled as error:
        return _cached_builder(place, "HF_HUB_OFFLINE is set", error)
    except (httpx2.HTTPError, hub.HfHubHTTPError) as error:
        if isinstance(error, hub.HfHubHTTPError) and (
            isinstance(error, hub.RepositoryNotFoundError) or error.response.status_code == 401
        ):
            hint = "check the name; for a private one, log in with `hf auth login`"
            raise UserError(f"the Hub has no data set {place.where} that is yours to read", hint) from error
        reason = str(error).partition("\n")[0]
        return _cached_builder(place, f"the Hub does not answer ({reason})", error)
    if info.id != place.where:
        log.warning("%s is hf://%s on the Hub, and in the local cache", place, info.id)
    datasets.config.USE_PARQUET_EXPORT = False  # or it asks a second server for the types of the columns
    # "hf://datasets/" means: never a folder of that name here.
    builder = datasets.load_dataset_builder(f"hf://datasets/{info.id}", place.configuration, revision=place.revision)
    if builder.hash != info.sha:  # datasets falls back on any commit in its cache
        raise UserError(f"{place}: the Hub names commit {info.sha} and does not give it", "try again in a while")
    return builder


def _cached_builder(place: DatasetLocation, why: str, error: Exception):
    """The builder of what is in the local cache of the revision, as it was when it was last downloaded."""
    import datasets
    from datasets.naming import camelcase_to_snakecase
    from datasets.packaged_modules.cache.cache import Cache
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    user, _, name = place.where.rpartition("/")
    options = {"repo_type": "dataset", "revision": place.revision, "allow_patterns": [], "local_files_only": True}
    try:
        commit = Path(snapshot_download(place.where, **options)).name
    except LocalEntryNotFoundError:
        commit = "none"
    folder = Path(datasets.config.HF_DATASETS_CACHE, f"{user}___{camelcase_to_snakecase(name)}")
    by_configuration = {found.parts[-3]: found for found in sorted(folder.glob(f"*/*/{commit}")) if _is_plain(found)}
    if not by_configuration:
        hint = "where there is a network, download its files and name them as --data_path, or load it there and copy"
        raise UserError(
            f"{place} is not in the local cache and {why}", f"{hint} the Hugging Face cache (HF_HOME names it)"
        ) from error
    configuration = place.configuration or next(iter(by_configuration))
    if configuration not in by_configuration or (len(by_configuration) > 1 and not place.configuration):
        raise _which_configuration(place, ", ".join(by_configuration), " in the local cache")
    log.warning("%s: %s; read from the local cache, commit %s", place, why, commit)
    version = by_configuration[configuration].parts[-2]
    return Cache(repo_id=place.where, dataset_name=name, config_name=configuration, version=version, hash=commit)


def _is_plain(cached: Path) -> bool:
    """Whether a folder of the cache was made without options that another program gave to datasets."""
    return json.loads((cached / "dataset_info.json").read_text())["config_name"] == cached.parts[-3]


def _which_configuration(place: DatasetLocation, names: str, where: str = "") -> DataError:
    asked = (
        f"no configuration {place.configuration}{where}; there are"
        if place.configuration
        else f"several configurations{where}:"
    )
    example = replace(place, configuration=names.split(", ")[0])
    return DataError(f"{replace(place, configuration=None)} has {asked} {names}", f"name one, as in {example}")


def _explained(error: Exception, place: DatasetLocation, builder) -> UserError:
    """What the user is told of what datasets raised; each class was seen to come."""
    from datasets import data_files, exceptions

    listed = CONFIGURATIONS_LISTED.search(str(error)) if isinstance(error, ValueError) else None
    if listed:
        return _which_configuration(place, re.sub(r"[\[\]']", "", listed[1]))
    if isinstance(error, data_files.EmptyDatasetError | exceptions.DataFilesNotFoundError):
        hint = "expected are CSV, JSON, JSON Lines, Parquet or text files; the folder's path may not have [ ] * ?"
        return DataError(f"{place} holds no data files", hint)
    if isinstance(error, exceptions.DatasetNotFoundError):
        return UserError(f"{place}: {_line(error)}", "log in with `hf auth login`, and ask for access on its page")
    if isinstance(error, exceptions.SplitsVerificationError):
        problem = f"{place}: its README.md announces other splits or numbers of rows than there are"
        return DataError(f"{problem}: {_line(error)}", "download it again, or correct dataset_info in its README.md")
    reason = _line(error.__cause__ or error)
    if isinstance(error, StopIteration) or "BatchSize must be" in reason:
        reason = "a file holds no rows"
    if place.on_disk or isinstance(error, ValueError | StopIteration | exceptions.DatasetGenerationError):
        splits = builder.config.data_files or {} if builder else {}
        files = sorted({Path(file).name for split in splits.values() for file in split})
        among = f" ({', '.join(files[:5])}{', …' if files[5:] else ''})" if files else ""
        return DataError(f"{place}{among} cannot be read: {reason}", COPY_AGAIN)
    return UserError(f"{place} cannot be downloaded: {reason}", "try again; whole files are kept")


def _check_split(present, split: str, place: DatasetLocation) -> None:
    if split not in present:
        names = ", ".join(present)
        raise DataError(f"{place} has no split {split}; it has {names}", f"choose one with --hub_split: {names}")


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]


PREFIX = "hf://"
HUB_NAME = re.compile(r"([\w.-]+(?:/[\w.-]+)?)(?:/([^/@]+))?(?:@(.+))?")
CONFIGURATION_NAME = re.compile(r"""^[-\s]*config_name:\s*["']?(.*?)["']?\s*$""", re.MULTILINE)


def is_hub_path(path: str) -> bool:
    """Whether `path` names a data set rather than a file."""
    return path.startswith(PREFIX)


def read_hub_dataset(path: str, split: str) -> tuple[dict[str, list[str | None]], str]:
    """(columns of text, SHA-256) of one split of hf://user/name, …/CONFIG, …@REVISION or hf://./folder.

    Numbers, true and false, and nested values are as JSON has them, dates ISO 8601, labels their names (-1, no label,
    is None); columns of audio, images and the like are left out undecoded. The SHA-256 is of the list of the columns'
    names and of every row's list of cells, each as a line of JSON, in order: it is the same on every machine.
    A folder holds data files, with or without a README.md that declares configurations, or what save_to_disk wrote.
    Raises DataError where the data set is unusable, UserError where the Hub refuses or does not answer.
    """
    place = _place_of(path)
    _keep_libraries_quiet()
    # The Arrow copy that datasets makes of a folder goes with the block; the cells are Python strings by then.
    with warnings.catch_warnings(), tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        warnings.simplefilter("ignore")
        columns = _columns(rows_of(place, split, scratch), place)
    digest = hashlib.sha256(json.dumps(list(columns)).encode())
    for row in zip(*columns.values(), strict=True):
        digest.update(b"\n" + json.dumps(row).encode())
    return columns, digest.hexdigest()


def _place_of(path: str) -> DatasetLocation:
    name = path.removeprefix(PREFIX)
    if name.startswith((".", "/", "~")) or Path(name).is_absolute():
        return _place_on_disk(Path(name).expanduser())
    found = HUB_NAME.fullmatch(name.removeprefix("datasets/"))
    if not found:
        raise UserError(f"{path} names no data set", f"the forms are {FORMS}")
    return DatasetLocation(*found.groups(), on_disk=False)


def _place_on_disk(folder: Path) -> DatasetLocation:
    """`folder`, or one of the configurations that the README.md of the folder around it declares."""
    card = folder.parent / "README.md"
    text = card.read_text(encoding="utf-8", errors="replace") if card.is_file() else ""
    declared = CONFIGURATION_NAME.findall(text) if text.startswith("---") else []
    if folder.name in declared or (declared and not folder.exists()):
        return DatasetLocation(str(folder.parent), folder.name, None, on_disk=True)
    if not folder.is_dir():
        raise DataError(f"there is no folder {folder}", f"check the path; the forms are {FORMS}")
    return DatasetLocation(str(folder), None, None, on_disk=True)


def _keep_libraries_quiet() -> None:
    """Progress bars on a terminal alone and no log lines: what matters in them is in our errors."""
    import datasets
    import huggingface_hub

    for library in ("datasets", "huggingface_hub"):
        logging.getLogger(library).setLevel(logging.CRITICAL)
    if not sys.stderr.isatty():
        datasets.disable_progress_bars()
        huggingface_hub.utils.disable_progress_bars()


def _columns(rows, place: DatasetLocation) -> dict[str, list[str | None]]:
    media = [name for name, feature in rows.features.items() if _is_media(feature)]
    if media:
        log.warning("%s: left out %s: audio, images and the like are no text", place, ", ".join(media))
    kept = [name for name in rows.features if name not in media]
    if not kept:
        raise DataError(f"{place} has no column of text", "choose a data set of texts")
    table = rows.select_columns(kept).with_format("arrow")[:]
    columns = {name: [as_text(_plain(cell, rows.features[name])) for cell in table[name].to_pylist()] for name in kept}
    if rows.info.builder_name == "csv" and (guessed := [name for name in kept if _is_guessed(name, rows, columns)]):
        advice = (
            "datasets guesses what CSV cells are (007 becomes 7, NA null); name the CSV file itself to have its text"
        )
        log.warning("%s: columns %s: %s", place, ", ".join(guessed), advice)
    return columns


def _is_guessed(name: str, rows, columns: dict) -> bool:
    return getattr(rows.features[name], "dtype", None) not in ("string", "large_string") or None in columns[name]


def _is_media(feature) -> bool:
    """Whether the cells are, or hold, something that datasets would decode: audio, images, PDF, …"""
    parts = feature.values() if isinstance(feature, dict) else [getattr(feature, "feature", None)]
    return _kind(feature) != "Json" and (
        hasattr(feature, "decode_example") or any(_is_media(part) for part in parts if part is not None)
    )


def _plain(cell, feature):
    """A cell with labels as their names and dates as ISO 8601, at any depth."""
    if cell is None:
        return cell
    if _kind(feature) == "ClassLabel":
        return None if cell == -1 else feature.int2str(cell)
    if _kind(feature) == "Json":
        return json.loads(cell)
    if isinstance(cell, date | time):  # a datetime is a date
        return cell.isoformat()
    if isinstance(cell, list):
        return [_plain(part, getattr(feature, "feature", None)) for part in cell]
    if isinstance(cell, dict):
        return {
            key: _plain(part, feature.get(key) if isinstance(feature, dict) else None) for key, part in cell.items()
        }
    return cell


def _kind(feature) -> str:
    return type(feature).__name__
