"""Hyperparameter search with Optuna: try settings, compare them on the validation split, and keep the best.

All trials are in an SQLite file beside the output, so that an interrupted search continues.
"""

import copy
import logging
import math
import random
import sys
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import optuna
import torch
from optuna import Study, Trial
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import URL
from sqlalchemy.exc import SQLAlchemyError
from tqdm import tqdm
from transformers import TrainerCallback

from utils.compute.bf16_weights import cast_weights
from utils.compute.last_block import skippable_modules
from utils.compute.prefix_cache import PrefixCache
from utils.errors import UserError
from utils.interrupts import ToldInterrupt, typed_command
from utils.training.callbacks import FiniteLossCallback, InterruptionCallback
from utils.training.flags import TrainingSettings
from utils.training.prepare import TrainingSetup
from utils.training.search.space import ALL_BLOCKS, describe_space, search_space, suggest
from utils.training.search.table import PROBLEM, describe_last, write_table
from utils.training.state.search_state import STORAGE_FILE, TABLE_FILE, begin_search, search_folder
from utils.training.time_limit.callback import TimeLimitCallback
from utils.training.time_limit.limit import TimeLimit
from utils.training.time_limit.trials import trial_limit
from utils.training.trainer import ObjectiveTrainer

log = logging.getLogger(__name__)

USED, OVER = "seconds_used", "over"  # attributes of a search with a time limit
SECONDS = "seconds"  # the attribute of its trials: how long each took


def search_settings(
    setup: TrainingSetup,
    flags: Namespace,
    searchable: Sequence[str],
    settings: TrainingSettings,
    data_sha256: str,
    prefix_cache: PrefixCache,
    time_limit: TimeLimit | None = None,
) -> tuple[dict, dict]:
    """Try settings until `flags.search` trials are finished, including those of an interrupted search.

    With a time limit, the trials end before that where only the time is left that the best of them took.

    The flags in `searchable` vary; the first trial has their values in `flags`. A trial's value is the best of its
    evaluations on the validation split, which is the one that training keeps. The base model is not changed. Trials
    with the same number of trained blocks share a prefix cache.

    Return the best trial's settings by flag, and what run.json says about the search.
    """
    folder = search_folder(flags.output_path)
    defaults = {name: getattr(flags, name) for name in searchable}
    space = search_space(defaults, setup.base.model)
    fixed = {name: value for name, value in vars(flags).items() if name not in searchable}
    begin_search(folder, fixed, space, data_sha256, flags.overwrite)
    settings = replace(settings, report_to=[])
    search = _Search(setup, settings, flags.unfreeze_last, space, flags.search, folder, prefix_cache, time_limit)
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        trials = search.run(defaults)
    except (SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
        reason = str(error.__cause__ or error).partition("\n")[0]
        raise UserError(
            f"the trials in {folder} cannot be written or read: {reason}",
            f"free some space, or remove {folder} to start from scratch",
        ) from error
    finally:
        optuna.logging.set_verbosity(verbosity)
    best = search.best(trials)
    if best is None:
        raise UserError(
            f"none of {len(trials)} trials could train: {trials[-1].user_attrs[PROBLEM]}",
            f"remove {folder}, and search again with a lower --learning_rate or --precision fp32",
        )
    number = trials.index(best) + 1
    log.info("the best of %d trials is trial %d: training with its settings", len(trials), number)
    best_values = {"best_trial": number, "best_value": best.value, "best_parameters": best.params}
    record = {"trials": len(trials), "metric": setup.objective.metric, **best_values}
    return {name: None if value == ALL_BLOCKS else value for name, value in best.params.items()}, record


@dataclass(frozen=True)
class _Search:
    """The trials of one search, and their shared state."""

    setup: TrainingSetup
    settings: TrainingSettings
    unfreeze_last: int | None  # where it is not searched
    space: dict[str, Sequence]
    total: int
    folder: Path
    prefix_cache: PrefixCache
    time_limit: TimeLimit | None

    def run(self, defaults: dict) -> list[FrozenTrial]:
        """Run trials until `total` are finished, and return all finished ones."""
        url = URL.create("sqlite", database=str(self.folder / STORAGE_FILE)).render_as_string()
        study = optuna.create_study(
            storage=optuna.storages.RDBStorage(url),
            study_name="search",
            direction="maximize" if self.setup.objective.greater_is_better else "minimize",
            load_if_exists=True,
        )
        trials = _finished_trials(study)
        if trials:
            log.info("continuing the search in %s: %d trials are finished", self.folder, len(trials))
        elif not study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
            study.enqueue_trial({name: ALL_BLOCKS if value is None else value for name, value in defaults.items()})
        self.write_table(trials)
        if self.time_limit:
            self.time_limit.used_before = max(self.time_limit.used_before, study.user_attrs.get(USED, 0.0))
        over = study.user_attrs.get(OVER) or (self.time_limit and trials and self.limit_of_next(trials) is None)
        if len(trials) >= self.total or over:
            return trials
        log.info("searching %s", describe_space(self.space))
        interruption = InterruptionCallback("stopping")
        bar = tqdm(total=self.total, initial=len(trials), desc="search", unit=" trials", disable=None)

        def after_trial(study: Study, _: FrozenTrial) -> None:
            trials = _finished_trials(study)
            self.write_table(trials)
            with tqdm.external_write_mode(file=sys.stderr):  # above the bar
                log.info(describe_last(trials, self.best(trials), self.total, self.setup.objective.metric))
            bar.update(len(trials) - bar.n)
            study.sampler = self.sampler(trials)
            if self.time_limit:
                study.set_user_attr(USED, self.time_limit.used())
                if self.limit_of_next(trials) is None:
                    study.stop()
            if interruption.happened:
                raise KeyboardInterrupt

        study.sampler = self.sampler(trials)
        try:
            with bar, interruption.listening():
                study.optimize(
                    lambda trial: self.train(trial, _TrialCallback(bar, interruption), _finished_trials(study)),
                    n_trials=self.total - len(trials),
                    callbacks=[after_trial],
                    gc_after_trial=True,
                )
        except KeyboardInterrupt:
            done = len(_finished_trials(study))
            if self.time_limit:
                study.set_user_attr(USED, self.time_limit.used())
            command = typed_command() or "the same once more"
            log.info("%d of %d trials are finished and kept; to continue: %s", done, self.total, command)
            raise ToldInterrupt from None
        study.set_user_attr(OVER, self.time_limit is not None)
        return _finished_trials(study)

    def limit_of_next(self, trials: Sequence[FrozenTrial]) -> TimeLimit | None:
        """Return the limit of the next trial; None where the time for trials is over."""
        best = self.best(trials)
        seconds = [trial.user_attrs[SECONDS] for trial in trials]
        return trial_limit(self.time_limit, best and best.user_attrs[SECONDS], seconds)

    def sampler(self, trials: Sequence[FrozenTrial]) -> optuna.samplers.TPESampler:
        """Return a sampler for the next trial; its seed depends on the finished trials, not on interruptions."""
        seed = random.Random(f"{self.settings.seed} {len(trials)}").getrandbits(32)
        return optuna.samplers.TPESampler(seed=seed)

    def train(self, trial: Trial, callback: TrainerCallback, before: Sequence[FrozenTrial]) -> float:
        """Train a copy of the base model with the trial's settings, and return the best of its evaluations.

        Settings that cannot train get the worst value, so that the sampler learns to avoid them. Optuna's `catch` marks
        trials as failed, which it ignores: a batch size that never fits was tried in 29 of 40 trials instead of 8.
        """
        objective, rows, values = self.setup.objective, self.setup.rows, suggest(trial, self.space)
        blocks = values.pop("unfreeze_last", self.unfreeze_last)
        settings = replace(self.settings, **values)
        model = copy.deepcopy(self.setup.base.model)
        self.setup.freeze(model, None if blocks == ALL_BLOCKS else blocks)
        skippable_modules(model)  # before its weights are cast
        callbacks, splits = [FiniteLossCallback(), callback], (rows["train"], rows["validation"])
        options = {"eval_on_start": False, "saves": False}
        if self.time_limit:
            options["time_limit"] = limit = self.limit_of_next(before)
            callbacks.append(TimeLimitCallback(limit, resumed=True))
            began = limit.used()
        trainer = ObjectiveTrainer(objective, model, *splits, settings, self.folder, callbacks, **options)
        with trainer.cached_rows(self.prefix_cache, settings.precision, epochs=math.inf):  # of all trials
            if settings.precision == "bf16":
                cast_weights(model)
            try:
                trainer.train()
            except (UserError, torch.OutOfMemoryError) as error:
                trial.set_user_attr(PROBLEM, str(error).partition("\n")[0])
                return 0.0 if objective.greater_is_better else math.inf
            finally:
                if self.time_limit:
                    trial.set_user_attr(SECONDS, limit.used() - began)
        return objective.best(trainer.evaluations)

    def best(self, trials: Sequence[FrozenTrial]) -> FrozenTrial | None:
        """Return the best trial, the first of equally good ones; None if none could train."""
        trained = [trial for trial in trials if PROBLEM not in trial.user_attrs]
        return self.setup.objective.best(trained, key=lambda trial: trial.value, default=None)

    def write_table(self, trials: Sequence[FrozenTrial]) -> None:
        """Write the CSV file of the finished trials."""
        write_table(self.folder / TABLE_FILE, trials, [*self.space], self.setup.objective.metric)


def _finished_trials(study: Study) -> list[FrozenTrial]:
    """Return the trials in the order in which they began, without interrupted ones, but with those that failed."""
    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))


class _TrialCallback(TrainerCallback):
    """Moves the search's bar within a trial, and lets Ctrl-C end it between two steps.

    Interrupting a write would leave the storage locked.
    """

    def __init__(self, bar: tqdm, interruption: InterruptionCallback):
        self.bar = bar
        self.interruption = interruption
        self.stopping_at_once = interruption.stopping_at_once
        self.finished = bar.n

    def on_step_end(self, args, state, control, **kwargs):
        self.bar.update(round(self.finished + state.global_step / state.max_steps - self.bar.n, 2))
        if self.interruption.happened:
            raise KeyboardInterrupt
