"""Loggers beside a run's own log: W&B and TensorBoard. Neither stops a run that has begun."""

import configparser
import importlib.util
import json
import logging
import netrc
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from utils.errors import UsageError

if TYPE_CHECKING:
    from transformers import TrainerCallback

log = logging.getLogger(__name__)
INSTALL = "pip install -r requirements-reporters.txt"
WANDB_SERVER = "https://api.wandb.ai"
_opened: set[str] = set()  # the ids of W&B's runs that a training has begun, and no notebook
WITHOUT_SERVER = ("offline", "disabled", "dryrun")


def check_reporters(names: Sequence[str]) -> None:
    """Raise UsageError before any work for a --report_to that is not installed, or W&B without a login."""
    for name in names:
        if name != "none" and importlib.util.find_spec(name) is None:
            raise UsageError(f"--report_to {name}, but {name} is not installed", INSTALL)
    if "wandb" in names and not _wandb_works_offline() and not _wandb_has_login():
        raise UsageError(
            "--report_to wandb, but nobody is logged in to W&B here",
            "run: wandb login (or set WANDB_API_KEY), or set WANDB_MODE=offline, or leave out --report_to wandb",
        )


def _wandb_works_offline() -> bool:
    if mode := os.environ.get("WANDB_MODE"):
        return mode.lower() in WITHOUT_SERVER
    if os.environ.get("WANDB_DISABLED", "").lower() in ("1", "true", "yes"):
        return True
    settings = configparser.ConfigParser()  # the setting that `wandb offline` writes
    settings.read(Path(os.environ.get("WANDB_DIR", "."), "wandb", "settings"))
    return settings.get("default", "mode", fallback="") in WITHOUT_SERVER


def _wandb_has_login() -> bool:
    if os.environ.get("WANDB_API_KEY") or os.environ.get("WANDB_IDENTITY_TOKEN_FILE"):
        return True
    server = urlsplit(os.environ.get("WANDB_BASE_URL") or WANDB_SERVER).hostname
    path = Path(os.environ.get("NETRC") or "~/.netrc").expanduser()
    try:
        return netrc.netrc(path).authenticators(server) is not None
    except (OSError, netrc.NetrcParseError):
        return False


def reporter_callbacks(names: Sequence[str], output_path: Path) -> list["TrainerCallback"]:
    """Return a callback for each reporter. What it raises is a warning, after which the run continues without it."""
    openers = {"wandb": _wandb_callback, "tensorboard": lambda: _tensorboard_callback(output_path)}
    return [_guarded(name, openers[name]) for name in names if name != "none"]


def log_report(names: Sequence[str], audit: dict, record: dict, history: list[dict], picture: Path | None) -> None:
    """Log the data's audit, run.json, log.jsonl and training.svg as an artifact of W&B, if a run is logged there."""
    run = getattr(sys.modules.get("wandb"), "run", None) if "wandb" in names else None
    if run is None:  # disabled, or it failed before
        return

    def log_and_finish() -> None:
        artifact = sys.modules["wandb"].Artifact(f"report-{run.id}", type="report")
        lines = [json.dumps(entry, ensure_ascii=False) + "\n" for entry in history]
        texts = {"audit.json": _indented(audit), "run.json": _indented(record), "log.jsonl": "".join(lines)}
        for name, text in texts.items():
            with artifact.new_file(name, encoding="utf-8") as file:
                file.write(text)
        if picture:
            artifact.add_file(str(picture), name="training.svg")
        run.log_artifact(artifact)
        if run.id in _opened:
            run.finish()  # or a notebook's next training would continue it

    _attempt("wandb", log_and_finish)


def _indented(value: dict) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _wandb_callback() -> "TrainerCallback":
    """Return a callback that logs figures, and at each evaluation a table of all samples so far."""
    from transformers.integrations import WandbCallback

    class WithSamples(WandbCallback):
        def setup(self, args, state, model, **kwargs):
            opens = self._wandb.run is None
            super().setup(args, state, model, **kwargs)
            if opens and self._wandb.run is not None:
                _opened.add(self._wandb.run.id)

        def on_evaluate(self, args, state, control, **kwargs):
            logged = [(entry["step"], text) for entry in state.log_history for text in entry.get("samples", ())]
            if logged and state.is_world_process_zero:
                table = self._wandb.Table(columns=["step", "text"], data=list(map(list, logged)))
                self._wandb.log({"samples": table, "train/global_step": state.global_step})

    return WithSamples()


def _tensorboard_callback(output_path: Path) -> "TrainerCallback":
    """Return a callback that writes beside the output (or to TENSORBOARD_LOGGING_DIR): the state folder is removed."""
    from transformers.integrations import TensorBoardCallback

    callback = TensorBoardCallback()
    folder = output_path.with_name(f"{output_path.name.removesuffix('.pt')}.tensorboard")
    callback.logging_dir = callback.logging_dir or str(folder / time.strftime("%Y%m%d-%H%M%S"))
    log.info("for TensorBoard: tensorboard --logdir %s", callback.logging_dir)
    return callback


def _guarded(name: str, opener: Callable[[], "TrainerCallback"]) -> "TrainerCallback":
    """Return a callback that passes all events on until the reporter raises; its code is not ours."""
    from transformers import TrainerCallback

    reporters = []

    def passing(event: str) -> Callable:
        def on_event(self, args, state, control, **kwargs):
            if reporters and not _attempt(name, lambda: getattr(reporters[0], event)(args, state, control, **kwargs)):
                reporters.clear()

        return on_event

    events = [event for event in dir(TrainerCallback) if event.startswith("on_")]
    _attempt(name, lambda: reporters.append(opener()))
    return type("ReporterCallback", (TrainerCallback,), {event: passing(event) for event in events})()


def _attempt(name: str, call: Callable[[], object]) -> bool:
    """Call, and return whether that worked; what it raises is a warning."""
    try:
        call()
    except Exception as error:  # whatever a package, its server or its disk does
        reason = (str(error).strip() or type(error).__name__).partition("\n")[0]
        log.warning("warning: %s failed, and the run continues without it: %s", name, reason)
        return False
    return True
