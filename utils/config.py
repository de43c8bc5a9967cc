"""Settings from a file or from Python, as command-line arguments."""

import argparse
import datetime
import json
import numbers
import os
from pathlib import Path

from utils.errors import UsageError
from utils.system_errors import read_file


def read_config(path: Path) -> dict:
    """Return the settings in a YAML or JSON file by their names. UsageError where it is none."""
    try:
        text = read_file(path).decode().replace("\r\n", "\n")
    except OSError as error:
        raise UsageError(
            f"cannot read {path}: {error.strerror}", "name a YAML file, or the run.json of a model, after --config"
        ) from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not YAML: {error}", "write one `flag: value` per line") from error
    settings = _read_json(path, text) if path.suffix == ".json" else None  # YAML's reader takes seconds for a run.json
    if settings is None:
        settings = _read_yaml(path, text)
    if not isinstance(settings, dict):
        raise UsageError(f"{path} contains no settings", "write one `flag: value` per line")
    return settings


def is_run_record(settings: dict) -> bool:
    """Return whether these are the contents of a model's run.json."""
    return isinstance(settings.get("arguments"), dict) and "base_model" in settings


def flag_arguments(source: str, flag: str, action: argparse.Action, value: object) -> list[str]:
    """Return the arguments that give `value` to a flag; none where it is None. UsageError where it cannot be.

    `source` says in errors where the value comes from.
    """
    if action.nargs == 0:
        if not isinstance(value, bool | None):
            raise UsageError(f"{source}: {flag[2:]} is {value!r}, expected true or false", f"write `{flag[2:]}: true`")
        return [flag] if value else []
    one_flag_for_all = action.nargs not in (None, "?")
    takes_several = one_flag_for_all or isinstance(action, argparse._AppendAction)
    values = value if isinstance(value, list | tuple) and takes_several else [value]
    values = [item for item in values if item is not None]  # a key without a value keeps the default
    for item in values:
        # YAML reads an unquoted no as false, which only flags with true or false for a value can mean
        is_wrong = isinstance(item, bool) and action.nargs != "?"
        if is_wrong or not isinstance(item, str | numbers.Real | os.PathLike | datetime.date):
            raise UsageError(f"{source}: {flag[2:]} is {item!r}, expected text or a number", "put quotes around text")
    if one_flag_for_all and values:
        return [flag, *map(_text, values)]
    return [f"{flag}={_text(item)}" for item in values]


def _text(value: object) -> str:
    return os.fspath(value) if isinstance(value, os.PathLike) else str(value)


def _read_json(path: Path, text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return None
    except RecursionError as error:
        raise UsageError(f"{path} is nested too deeply", "write one `flag: value` per line") from error


def _read_yaml(path: Path, text: str) -> object:
    import yaml

    try:
        return yaml.safe_load(text)
    except RecursionError as error:
        raise UsageError(f"{path} is nested too deeply", "write one `flag: value` per line") from error
    except yaml.YAMLError as error:
        raise UsageError(f"{path} is not YAML: {error}", "write one `flag: value` per line") from error
