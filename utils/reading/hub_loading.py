"""Load one split of a dataset, from the Hugging Face Hub or a folder on disk, and explain a failure."""

import itertools
import json
import logging
import re
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path

from utils.errors import DataError, UserError
from utils.reading.hub.dataset_folders import (
    COPY_AGAIN,
    check_data_files,
    check_dataset_folder,
    check_saved_files,
    read_json_file,
)
from utils.system_errors import passed_through_our_code

log = logging.getLogger(__name__)

FORMS = "hf://user/name, hf://user/name/CONFIG, hf://user/name@REVISION or, for a folder on disk, hf://./folder"
CONNECT_SECONDS, ANSWER_SECONDS = 2, 5
CONFIGURATIONS_LISTED = re.compile(r"vailable(?: configs)?: (\[.*\])")  # in the ValueErrors of datasets


@dataclass(frozen=True)
class DatasetLocation:
    """A dataset, or one configuration of it; `str()` gives its address as people type it."""

    repo: str  # the Hub's repo_id, or a folder
    configuration: str | None
    revision: str | None
    on_disk: bool

    def __str__(self):
        relative = self.on_disk and not Path(self.repo).is_absolute() and not self.repo.startswith(".")
        configuration = f"/{self.configuration}" if self.configuration else ""
        revision = f"@{self.revision}" if self.revision else ""
        return f"hf://{'./' if relative else ''}{self.repo}{configuration}{revision}"


def load_split(location: DatasetLocation, split: str, scratch: str):
    """Return the rows of a split as a datasets.Dataset.

    The Arrow copy of a folder's files goes to the folder `scratch`, which must outlive the rows; that of the Hub's
    files to the cache. Raises DataError if the dataset is unusable, UserError if the Hub refuses or does not answer.
    """
    marks = [Path(location.repo) / name for name in ("state.json", "dataset_dict.json")]
    is_saved = location.on_disk and any(mark.is_file() for mark in marks)
    rows = _saved_rows(location, split) if is_saved else _built_rows(location, split, scratch)
    if rows is None or not rows.num_rows:
        raise DataError(f"{location}: the split {split} holds no rows", "choose another with --hub_split")
    return rows


def _saved_rows(location: DatasetLocation, split: str):
    """Return the rows that Dataset.save_to_disk or DatasetDict.save_to_disk wrote; None if there are none."""
    import datasets

    folder = Path(location.repo)
    try:
        if (folder / "dataset_dict.json").is_file():
            splits = read_json_file(folder / "dataset_dict.json", dict, str(location)).get("splits")
            if not isinstance(splits, list):
                problem = f"{location} is not a complete saved dataset: dataset_dict.json has no list of splits"
                raise DataError(problem, COPY_AGAIN)
            _check_split(list(map(str, splits)), split, location)
            folder /= split
        check_saved_files(folder, str(location))
        rows = datasets.load_from_disk(str(folder))
    except IndexError:  # raised for a split that was saved without rows
        return None
    except Exception as error:
        if isinstance(error, UserError) or passed_through_our_code(error):
            raise
        raise DataError(f"{location} is not a complete saved dataset: {_line(error)}", COPY_AGAIN) from error
    if folder == Path(location.repo):
        _check_split([str(rows.split or "train")], split, location)
    return rows


def _built_rows(location: DatasetLocation, split: str, scratch: str):
    """Return the rows that datasets finds in data files; None if there are none."""
    import datasets
    import httpx2  # the HTTP client of huggingface_hub
    import yaml

    builder = None
    try:
        if location.on_disk:
            folder = Path(location.repo).resolve()
            check_dataset_folder(folder, str(location))
            builder = datasets.load_dataset_builder(str(folder), location.configuration, cache_dir=scratch)
            files = itertools.chain.from_iterable((builder.config.data_files or {}).values())
            check_data_files(folder, files, builder.config, str(location))
        else:
            builder = _hub_builder(location)
        builder.download_and_prepare()
        _check_split(builder.info.splits, split, location)
        return builder.as_dataset(split=split) if builder.info.splits[split].num_examples else None
    except (
        *(OSError, ValueError, httpx2.HTTPError, yaml.YAMLError, zipfile.BadZipFile, datasets.exceptions.DatasetsError),
        StopIteration,  # an empty file of JSON Lines
    ) as error:
        raise _explained(error, location, builder) from error
    except Exception as error:  # settings and files that datasets did not expect raise anything
        if "scripts are no longer supported" in str(error):
            problem = f"{location} is made by a program (.py), and code from a dataset is not run"
            hint = "ask its author for Parquet, CSV or JSON Lines files, or convert it if you trust the program"
            raise DataError(problem, hint) from error
        if isinstance(error, UserError) or passed_through_our_code(error):
            raise
        raise _explained(error, location, builder) from error


def _hub_builder(location: DatasetLocation):
    """Return the builder of a dataset of the Hub; of the local cache if the Hub does not answer one quick question."""
    import datasets
    import httpx2
    from huggingface_hub import HfApi
    from huggingface_hub import errors as hub

    timeout = httpx2.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS)
    try:
        info = HfApi().dataset_info(location.repo, revision=location.revision, timeout=timeout)
    except hub.HFValidationError as error:
        raise UserError(f"{location} names no dataset", f"the forms are {FORMS}") from error
    except hub.RevisionNotFoundError as error:
        problem = f"the Hub's dataset {location.repo} has no revision {location.revision}"
        raise UserError(problem, "check its name") from error
    except hub.OfflineModeIsEnabled as error:
        return _cached_builder(location, "HF_HUB_OFFLINE is set", error)
    except (httpx2.HTTPError, hub.HfHubHTTPError) as error:
        if isinstance(error, hub.HfHubHTTPError) and (
            isinstance(error, hub.RepositoryNotFoundError) or error.response.status_code == 401
        ):
            hint = "check the name; for a private one, log in with `hf auth login`"
            raise UserError(f"the Hub has no dataset {location.repo} that you may read", hint) from error
        reason = str(error).partition("\n")[0]
        return _cached_builder(location, f"the Hub does not answer ({reason})", error)
    if info.id != location.repo:
        log.warning("%s is hf://%s on the Hub, and in the local cache", location, info.id)
    datasets.config.USE_PARQUET_EXPORT = False  # otherwise it asks a second server for the types of the columns
    path = f"hf://datasets/{info.id}"
    builder = datasets.load_dataset_builder(path, location.configuration, revision=location.revision)
    if builder.hash != info.sha:  # datasets falls back on any commit in its cache
        raise UserError(f"{location}: the Hub lists commit {info.sha} but does not send it", "try again in a while")
    return builder


def _cached_builder(location: DatasetLocation, why: str, error: Exception):
    """Return the builder of the revision in the local cache, as it was last downloaded."""
    import datasets
    from datasets.naming import camelcase_to_snakecase
    from datasets.packaged_modules.cache.cache import Cache
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    user, _, name = location.repo.rpartition("/")
    options = {"repo_type": "dataset", "revision": location.revision, "allow_patterns": [], "local_files_only": True}
    try:
        commit = Path(snapshot_download(location.repo, **options)).name
    except LocalEntryNotFoundError:
        commit = "none"
    folder = Path(datasets.config.HF_DATASETS_CACHE, f"{user}___{camelcase_to_snakecase(name)}")
    by_configuration = {path.parts[-3]: path for path in sorted(folder.glob(f"*/*/{commit}")) if _is_plain(path)}
    if not by_configuration:
        download = "on a machine with a network, download its files and name them as --data_path"
        hint = f"{download}, or load it there and copy the Hugging Face cache (HF_HOME names it)"
        raise UserError(f"{location} is not in the local cache and {why}", hint) from error
    configuration = location.configuration or next(iter(by_configuration))
    if configuration not in by_configuration or (len(by_configuration) > 1 and not location.configuration):
        raise _which_configuration(location, ", ".join(by_configuration), " in the local cache")
    log.warning("%s: %s; read from the local cache, commit %s", location, why, commit)
    version = by_configuration[configuration].parts[-2]
    return Cache(repo_id=location.repo, dataset_name=name, config_name=configuration, version=version, hash=commit)


def _is_plain(cached: Path) -> bool:
    """Return whether a folder of the cache was made without the options that another program gave to datasets."""
    return json.loads((cached / "dataset_info.json").read_text())["config_name"] == cached.parts[-3]


def _which_configuration(location: DatasetLocation, names: str, where: str = "") -> DataError:
    asked = f"several configurations{where}:"
    if location.configuration:
        asked = f"no configuration {location.configuration}{where}; there are"
    example = replace(location, configuration=names.split(", ")[0])
    return DataError(f"{replace(location, configuration=None)} has {asked} {names}", f"name one, as in {example}")


def _explained(error: Exception, location: DatasetLocation, builder) -> UserError:
    """Return our error for one that datasets raised; each class has occurred."""
    from datasets import data_files, exceptions

    listed = CONFIGURATIONS_LISTED.search(str(error)) if isinstance(error, ValueError) else None
    if listed:
        return _which_configuration(location, re.sub(r"[\[\]']", "", listed[1]))
    if isinstance(error, data_files.EmptyDatasetError | exceptions.DataFilesNotFoundError):
        hint = "expected CSV, JSON, JSON Lines, Parquet or text files; the folder's path must not contain [ ] * ?"
        return DataError(f"{location} holds no data files", hint)
    if isinstance(error, exceptions.DatasetNotFoundError):
        return UserError(f"{location}: {_line(error)}", "log in with `hf auth login`, and ask for access on its page")
    if isinstance(error, exceptions.SplitsVerificationError):
        problem = f"{location}: its README.md announces other splits or numbers of rows than there are"
        return DataError(f"{problem}: {_line(error)}", "download it again, or correct dataset_info in its README.md")
    reason = _line(error.__cause__ or error)
    if isinstance(error, StopIteration) or "BatchSize must be" in reason:
        reason = "a file holds no rows"
    if location.on_disk or isinstance(error, ValueError | StopIteration | exceptions.DatasetGenerationError):
        splits = builder.config.data_files or {} if builder else {}
        files = sorted({Path(file).name for split in splits.values() for file in split})
        among = f" ({', '.join(files[:5])}{', …' if files[5:] else ''})" if files else ""
        return DataError(f"{location}{among} cannot be read: {reason}", COPY_AGAIN)
    return UserError(f"{location} cannot be downloaded: {reason}", "try again; complete files are kept")


def _check_split(present, split: str, location: DatasetLocation) -> None:
    if split not in present:
        names = ", ".join(present)
        raise DataError(f"{location} has no split {split}; it has {names}", f"choose one with --hub_split: {names}")


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]
