"""Hyper-parameter search: Optuna through Trainer.hyperparameter_search, a trial at a time, so that it can go on."""

import copy
import logging
import math
import random
import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import optuna
import torch
from optuna.trial import TrialState
from sqlalchemy import URL
from sqlalchemy.exc import SQLAlchemyError
from tqdm import tqdm
from transformers import EarlyStoppingCallback, PreTrainedModel, PrinterCallback, TrainerCallback

from utils import search_state
from utils.callbacks import FiniteLoss, Interruption
from utils.errors import UserError
from utils.half_weights import halve_frozen_weights
from utils.last_block import parts_alone
from utils.objectives import Objective
from utils.prefix_cache import PrefixCache
from utils.preparing import Prepared
from utils.search_space import ALL, ARGUMENT_OF, describe_space, space_of, suggest
from utils.training import ObjectiveTrainer, arguments
from utils.training_settings import Settings
from utils.trials import PROBLEM, best_of, describe_last, finished, write_table

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Found:
    """The best trial's settings by flag, and what run.json says of the search."""

    settings: dict
    record: dict


@dataclass(frozen=True)
class _Plan:
    """What all trials share."""

    ready: Prepared
    freeze: Callable[[PreTrainedModel, int | None], None]
    settings: Settings
    unfreeze_last: int | None  # where it is not searched
    space: dict[str, Sequence]
    folder: Path
    prefix_cache: PrefixCache


def search(
    ready: Prepared,
    freeze: Callable[[PreTrainedModel, int | None], None],
    flags: Namespace,
    open_flags: Sequence[str],
    settings: Settings,
    data_sha256: str,
    prefix_cache: PrefixCache,
) -> Found:
    """Try settings until `flags.search` trials are finished, those of an interrupted search counted.

    `open_flags` vary, and their values in `flags` are what the first trial tries. A trial's value is the best of its
    evaluations on the validation split: the one that the training with its settings keeps. The base model stays as
    it is. All trials of one depth share what the prefix cache has for it.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    folder = search_state.folder_beside(flags.output_path)
    defaults = {name: getattr(flags, name) for name in open_flags}
    space = space_of(defaults, ready.base.model)
    fixed = {name: value for name, value in vars(flags).items() if name not in open_flags}
    search_state.begin(folder, fixed, space, data_sha256, flags.overwrite)
    plan = _Plan(ready, freeze, replace(settings, report_to=[]), flags.unfreeze_last, space, folder, prefix_cache)
    try:
        trials = _run(plan, defaults, flags.search)
    except (SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
        reason = str(error.__cause__ or error).partition("\n")[0]
        raise UserError(
            f"the trials in {folder} cannot be written or read: {reason}",
            f"free some space, or remove {folder} to start anew",
        ) from error
    best = best_of(trials, ready.objective.greater_is_better)
    if best is None:
        raise UserError(
            f"none of {len(trials)} trials could train: {trials[-1].user_attrs[PROBLEM]}",
            f"remove {folder}, and search again with a lower --learning_rate or --precision fp32",
        )
    number = trials.index(best) + 1
    log.info("the best of %d trials is trial %d: training with its settings", len(trials), number)
    return Found(
        settings={name: None if value == ALL else value for name, value in best.params.items()},
        record={
            "trials": len(trials),
            "metric": ready.objective.metric,
            "best_trial": number,
            "best_value": best.value,
            "best_parameters": best.params,
        },
    )


def _run(plan: _Plan, defaults: dict, total: int) -> list[optuna.trial.FrozenTrial]:
    """The finished trials, `total` of them or more."""
    metric, greater_is_better = plan.ready.objective.metric, plan.ready.objective.greater_is_better
    url = URL.create("sqlite", database=str(plan.folder / search_state.STORAGE_FILE)).render_as_string()
    place = {
        "storage": optuna.storages.RDBStorage(url),
        "study_name": "search",
        "direction": "maximize" if greater_is_better else "minimize",
        "load_if_exists": True,
    }
    study = optuna.create_study(**place)
    if trials := finished(study):
        log.info("going on with the search in %s, in which %d trials are finished", plan.folder, len(trials))
    elif not study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
        study.enqueue_trial({name: ALL if value is None else value for name, value in defaults.items()})
    write_table(plan.folder / search_state.TABLE_FILE, trials, [*plan.space], metric)
    if len(trials) >= total:
        return trials
    log.info("searching %s", describe_space(plan.space))
    interruption = Interruption("stopping")
    try:
        with (
            tqdm(total=total, initial=len(trials), desc="search", unit=" trials", disable=None) as bar,
            interruption.listening(),
        ):
            trainer = _trainer(plan, bar)
            trainer.add_callback(_EndOfTrial(interruption))
            while len(trials) < total:
                trainer.hyperparameter_search(
                    hp_space=lambda trial: {
                        ARGUMENT_OF[name]: value
                        for name, value in suggest(trial, plan.space).items()
                        if name in ARGUMENT_OF
                    },
                    compute_objective=trainer.best_so_far,
                    backend="optuna",
                    n_trials=1,
                    sampler=optuna.samplers.TPESampler(seed=_seed(plan.settings.seed, len(trials))),
                    pruner=optuna.pruners.NopPruner(),  # equal steps of two trials are not equal shares of them
                    **place,
                )
                trials = finished(study)
                write_table(plan.folder / search_state.TABLE_FILE, trials, [*plan.space], metric)
                bar.write(describe_last(trials, total, metric, greater_is_better), file=sys.stderr)
                bar.update(len(trials) - bar.n)
                if interruption.happened:
                    raise KeyboardInterrupt
    except KeyboardInterrupt:
        log.info("%d of %d trials are finished and kept: the same command goes on with the rest", len(trials), total)
        raise
    return trials


def _seed(seed: int, trial: int) -> int:
    """A seed for each trial's sampler: what it suggests depends on the finished trials, not on interruptions."""
    return random.Random(f"{seed} {trial}").getrandbits(32)


def _trainer(plan: _Plan, bar: tqdm) -> "_TrialTrainer":
    base, objective, settings = plan.ready.base.model, plan.ready.objective, plan.settings
    callbacks = [FiniteLoss(), _Fraction(bar)]
    if settings.early_stopping_patience:
        callbacks.append(EarlyStoppingCallback(settings.early_stopping_patience))
    trainer = _TrialTrainer(
        plan,
        objective,
        model_init=lambda trial: base if trial is None else trainer.model,
        args=arguments(settings, objective, plan.folder, True, eval_on_start=False, saves=False),
        train_dataset=plan.ready.rows["train"],
        eval_dataset=plan.ready.rows["validation"],
        callbacks=callbacks,
    )
    trainer.remove_callback(PrinterCallback)
    base.to("cpu")  # where each trial takes its copy from
    return trainer


class _TrialTrainer(ObjectiveTrainer):
    """Each trial trains a copy of the base model.

    Settings that cannot train are a trial with the worst value, and no end of the search.
    """

    def __init__(self, plan: _Plan, objective: Objective, **options):
        super().__init__(objective, **options)
        self._plan = plan

    def train(self, resume_from_checkpoint=None, trial=None, ignore_keys_for_eval=None):
        plan = self._plan
        last = suggest(trial, plan.space).get("unfreeze_last", plan.unfreeze_last)
        self.model = copy.deepcopy(plan.ready.base.model)
        parts_alone(self.model)
        plan.freeze(self.model, None if last == ALL else last)
        self.model.to(self.args.device)
        with self.on_prefixes(plan.prefix_cache, plan.settings.precision, epochs=math.inf):  # of all trials
            if plan.settings.precision == "bf16":
                halve_frozen_weights(self.model)
            try:
                return super().train(resume_from_checkpoint, trial, ignore_keys_for_eval)
            except (UserError, torch.OutOfMemoryError) as error:
                trial.set_user_attr(PROBLEM, str(error).partition("\n")[0])
                self.objective = 0.0 if self.args.greater_is_better else float("inf")

    def best_so_far(self, metrics: dict[str, float]) -> float:
        """The best evaluation of the trial until now."""
        name = self.args.metric_for_best_model
        values = [entry[name] for entry in self.state.log_history if name in entry]
        return max(values) if self.args.greater_is_better else min(values)


class _Fraction(TrainerCallback):
    """Moves the search's bar within a trial."""

    def __init__(self, bar: tqdm):
        self.bar = bar

    def on_train_begin(self, args, state, control, **kwargs):
        self.first = self.bar.n

    def on_step_end(self, args, state, control, **kwargs):
        self.bar.update(round(self.first + state.global_step / state.max_steps - self.bar.n, 2))


class _EndOfTrial(TrainerCallback):
    """Lets Ctrl-C end a trial between two steps alone: an interrupted write would leave the storage locked."""

    def __init__(self, interruption: Interruption):
        self.interruption = interruption

    def on_step_end(self, args, state, control, **kwargs):
        if self.interruption.happened:
            raise KeyboardInterrupt
