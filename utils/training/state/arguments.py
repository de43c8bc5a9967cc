"""arguments.json: the flags and data that must be the same when an interrupted run continues."""

import json
from collections.abc import Mapping, Sequence, Set
from pathlib import Path

from utils.errors import UsageError, UserError
from utils.training.state.state_files import ARGUMENTS_FILE, read_object

RENAMED_FLAGS = {"average_runs": "model_soup"}  # old name → new, in the states that earlier versions wrote
# Flags that earlier versions lacked, and the behaviour of their runs.
ADDED_FLAGS = {"lr_scheduler_type": "linear", "eval_strategy": None, "eval_on_start": None, "time_limit": None}
ADDED_FLAGS |= {"lora": None, "lora_alpha": 32, "lora_dropout": 0.0, "lora_target": "all-linear", "load_in_4bit": False}
ADDED_FLAGS |= {"base_model": None, "folds": None, "with_baseline": "off"}
FREE_TO_CHANGE = {"config", "data_path", "logging_steps", "output_path", "overwrite", "report_to", "resume"}
FREE_TO_CHANGE |= {"export", "export_type", "label_errors", "save_adapter"}
FREE_TO_CHANGE |= {"keep_prefix_cache", "prefix_cache", "prefix_cache_gb"}


def unchangeable_flags(flags: Mapping, **further: object) -> dict:
    """Return the values that must be equal when an interrupted run continues, after a round trip through JSON."""
    fixed = {name: value for name, value in flags.items() if name not in FREE_TO_CHANGE}
    return json.loads(json.dumps(fixed | further))


def read_arguments(folder: Path, now: Mapping) -> dict | None:
    """Return the saved flags, with earlier versions' behaviour for those among the flags of `now` that they lack."""
    path = folder / ARGUMENTS_FILE
    if not path.is_file():
        return None
    saved = open_arguments(path)
    added = {name: value for name, value in ADDED_FLAGS.items() if name in now}
    return added | {RENAMED_FLAGS.get(name, name): value for name, value in saved.items()}


def require_same(before: dict, now: dict, problem: str) -> None:
    differing = [name for name in before | now if before.get(name) != now.get(name)]
    if differing:
        old, new = ({name: values.get(name) for name in differing} for values in (before, now))
        raise UsageError(
            f"{problem}: it had {old}, and now there is {new}",
            "give the same flags and data to continue it, or --overwrite to start from scratch",
        )


def require_ours(folder: Path, purpose: str, fields: Set[str], foreign: Sequence[Path]) -> None:
    """Raise UserError if `folder` is not a folder or another program's, or has `foreign` files with names of ours."""
    path, hint = folder / ARGUMENTS_FILE, "move it elsewhere, or choose another --output_path"
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is needed for the {purpose}, but is a file", hint)
    if path.exists() and not fields <= open_arguments(path).keys():
        raise UserError(f"{path} is not fine_tune.py's, and {folder} is needed for the {purpose}", hint)
    if foreign:
        raise UserError(f"{foreign[0]} is in the place of the {purpose}, but not of this run", hint)


def open_arguments(path: Path) -> dict:
    """Return arguments.json's content. UserError where it is damaged."""
    if (arguments := read_object(path)) is None:
        raise UserError(f"{path} is damaged", f"restore it, or remove {path.parent} to start from scratch")
    return arguments
