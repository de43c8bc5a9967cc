"""Refuse dataset folders with links to the outside, decompression bombs or deep nesting, before datasets opens them.

datasets itself follows links and addresses, unpacks any archive, and its JSON reader ends the process where values are
nested too deeply.
"""

import itertools
import json
import os
import re
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from utils.errors import DataError
from utils.reading.compressed import DAMAGES, OPENERS, check_expansion, open_decompressed

SYSTEM_FOLDERS = ("/proc", "/sys", "/dev")
MOST_FILES, LARGEST_CARD, LARGEST_SETTING = 150_000, 2 << 20, 1_000_000
DEEPEST_JSON = 500
JSON_ENDINGS = (".json", ".jsonl", ".ndjson")
IN_QUOTES = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
ELSEWHERE = re.compile("://|::|^~")
NAME_FILE = "name that file itself as --data_path, if you want it"
NAME_SMALLER = "name the folder that holds the data files"
COPY_AGAIN = "copy or download the dataset again, or correct that file"


def check_dataset_folder(folder: Path, name: str) -> None:
    """Raise DataError, before datasets opens a folder, where it would search or read outside of it."""
    place = folder.resolve()
    if place == Path(place.anchor) or any(place.is_relative_to(system) for system in SYSTEM_FOLDERS):
        raise DataError(f"{name} is not the folder of a dataset, it belongs to the system", NAME_SMALLER)
    entries = itertools.chain.from_iterable(files for _, _, files in os.walk(place))
    if next(itertools.islice(entries, MOST_FILES, None), None) is not None:
        raise DataError(f"{name} holds more than {MOST_FILES:,} files", NAME_SMALLER)
    for file in (place / "README.md", place / "dataset_infos.json"):
        if file.is_file() and file.stat().st_size > LARGEST_CARD:
            raise DataError(f"{name}: {file.name} is larger than {LARGEST_CARD:,} bytes", "shorten or remove it")
    for pattern in _patterns_of_card(place / "README.md", name):
        inside = pattern.removeprefix(f"{place}/")
        path = os.path.normpath(inside)
        if ELSEWHERE.search(inside) or Path(path).is_absolute() or Path(path).parts[:1] == ("..",):
            raise DataError(f"{name}: its README.md names {pattern}, which is not in the folder", NAME_FILE)


def check_data_files(folder: Path, files: Iterable[str], settings: object, name: str) -> None:
    """Raise DataError where one of the files that datasets found is not in the folder, or must not be opened.

    In the cache of the Hub, a dataset's files are links into the folder `blobs` beside it. `settings` is the
    configuration with the README.md's own options for the reader.
    """
    roots = [folder.resolve()]
    if roots[0].parent.name == "snapshots":
        roots.append(roots[0].parent.parent / "blobs")
    for option in ("skiprows", "skipfooter", "header"):
        value = getattr(settings, option, None)
        if isinstance(value, int) and value > LARGEST_SETTING:
            raise DataError(f"{name}: its README.md says {option}: {value}", "correct it, or remove it")
    for file in files:
        if not any(Path(os.path.realpath(file)).is_relative_to(root) for root in roots):
            raise DataError(f"{name}: {file} is not in the folder", NAME_FILE)
        _check_size(file)
        if file.lower().removesuffix(".gz").endswith(JSON_ENDINGS):
            _check_depth(file)


def read_json_file(path: Path, kind: type, name: str):
    """Return the JSON in a small file of a dataset; DataError where it is damaged or of another kind."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{name} is not a complete saved dataset: {path.name}: {error}", COPY_AGAIN) from error
    if not isinstance(value, kind):
        raise DataError(f"{name} is not a complete saved dataset: {path.name} holds no {kind.__name__}", COPY_AGAIN)
    return value


def check_saved_files(folder: Path, name: str) -> None:
    """Raise DataError where the files of rows that save_to_disk wrote are said to be elsewhere."""
    if not (folder / "state.json").is_file():
        return
    files = read_json_file(folder / "state.json", dict, name).get("_data_files")
    names = [file.get("filename") if isinstance(file, dict) else file for file in files or ()]
    for file in names:
        if not isinstance(file, str) or Path(file).name != file or (folder / file).is_symlink():
            raise DataError(f"{name}: its state.json names {file}, which is not in the folder", NAME_FILE)


def _patterns_of_card(card: Path, name: str) -> Iterator[str]:
    """Yield the paths and patterns of data files in the configurations of a README.md."""
    import yaml

    text = card.read_text(encoding="utf-8", errors="replace") if card.is_file() else ""
    if not text.startswith("---"):
        return
    try:
        settings = yaml.safe_load(text[3:].partition("\n---")[0])
    except RecursionError as error:
        raise DataError(f"{name}: its README.md is nested too deeply", COPY_AGAIN) from error
    except (yaml.YAMLError, ValueError):
        return  # which datasets reports
    configurations = settings.get("configs") if isinstance(settings, dict) else None
    for configuration in configurations if isinstance(configurations, list) else ():
        if isinstance(configuration, dict):
            yield from _strings_in(configuration.get("data_files"), 4)
            yield from _strings_in(configuration.get("data_dir"), 1)


def _strings_in(value: object, depth: int) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif depth and isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _strings_in(part, depth - 1)


def _check_size(file: str) -> None:
    """Raise DataError for a compressed file that expands to an unreasonable size (`check_expansion`)."""
    ending = Path(file).suffix.lower()
    try:
        if ending in OPENERS:
            with open_decompressed(file) as opened:
                while opened.read(1 << 20):
                    pass
        elif ending == ".zip":
            with zipfile.ZipFile(file) as archive:
                size = sum(member.file_size for member in archive.infolist())
            check_expansion(file, size, Path(file).stat().st_size)
    except (OSError, *DAMAGES):
        return  # which datasets reports


def _check_depth(file: str) -> None:
    try:
        with open_decompressed(file) as opened:
            for number, line in enumerate(opened, 1):
                if line.count(b"[") + line.count(b"{") > DEEPEST_JSON and _depth(line) > DEEPEST_JSON:
                    raise DataError(f"{file}, line {number}: values are nested too deeply", COPY_AGAIN)
    except (OSError, *DAMAGES):
        return


def _depth(line: bytes) -> int:
    """Return how deeply the values in a line of JSON are nested."""
    steps = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
    brackets = re.sub(rb"[^][{}]+", b"", IN_QUOTES.sub(b"", line))
    return max(itertools.accumulate(map(steps.__getitem__, brackets)), default=0)
