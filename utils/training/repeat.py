"""Repeating a run: the flags that a model's run.json records."""

import logging
from collections.abc import Set
from importlib.metadata import version
from pathlib import Path

from utils.distributed import world_size
from utils.errors import UsageError, UserError
from utils.files import sha256_of

log = logging.getLogger(__name__)
# The user names a new output, the flags include the settings that a search found, and folds don't change the model.
NOT_REPEATED = {"config", "export", "export_type", "folds", "label_errors", "output_path", "overwrite", "resume"}
NOT_REPEATED |= {"search"}


def settings_of_run(path: Path, run: dict, given: Set[str]) -> dict:
    """Return the flags of the run that wrote the run.json at `path`, for all that are not `given` anew.

    The same data, base model, precision and device give the same weights, and a warning says what else differs.
    UsageError where there is no new output path, UserError where the data has changed.
    """
    arguments = {name: value for name, value in run["arguments"].items() if name not in NOT_REPEATED}
    if "output_path" not in given:
        raise UsageError(f"{path} records how to repeat a run, but not a new output", "add --output_path models/NAME")
    if arguments.get("unfreeze_last", 0) is None:
        arguments["unfreeze_last"] = "all"
    chosen = {"model": "base_model", "precision": "precision", "device": "device"}  # where the flags left it open
    arguments |= {flag: run[name] for flag, name in chosen.items() if name in run}
    if "time_limit" in run and "time_limit" not in given:
        steps = run["time_limit"]["steps"] // (arguments.get("model_soup") or 1)
        arguments |= {"time_limit": None, "max_steps": steps}
        log.warning(
            "warning: %s records a run with a time limit: its %d steps are repeated, but with learning rates by step "
            "and not by the clock, so the weights will differ",
            *(path, steps),
        )
    data = Path(arguments.get("data_path") or "")
    recorded = run.get("data", {}).get("sha256")
    if "data_path" not in given and data.is_file() and recorded not in (None, sha256_of(data)):
        hint = "restore it, or name the data with --data"
        raise UserError(f"{data} has changed since the run that {path} records", hint)
    _warn_of_differences(path, run)
    return {name: value for name, value in arguments.items() if name not in given}


def _warn_of_differences(path: Path, run: dict) -> None:
    there = {**run.get("versions", {}), "processes": run.get("processes", 1)}
    here = {**{name: version(name) for name in run.get("versions", {})}, "processes": world_size()}
    differing = [f"{name} {there[name]}, here {here[name]}" for name in there if there[name] != here[name]]
    if differing:
        log.warning("warning: the weights will differ from those of %s: it had %s", path, "; ".join(differing))
