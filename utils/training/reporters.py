"""Where a run is logged beside its own log: W&B and TensorBoard. Neither stops a run that has begun."""

import configparser
import importlib.util
import logging
import netrc
import os
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
    settings = configparser.ConfigParser()  # what `wandb offline` writes
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
    """Return a callback for each reporter. What it raises is a warning, after which the run goes on without it."""
    from transformers.integrations import WandbCallback

    openers = {"wandb": WandbCallback, "tensorboard": lambda: _tensorboard_callback(output_path)}
    return [_guarded(name, openers[name]) for name in names if name != "none"]


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

    def attempt(call: Callable[[], object]) -> object:
        try:
            return call()
        except Exception as error:  # whatever a package, its server or its disk does
            reporters.clear()
            reason = (str(error).strip() or type(error).__name__).partition("\n")[0]
            log.warning("warning: %s failed, and the run goes on without it: %s", name, reason)

    def passing(event: str) -> Callable:
        def on_event(self, args, state, control, **kwargs):
            if reporters:
                return attempt(lambda: getattr(reporters[0], event)(args, state, control, **kwargs))

        return on_event

    events = [event for event in dir(TrainerCallback) if event.startswith("on_")]
    attempt(lambda: reporters.append(opener()))
    return type("ReporterCallback", (TrainerCallback,), {event: passing(event) for event in events})()
