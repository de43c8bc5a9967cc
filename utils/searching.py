"""Hyper-parameter search: Optuna through Trainer.hyperparameter_search, a trial at a time, so that it can go on."""

import copy
import csv
import logging
import random
import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import optuna
import torch
from sqlalchemy import URL
from sqlalchemy.exc import SQLAlchemyError
from tqdm import tqdm
from transformers import EarlyStoppingCallback, PreTrainedModel, PrinterCallback, TrainerCallback

from utils import search_state
from utils.callbacks import FiniteLoss
from utils.errors import UserError
from utils.files import atomic_write
from utils.freezing import find_parts
from utils.preparing import Prepared
from utils.training import ObjectiveTrainer, arguments, halve_frozen_weights
from utils.training_settings import settings_from

log = logging.getLogger(__name__)

ARGUMENT_OF = {  # by flag; the blocks that train are no argument of Trainer's
    "learning_rate": "learning_rate",
    "batch_size": "per_device_train_batch_size",
    "epochs": "num_train_epochs",
    "weight_decay": "weight_decay",
}
BATCH_SIZES = (8, 16, 32)
WEIGHT_DECAYS = (0.0, 0.01, 0.1)
LAST_BLOCKS = (1, 2, 4, 8)
STUDY = "search"
ALL = "all"
PROBLEM = "problem"
METRIC_NAMES = {"macro_f1": "macro F1", "bits_per_byte": "bits per byte"}


@dataclass(frozen=True)
class Found:
    """The best trial's settings by flag, and what run.json says of the search."""

    settings: dict
    record: dict


def search(
    ready: Prepared,
    freeze: Callable[[PreTrainedModel, int | None], None],
    flags: Namespace,
    open_flags: Sequence[str],
    precision: str,
    device: str,
    data_sha256: str,
) -> Found:
    """Try settings until `flags.search` trials are finished, those of an interrupted search counted.

    `open_flags` vary, and their values in `flags` are what the first trial tries. A trial's value is the best of its
    evaluations on the validation split, as in the training that follows.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    folder = search_state.folder_beside(flags.output_path)
    space = _space({name: getattr(flags, name) for name in open_flags}, ready.base.model)
    fixed = {name: value for name, value in vars(flags).items() if name not in open_flags}
    search_state.begin(folder, fixed, space, data_sha256, flags.overwrite)
    try:
        study = _study(folder, ready.objective.greater_is_better)
        _run(study, ready, freeze, flags, space, folder, precision, device)
    except (SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
        reason = str(error.__cause__ or error).partition("\n")[0]
        raise UserError(
            f"the trials in {folder} cannot be written or read: {reason}",
            f"free some space, or remove {folder} to start anew",
        ) from error
    trials = _finished(study)
    best = _best(trials, ready.objective.greater_is_better)
    if best is None:
        raise UserError(
            f"none of {len(trials)} trials could train: {trials[-1].user_attrs[PROBLEM]}",
            f"remove {folder} and search again with a lower --learning_rate, or --precision fp32",
        )
    number = trials.index(best) + 1
    log.info("the best of %d trials is trial %d; training with its settings", len(trials), number)
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


def _space(defaults: dict, model: PreTrainedModel) -> dict[str, Sequence]:
    """What is tried by flag: a range for learning rate (logarithmic) and epochs, choices for the others."""
    space = {}
    for name, default in defaults.items():
        if name == "learning_rate":
            space[name] = [default / 5, default * 10]  # few blocks take higher rates than a whole model
        elif name == "epochs":
            space[name] = [max(1, round(default / 2)), round(default * 2)]
        elif name == "unfreeze_last":
            blocks = len(find_parts(model).blocks)
            some = {number for number in LAST_BLOCKS if number < blocks}
            space[name] = [*sorted({*sorted(some)[-3:], *([] if default is None else [default])}), ALL]
        else:
            choices = {"batch_size": BATCH_SIZES, "weight_decay": WEIGHT_DECAYS}[name]
            space[name] = sorted({*choices, default})
    return space


def _suggest(trial: optuna.Trial, space: dict[str, Sequence]) -> dict:
    """The trial's values by flag; the same ones each time."""
    values = {}
    for name, choices in space.items():
        if name == "learning_rate":
            values[name] = trial.suggest_float(name, *choices, log=True)
        elif name == "epochs":
            values[name] = trial.suggest_int(name, *choices)
        else:
            values[name] = trial.suggest_categorical(name, choices)
    return values


def _study(folder: Path, maximize: bool) -> optuna.Study:
    storage = optuna.storages.RDBStorage(
        URL.create("sqlite", database=str(folder / search_state.STORAGE_FILE)).render_as_string()
    )
    direction = "maximize" if maximize else "minimize"
    return optuna.create_study(storage=storage, study_name=STUDY, direction=direction, load_if_exists=True)


def _run(
    study: optuna.Study,
    ready: Prepared,
    freeze: Callable,
    flags: Namespace,
    space: dict,
    folder: Path,
    precision: str,
    device: str,
) -> None:
    finished, total = _finished(study), flags.search
    if finished:
        log.info("going on with the search in %s: %d of %d trials are finished", folder, len(finished), total)
    elif not study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.WAITING,)):
        defaults = {name: getattr(flags, name) for name in space}
        study.enqueue_trial({name: ALL if value is None else value for name, value in defaults.items()})
    _write_table(folder / search_state.TABLE_FILE, finished, space, ready.objective.metric)
    if len(finished) >= total:
        return
    log.info("searching: %s", "; ".join(_tried(name, choices) for name, choices in space.items()))
    with tqdm(total=total, initial=len(finished), desc="search", unit=" trials", disable=None) as bar:
        trainer = _trainer(ready, freeze, flags, space, folder, precision, device, bar)
        try:
            while len(finished) < total:
                trainer.hyperparameter_search(
                    hp_space=lambda trial: {
                        ARGUMENT_OF[name]: value
                        for name, value in _suggest(trial, space).items()
                        if name in ARGUMENT_OF
                    },
                    compute_objective=trainer.best_so_far,
                    n_trials=1,
                    direction="maximize" if ready.objective.greater_is_better else "minimize",
                    backend="optuna",
                    storage=study._storage,
                    study_name=STUDY,
                    load_if_exists=True,
                    sampler=optuna.samplers.TPESampler(seed=_seed(flags.seed, len(finished))),
                    pruner=optuna.pruners.NopPruner(),  # the same step is not the same share of two trials
                )
                finished = _finished(study)
                _write_table(folder / search_state.TABLE_FILE, finished, space, ready.objective.metric)
                bar.write(_line(finished, total, ready), file=sys.stderr)
                bar.update(len(finished) - bar.n)
        except KeyboardInterrupt:
            log.info(
                "%d of %d trials are finished and kept in %s: the same command goes on with the rest",
                *(len(finished), total, folder),
            )
            raise


def _seed(seed: int, number: int) -> int:
    """A sampler's own seed for each trial: what it suggests does not depend on where a search was interrupted."""
    return random.Random(f"{seed} {number}").getrandbits(32)


def _trainer(
    ready: Prepared,
    freeze: Callable,
    flags: Namespace,
    space: dict,
    folder: Path,
    precision: str,
    device: str,
    bar: tqdm,
) -> "_TrialTrainer":
    base, objective = ready.base.model, ready.objective

    def model_init(trial: optuna.Trial | None) -> PreTrainedModel:
        if trial is None:  # Trainer wants a model before there is a trial
            return base
        last = _suggest(trial, space).get("unfreeze_last", flags.unfreeze_last)
        model = copy.deepcopy(base)
        freeze(model, None if last == ALL else last)
        if precision == "bf16":
            halve_frozen_weights(model)
        return model

    settings = replace(settings_from(flags, precision, device), report_to=[])
    callbacks = [FiniteLoss(), _Fraction(bar)]
    if flags.early_stopping_patience:
        callbacks.append(EarlyStoppingCallback(flags.early_stopping_patience))
    trainer = _TrialTrainer(
        objective,
        model_init=model_init,
        args=arguments(settings, objective, folder, True, eval_on_start=False, saves=False),
        train_dataset=ready.rows["train"],
        eval_dataset=ready.rows["validation"],
        callbacks=callbacks,
    )
    trainer.remove_callback(PrinterCallback)
    base.to("cpu")  # where each trial takes its copy from
    return trainer


class _TrialTrainer(ObjectiveTrainer):
    """Settings that cannot train are a trial with the worst value, and no end of the search."""

    def train(self, resume_from_checkpoint=None, trial=None, ignore_keys_for_eval=None):
        try:
            return super().train(resume_from_checkpoint, trial, ignore_keys_for_eval)
        except (UserError, torch.OutOfMemoryError) as error:
            trial.set_user_attr(PROBLEM, str(error).partition("\n")[0])
            self.objective = 0.0 if self.args.greater_is_better else float("inf")

    def best_so_far(self, metrics: dict[str, float]) -> float:
        """The best evaluation of the trial until now, which is what a training keeps."""
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


def _finished(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    """In the order in which they were begun; a trial that was interrupted is none."""
    return study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))


def _best(trials: Sequence[optuna.trial.FrozenTrial], maximize: bool) -> optuna.trial.FrozenTrial | None:
    """The first of equally good ones; None where none could train."""
    trained = [trial for trial in trials if PROBLEM not in trial.user_attrs]
    return (max if maximize else min)(trained, key=lambda trial: trial.value, default=None)


def _write_table(path: Path, trials: Sequence[optuna.trial.FrozenTrial], space: dict, metric: str) -> None:
    with atomic_write(path, "w") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["number", "state", *space, metric, "seconds"])
        for number, trial in enumerate(trials, 1):
            failed = PROBLEM in trial.user_attrs
            state, value = ("failed", "") if failed else ("finished", trial.value)
            seconds = round(trial.duration.total_seconds(), 1)
            writer.writerow([number, state, *(trial.params[name] for name in space), value, seconds])


def _line(trials: Sequence[optuna.trial.FrozenTrial], total: int, ready: Prepared) -> str:
    """What a log says of the last trial."""
    last, best = trials[-1], _best(trials, ready.objective.greater_is_better)
    settings = ", ".join(f"{name} {_short(value)}" for name, value in last.params.items())
    head, metric = f"trial {len(trials)}/{total}", METRIC_NAMES[ready.objective.metric]
    if PROBLEM in last.user_attrs:
        return f"{head}: failed, {last.user_attrs[PROBLEM]}: {settings}"
    return f"{head}: {metric} {last.value:.4f} (best {best.value:.4f} of trial {trials.index(best) + 1}): {settings}"


def _tried(name: str, choices: Sequence) -> str:
    values = [str(_short(value)) for value in choices]
    return f"{name} {'–'.join(values) if name in ('learning_rate', 'epochs') else ', '.join(values)}"


def _short(value: object) -> object:
    return f"{value:.3g}" if isinstance(value, float) else value
