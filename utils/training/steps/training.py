"""The search for settings, and the training with them."""

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path

from utils import distributed
from utils.errors import UserError
from utils.interrupts import ToldInterrupt, typed_command
from utils.training.freezing import describe_parameters
from utils.training.model_soup import train_soup
from utils.training.state.run_state import begin_run, keep_complete_checkpoints
from utils.training.state.state_files import checkpoints, is_complete
from utils.training.steps.prepared import PreparedRun
from utils.training.train import TrainingOutcome

log = logging.getLogger(__name__)


def search_for_settings(run: PreparedRun) -> dict:
    """Set the flags to the best settings that a search finds, freeze the model so, and return the search's record."""
    from utils.training.search.search import search_settings  # it takes Optuna and SQLAlchemy

    flags, request = run.flags, run.request
    shared = run.settings, request.data_sha256, run.prefix_cache, run.time_limit
    best, record = search_settings(run.setup, flags, request.searchable, *shared)
    vars(flags).update(best)
    run.setup.freeze(run.setup.base.model, flags.unfreeze_last)
    return record


def train_run(run: PreparedRun) -> TrainingOutcome:
    """Train the model of a run that `begin_training` has begun."""
    setup, folder, resume = run.setup, run.request.state_folder, run.flags.resume
    if run.flags.folds:  # the interruption may have been in one of them
        resume = resume and any(map(is_complete, checkpoints(folder)))
    shared = run.settings, folder, resume, run.prefix_cache, run.time_limit
    return train_soup(setup.base.model, setup.objective, setup.rows["train"], run.validation, *shared)


def begin_training(run: PreparedRun) -> None:
    """Say what will train, and empty the state for a new run, or check that it is of the run to resume."""
    log.info(describe_parameters(run.setup.base.model))
    if run.flags.load_in_4bit:
        log.info("validation sees the frozen weights in 4 bits, and the model that is saved has them in float32")
    begin_run(run.request.state_folder, vars(run.flags), run.request.data_sha256, run.flags.resume)


@contextlib.contextmanager
def told_how_to_go_on(state_folder: Path) -> Iterator[None]:
    """Remove what is incomplete of the state after an error or Ctrl-C, and say what to type to continue."""
    try:
        yield
    except (KeyboardInterrupt, UserError) as error:
        if distributed.is_main_process():
            if keep_complete_checkpoints(state_folder):
                command = typed_command(["--resume"], ["--resume_from_checkpoint"]) or "the same with resume=True"
                log.info("to continue from the last saved state: %s", command)
            elif isinstance(error, KeyboardInterrupt):
                log.info("no state is saved yet; to start again: %s", typed_command() or "the same once more")
        if isinstance(error, KeyboardInterrupt):
            raise ToldInterrupt from None
        raise
