"""One training of a model: from its rows, or from a saved state, to the weights of its best evaluation."""

import json
import logging
import time
from dataclasses import dataclass
from pathlib import Path

from transformers import PreTrainedModel, TrainingArguments

from utils import distributed
from utils.compute.last_block import skippable_modules
from utils.compute.prefix_cache import OFF, PrefixCache
from utils.training.adapters.frozen_weights import frozen_weights
from utils.training.callbacks import FiniteLossCallback, InterruptionCallback, ProgressCallback
from utils.training.finite import check_weights
from utils.training.flags import TrainingSettings
from utils.training.objectives import Objective
from utils.training.reporters import reporter_callbacks
from utils.training.state.resumable_trainer import PENDING_VALIDATION
from utils.training.state.run_state import explain_state_errors
from utils.training.state.saved_states import newest_whole_checkpoint
from utils.training.state.state_files import (
    PROGRESS,
    checkpoints,
    read_object,
    remove_checkpoint,
)
from utils.training.state.weights import require_same_base
from utils.training.time_limit.callback import TimeLimitCallback
from utils.training.time_limit.limit import TimeLimit
from utils.training.trainer import ObjectiveTrainer

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingOutcome:
    """A run's outcome. `before` and `after` are the objective's metric on the validation split; None without one."""

    steps: int
    epochs: float
    seconds: float
    metric: str
    before: float | None
    after: float | None
    better: bool | None  # whether an evaluation was better than the first
    history: list[dict]
    ended_by: str = ""  # time, steps, epochs or early stopping
    seconds_used: float = 0.0  # of a time limit, when the training had ended


def train(
    model: PreTrainedModel,
    objective: Objective,
    train_rows: list[dict],
    validation_rows: list[dict],
    settings: TrainingSettings,
    state_folder: Path,
    resume: bool,
    prefix_cache: PrefixCache = OFF,
    time_limit: TimeLimit | None = None,
) -> TrainingOutcome:
    """Train the model in place; it ends with the weights of its best evaluation, within the rest of the time limit.

    Ctrl-C saves the state into `state_folder` and raises KeyboardInterrupt. UserError if the loss becomes nan, or if
    the state cannot be written.
    """
    checkpoint = None
    if resume:
        with explain_state_errors(state_folder):
            checkpoint = str(newest_whole_checkpoint(state_folder))
        require_same_base(model, Path(checkpoint))
        log.info("continuing from %s", checkpoint)
    elif distributed.is_main_process():
        for unfinished in checkpoints(state_folder):
            remove_checkpoint(unfinished)
    interruption = InterruptionCallback()
    starts = settings.eval_on_start != "off" if checkpoint is None else has_pending_validation(Path(checkpoint))
    callbacks = [interruption, *objective.callbacks, FiniteLossCallback(), ProgressCallback(time_limit)]
    callbacks += reporter_callbacks(settings.report_to, settings.output_path)
    options = {"eval_on_start": starts, "time_limit": time_limit}
    if time_limit:
        time_limit.begin_run((read_object(Path(checkpoint, PROGRESS)) or {}) if checkpoint else None)
        callbacks.append(TimeLimitCallback(time_limit, resumed=resume))
    trainer = ObjectiveTrainer(
        objective, model, train_rows, validation_rows, settings, state_folder, callbacks, **options
    )
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad] if objective.keep_start else []
    start = [parameter.detach().clone() for parameter in trained]
    skippable_modules(model)  # before its weights are cast
    started = time.perf_counter()
    epochs = settings.model_soup * _epochs(trainer.args, len(train_rows))
    if time_limit:
        epochs = min(epochs, time_limit.epochs)
    with (
        trainer.cached_rows(prefix_cache, settings.precision, epochs),
        interruption.listening(),
        frozen_weights(model, settings),
        explain_state_errors(state_folder),
    ):
        trainer.train(resume_from_checkpoint=checkpoint)
    seconds = time.perf_counter() - started
    # All processes are asked, and so all have read the state before the first one removes it.
    if distributed.any_process(interruption.happened):
        raise KeyboardInterrupt
    check_weights(model, trainer.state.global_step)
    trainer.accelerator.unwrap_model(trainer.model, keep_fp32_wrapper=False)
    vars(model).pop("_is_accelerate_prepared", None)  # or a second run would train without autocast
    model.eval()
    first, later = trainer.first_evaluation, trainer.later_evaluations
    after = objective.best(later, default=None)
    if start and None not in (first, after) and objective.is_better(first, after):
        log.warning("warning: no evaluation was as good as the one before training, whose weights are kept")
        for parameter, value in zip(trained, start, strict=True):
            parameter.data.copy_(value)
        after = first
    return TrainingOutcome(
        steps=trainer.state.global_step,
        epochs=round(trainer.state.epoch, 3),
        seconds=seconds,
        metric=objective.metric,
        before=first,
        after=after,
        better=None if None in (first, after) else objective.is_better(after, first),
        history=trainer.state.log_history,
        ended_by=trainer.ended_by,
        seconds_used=time_limit.used() if time_limit else 0.0,
    )


def has_pending_validation(checkpoint: Path) -> bool:
    """Return whether the state was saved because its validation was interrupted."""
    history = json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))["log_history"]
    return bool(history) and PENDING_VALIDATION in history[-1]


def _epochs(args: TrainingArguments, rows: int) -> float:
    """Return the epochs of a whole run: a continued one takes the prefix cache if it began with it."""
    batch = args.train_batch_size * args.gradient_accumulation_steps * args.world_size
    return args.max_steps * batch / rows if args.max_steps > 0 else args.num_train_epochs
