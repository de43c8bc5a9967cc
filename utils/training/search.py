"""Which settings a hyper-parameter search tries.

MERGED: The finished trials of a hyper-parameter search: which is the best, their table, a line for a log.

MERGED: Hyper-parameter search: Optuna through Trainer.hyperparameter_search, a trial at a time, so that it can go on."""

import copy
import csv
import logging
import math
import random
import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import optuna
import torch
from optuna.trial import TrialState
from sqlalchemy import URL
from sqlalchemy.exc import SQLAlchemyError
from tqdm import tqdm
from transformers import EarlyStoppingCallback, PreTrainedModel, PrinterCallback, TrainerCallback

from utils.compute.bf16_weights import cast_weights
from utils.compute.blocks import find_blocks
from utils.compute.last_block import skippable_modules
from utils.compute.prefix_cache import PrefixCache
from utils.errors import UserError
from utils.files import atomic_write
from utils.training.callbacks import FiniteLossCallback, InterruptionCallback
from utils.training.flags import TrainingSettings
from utils.training.objectives import Objective
from utils.training.prepare import TrainingSetup
from utils.training.run_state import STORAGE_FILE, TABLE_FILE, begin_search, search_folder
from utils.training.trainer import ObjectiveTrainer, training_arguments

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.trial import FrozenTrial
    from transformers import PreTrainedModel

ARGUMENT_OF = {  # by flag; how many blocks train is no argument of Trainer's
    "learning_rate": "learning_rate",
    "batch_size": "per_device_train_batch_size",
    "epochs": "num_train_epochs",
    "weight_decay": "weight_decay",
}
SEARCHED = (*ARGUMENT_OF, "unfreeze_last")
BATCH_SIZES = (8, 16, 32)
WEIGHT_DECAYS = (0.0, 0.01, 0.1)
LAST_BLOCKS = (1, 2, 4, 8)
ALL = "all"


def search_space(defaults: dict, model: "PreTrainedModel") -> dict[str, Sequence]:
    """What is tried by flag: the ends of a range for learning rate and epochs, choices for the others."""
    space = {}
    for name, default in sorted(defaults.items(), key=lambda item: SEARCHED.index(item[0])):
        if name == "learning_rate":
            space[name] = [default / 5, default * 10]  # few blocks take higher rates than a whole model
        elif name == "epochs":
            space[name] = [max(1, round(default / 2)), round(default * 2)]
        elif name == "unfreeze_last":
            blocks = len(find_blocks(model).blocks)
            some = [number for number in LAST_BLOCKS if number < blocks][-3:]
            space[name] = [*sorted({*some, *({default} - {None})}), ALL]
        else:
            choices = {"batch_size": BATCH_SIZES, "weight_decay": WEIGHT_DECAYS}[name]
            space[name] = sorted({*choices, default})
    return space


def suggest_values(trial: "Trial", space: dict[str, Sequence]) -> dict:
    """The trial's values by flag; the same ones at every call."""
    values = {}
    for name, choices in space.items():
        if name == "learning_rate":
            values[name] = trial.suggest_float(name, *choices, log=True)
        elif name == "epochs":
            values[name] = trial.suggest_int(name, *choices)
        else:
            values[name] = trial.suggest_categorical(name, choices)
    return values


def describe_space(space: dict[str, Sequence]) -> str:
    """What a log says of what is tried."""
    joints = {"learning_rate": "–", "epochs": "–"}
    return "; ".join(
        f"{name} {joints.get(name, ', ').join(str(three_digits(value)) for value in values)}"
        for name, values in space.items()
    )


def three_digits(value: object) -> object:
    """A number in three digits."""
    return f"{value:.3g}" if isinstance(value, float) else value


PROBLEM = "problem"  # the attribute of a trial whose settings cannot train: why
METRIC_NAMES = {"macro_f1": "macro F1", "bits_per_byte": "bits per byte"}


def finished_trials(study: "Study") -> list["FrozenTrial"]:
    """In the order in which they were begun. A trial that was interrupted is none; one that cannot train is."""
    from optuna.trial import TrialState

    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))


def best_trial(trials: Sequence["FrozenTrial"], greater_is_better: bool) -> "FrozenTrial | None":
    """The first of equally good ones; None where none could train."""
    trained = [trial for trial in trials if PROBLEM not in trial.user_attrs]
    return (max if greater_is_better else min)(trained, key=lambda trial: trial.value, default=None)


def write_trial_table(path: Path, trials: Sequence["FrozenTrial"], searched: Sequence[str], metric: str) -> None:
    """A CSV file with a row a trial: number, state, what was searched, the metric on validation, seconds."""
    with atomic_write(path, "w") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["number", "state", *searched, metric, "seconds"])
        for number, trial in enumerate(trials, 1):
            state, value = ("failed", "") if PROBLEM in trial.user_attrs else ("finished", trial.value)
            seconds = round(trial.duration.total_seconds(), 1)
            writer.writerow([number, state, *(trial.params[name] for name in searched), value, seconds])


def describe_last_trial(trials: Sequence["FrozenTrial"], total: int, metric: str, greater_is_better: bool) -> str:
    """What a log says of the last trial."""
    last, best = trials[-1], best_trial(trials, greater_is_better)
    settings = ", ".join(f"{name} {three_digits(value)}" for name, value in last.params.items())
    head = f"trial {len(trials)}/{total}"
    if PROBLEM in last.user_attrs:
        return f"{head}: failed, {last.user_attrs[PROBLEM]}: {settings}"
    value = f"{METRIC_NAMES[metric]} {last.value:.4f}"
    return f"{head}: {value} (best {best.value:.4f} of trial {trials.index(best) + 1}): {settings}"


log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SearchOutcome:
    """The best trial's settings by flag, and what run.json says of the search."""

    settings: dict
    record: dict


@dataclass(frozen=True)
class _SearchPlan:
    """What all trials share."""

    ready: TrainingSetup
    freeze: Callable[[PreTrainedModel, int | None], None]
    settings: TrainingSettings
    unfreeze_last: int | None  # where it is not searched
    space: dict[str, Sequence]
    folder: Path
    prefix_cache: PrefixCache


def search_settings(
    ready: TrainingSetup,
    freeze: Callable[[PreTrainedModel, int | None], None],
    flags: Namespace,
    open_flags: Sequence[str],
    settings: TrainingSettings,
    data_sha256: str,
    prefix_cache: PrefixCache,
) -> SearchOutcome:
    """Try settings until `flags.search` trials are finished, those of an interrupted search counted.

    `open_flags` vary, and their values in `flags` are what the first trial tries. A trial's value is the best of its
    evaluations on the validation split: the one that the training with its settings keeps. The base model stays as
    it is. All trials of one depth share what the prefix cache has for it.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    folder = search_folder(flags.output_path)
    defaults = {name: getattr(flags, name) for name in open_flags}
    space = search_space(defaults, ready.base.model)
    fixed = {name: value for name, value in vars(flags).items() if name not in open_flags}
    begin_search(folder, fixed, space, data_sha256, flags.overwrite)
    plan = _SearchPlan(ready, freeze, replace(settings, report_to=[]), flags.unfreeze_last, space, folder, prefix_cache)
    try:
        trials = _run_trials(plan, defaults, flags.search)
    except (SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
        reason = str(error.__cause__ or error).partition("\n")[0]
        raise UserError(
            f"the trials in {folder} cannot be written or read: {reason}",
            f"free some space, or remove {folder} to start anew",
        ) from error
    best = best_trial(trials, ready.objective.greater_is_better)
    if best is None:
        raise UserError(
            f"none of {len(trials)} trials could train: {trials[-1].user_attrs[PROBLEM]}",
            f"remove {folder}, and search again with a lower --learning_rate or --precision fp32",
        )
    number = trials.index(best) + 1
    log.info("the best of %d trials is trial %d: training with its settings", len(trials), number)
    return SearchOutcome(
        settings={name: None if value == ALL else value for name, value in best.params.items()},
        record={
            "trials": len(trials),
            "metric": ready.objective.metric,
            "best_trial": number,
            "best_value": best.value,
            "best_parameters": best.params,
        },
    )


def _run_trials(plan: _SearchPlan, defaults: dict, total: int) -> list[optuna.trial.FrozenTrial]:
    """The finished trials, `total` of them or more."""
    metric, greater_is_better = plan.ready.objective.metric, plan.ready.objective.greater_is_better
    url = URL.create("sqlite", database=str(plan.folder / STORAGE_FILE)).render_as_string()
    place = {
        "storage": optuna.storages.RDBStorage(url),
        "study_name": "search",
        "direction": "maximize" if greater_is_better else "minimize",
        "load_if_exists": True,
    }
    study = optuna.create_study(**place)
    if trials := finished_trials(study):
        log.info("going on with the search in %s, in which %d trials are finished", plan.folder, len(trials))
    elif not study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
        study.enqueue_trial({name: ALL if value is None else value for name, value in defaults.items()})
    write_trial_table(plan.folder / TABLE_FILE, trials, [*plan.space], metric)
    if len(trials) >= total:
        return trials
    log.info("searching %s", describe_space(plan.space))
    interruption = InterruptionCallback("stopping")
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
                        for name, value in suggest_values(trial, plan.space).items()
                        if name in ARGUMENT_OF
                    },
                    compute_objective=trainer.best_so_far,
                    backend="optuna",
                    n_trials=1,
                    sampler=optuna.samplers.TPESampler(seed=_seed(plan.settings.seed, len(trials))),
                    pruner=optuna.pruners.NopPruner(),  # equal steps of two trials are not equal shares of them
                    **place,
                )
                trials = finished_trials(study)
                write_trial_table(plan.folder / TABLE_FILE, trials, [*plan.space], metric)
                bar.write(describe_last_trial(trials, total, metric, greater_is_better), file=sys.stderr)
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


def _trainer(plan: _SearchPlan, bar: tqdm) -> "_TrialTrainer":
    base, objective, settings = plan.ready.base.model, plan.ready.objective, plan.settings
    callbacks = [FiniteLossCallback(), _Fraction(bar)]
    if settings.early_stopping_patience:
        callbacks.append(EarlyStoppingCallback(settings.early_stopping_patience))
    trainer = _TrialTrainer(
        plan,
        objective,
        model_init=lambda trial: base if trial is None else trainer.model,
        args=training_arguments(settings, objective, plan.folder, True, eval_on_start=False, saves=False),
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

    def __init__(self, plan: _SearchPlan, objective: Objective, **options):
        super().__init__(objective, **options)
        self._plan = plan

    def train(self, resume_from_checkpoint=None, trial=None, ignore_keys_for_eval=None):
        plan = self._plan
        last = suggest_values(trial, plan.space).get("unfreeze_last", plan.unfreeze_last)
        self.model = copy.deepcopy(plan.ready.base.model)
        skippable_modules(self.model)
        plan.freeze(self.model, None if last == ALL else last)
        self.model.to(self.args.device)
        with self.on_prefixes(plan.prefix_cache, plan.settings.precision, epochs=math.inf):  # of all trials
            if plan.settings.precision == "bf16":
                cast_weights(self.model)
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

    def __init__(self, interruption: InterruptionCallback):
        self.interruption = interruption

    def on_step_end(self, args, state, control, **kwargs):
        if self.interruption.happened:
            raise KeyboardInterrupt
