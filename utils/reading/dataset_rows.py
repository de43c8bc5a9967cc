"""Where a data set lies → the rows of one split as a datasets.Dataset, or what is said where there are none."""

import json
import logging
import re
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path

from utils.errors import DataError, UserError

log = logging.getLogger(__name__)

FORMS = "hf://user/name, hf://user/name/CONFIG, hf://user/name@REVISION or, for a folder on disk, hf://./folder"
CONNECT_SECONDS, ANSWER_SECONDS = 2, 5
CONFIGURATIONS_LISTED = re.compile(r"vailable(?: configs)?: (\[.*\])")  # in the ValueErrors of datasets
COPY_AGAIN = "copy or download the data set again, or correct that file"


@dataclass(frozen=True)
class Place:
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


def rows_of(place: Place, split: str, scratch: str):
    """The rows of a split. A folder's Arrow copy goes to `scratch`, which must outlive them; the Hub's to its cache.

    Raises DataError where the data set is unusable, UserError where the Hub refuses or does not answer.
    """
    saved = place.on_disk and any((Path(place.where) / name).is_file() for name in ("state.json", "dataset_dict.json"))
    rows = _saved_rows(place, split) if saved else _built_rows(place, split, scratch)
    if rows is None or not rows.num_rows:
        raise DataError(f"{place}: the split {split} holds no rows", "choose another with --hub_split")
    return rows


def _saved_rows(place: Place, split: str):
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


def _built_rows(place: Place, split: str, scratch: str):
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


def _hub_builder(place: Place):
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


def _cached_builder(place: Place, why: str, error: Exception):
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


def _which_configuration(place: Place, names: str, where: str = "") -> DataError:
    asked = (
        f"no configuration {place.configuration}{where}; there are"
        if place.configuration
        else f"several configurations{where}:"
    )
    example = replace(place, configuration=names.split(", ")[0])
    return DataError(f"{replace(place, configuration=None)} has {asked} {names}", f"name one, as in {example}")


def _explained(error: Exception, place: Place, builder) -> UserError:
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


def _check_split(present, split: str, place: Place) -> None:
    if split not in present:
        names = ", ".join(present)
        raise DataError(f"{place} has no split {split}; it has {names}", f"choose one with --hub_split: {names}")


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]
