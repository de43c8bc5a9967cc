"""A model soup: several runs from the same start, each in an order of its own, and the average of their weights.

Runs fine-tuned from one base end close to one another, and the mean of their weights beats each of them, while one
longer run learns its texts by heart (docs/results.md). A run that went wrong would spoil the mean, so that the soup is
the "greedy" one of M. Wortsman et al., "Model soups" (ICML 2022, arXiv:2203.05482).
"""

import json
import logging
import os
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from transformers import PreTrainedModel

from utils.argument_types import LARGEST_SEED
from utils.compute.device import autocast
from utils.compute.prefix_cache import OFF, PrefixCache
from utils.errors import UserError
from utils.temporary import remove
from utils.training.adapters.frozen_weights import frozen_weights
from utils.training.flags import TrainingSettings
from utils.training.objectives import Objective
from utils.training.state.run_state import explain_state_errors
from utils.training.state.state_files import (
    PROGRESS,
    RUN_ID,
    checkpoints,
    is_complete,
    is_soup_run,
    read_object,
    read_run_id,
    remove_checkpoint,
)
from utils.training.time_limit.limit import TimeLimit
from utils.training.train import TrainingOutcome, train

log = logging.getLogger(__name__)
CHECKSUM = "crc32"  # of the weights, in the metadata of their file


def train_soup(
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
    """Train `settings.model_soup` times as `train` does, with seeds from `settings.seed` on, and average.

    The average is that of the runs which make it better on the validation split; without one, that of all.
    """
    shared = prefix_cache, time_limit
    if settings.model_soup == 1:
        return train(model, objective, train_rows, validation_rows, settings, state_folder, resume, *shared)
    parameters = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    start = {name: parameter.detach().clone() for name, parameter in parameters.items()}
    files = [state_folder / f"run-{number + 1}.safetensors" for number in range(settings.model_soup)]
    run = read_run_id(state_folder)
    _check_finished(files, run)
    finished = {_seed(settings, number) for number, file in enumerate(files) if file.is_file()}
    for checkpoint in checkpoints(state_folder):  # of a run whose end was killed
        if (read_object(checkpoint / PROGRESS) or {}).get("seed") in finished:
            remove_checkpoint(checkpoint)
    for number, file in enumerate(files):
        if file.is_file():  # finished before an interruption
            continue
        log.info("run %d of %d", number + 1, len(files))
        _set_weights(parameters, start)
        own = replace(settings, seed=_seed(settings, number))
        if time_limit:
            time_limit.runs_left = len(files) - number
        continues = resume and any(map(is_complete, checkpoints(state_folder)))
        outcome = train(model, objective, train_rows, validation_rows, own, state_folder, continues, *shared)
        with explain_state_errors(state_folder):
            part = file.with_name(f".{file.stem}.part")
            metadata = {"outcome": json.dumps(asdict(outcome)), CHECKSUM: str(_checksum(parameters))}
            save_file(parameters, part, metadata=metadata | ({RUN_ID: run} if run else {}))
            with part.open("rb") as written:
                os.fsync(written.fileno())
            part.replace(file)
            for checkpoint in checkpoints(state_folder):
                remove_checkpoint(checkpoint)
    with explain_state_errors(state_folder):
        runs = [safe_open(file, "pt") for file in files]
        outcomes = [TrainingOutcome(**json.loads(run.metadata()["outcome"])) for run in runs]
    history = [{**entry, "run": number + 1} for number, outcome in enumerate(outcomes) for entry in outcome.history]
    steps, seconds = (sum(getattr(outcome, name) for outcome in outcomes) for name in ("steps", "seconds"))
    soup = replace(outcomes[0], steps=steps, seconds=seconds, history=history)
    if not validation_rows:
        _average(parameters, runs)
        return soup
    evaluate = partial(_evaluate, model, objective, validation_rows, settings)
    kept, metrics = _greedy_average(parameters, runs, outcomes, objective, evaluate)
    if metrics:
        history.append({"run": "average", **{f"eval_{name}": value for name, value in metrics.items()}})
    best_run = objective.best(outcome.after for outcome in outcomes)
    after = metrics.get(objective.metric, best_run)
    name = soup.metric.replace("_", " ")
    log.info(
        "average of %d of %d runs: validation %s %.4f; best single run: %.4f", kept, len(runs), name, after, best_run
    )
    if kept == 1:
        log.warning("warning: no average is better than the best of the runs, which is kept")
    better = None if soup.before is None else objective.is_better(after, soup.before)  # None: --eval_on_start off
    return replace(soup, after=after, better=better)


def _greedy_average(
    parameters: Mapping[str, torch.nn.Parameter],
    runs: Sequence[safe_open],
    outcomes: Sequence[TrainingOutcome],
    objective: Objective,
    evaluate: Callable[[], dict[str, float]],
) -> tuple[int, dict[str, float]]:
    """Give the parameters the average of runs, from the best one on: the next one joins if that is not worse.

    Return the number of runs in the average, and its metrics by `evaluate`; {} for a single run.
    """
    order = sorted(range(len(runs)), key=lambda number: outcomes[number].after, reverse=objective.greater_is_better)
    kept, metrics, value = order[:1], {}, outcomes[order[0]].after
    for joining in order[1:]:
        tried = sorted([*kept, joining])
        _average(parameters, [runs[number] for number in tried])
        found = evaluate()
        if not objective.is_better(value, found[objective.metric]):
            kept, metrics, value = tried, found, found[objective.metric]
    _average(parameters, [runs[number] for number in kept])
    return len(kept), metrics


def _average(parameters: Mapping[str, torch.nn.Parameter], runs: Sequence[safe_open]) -> None:
    """Give the parameters the average of runs: one parameter at a time, or memory would have to hold all runs."""
    for name, parameter in parameters.items():
        parameter.data = average(name, [run.get_tensor(name) for run in runs])


def average(name: str, weights: Sequence[torch.Tensor]) -> torch.Tensor:
    """Return the mean of a parameter's values in all runs.

    Adapters count as products B A, whose mean is one product again: of all B side by side, divided by the number of
    runs, and all A below one another.
    """
    if ".lora_A." in name:
        return torch.cat(weights, dim=0)
    if ".lora_B." in name:
        return torch.cat(weights, dim=1) / len(weights)
    return sum(weights) / len(weights)


def _seed(settings: TrainingSettings, number: int) -> int:
    """Return the seed of a run of the soup: the next ones after the first run's, from 0 on after the largest."""
    return (settings.seed + number) % (LARGEST_SEED + 1)


def _check_finished(files: Sequence[Path], run: str | None) -> None:
    """Remove the first finished run that is damaged, and all that came after it: these runs are done again.

    UserError where a file of another origin is in the place of one.
    """
    for number, file in enumerate(files):
        if not file.exists():
            continue
        if not is_soup_run(file, run):
            raise UserError(f"{file} is in the place of a run's weights, but not of this run", "move it elsewhere")
        try:
            with safe_open(file, "pt") as saved:
                expected = saved.metadata().get(CHECKSUM)  # earlier versions wrote none
                found = str(_checksum({name: saved.get_tensor(name) for name in saved.keys()}))  # noqa: SIM118 - no dict
            intact = expected in (None, found)
        except SafetensorError:
            intact = False
        if not intact:
            log.warning("warning: %s is damaged: its run is done again", file)
            for later in files[number:]:
                remove(later)
            for checkpoint in checkpoints(file.parent):
                remove_checkpoint(checkpoint)
            return


def _checksum(weights: Mapping[str, torch.Tensor]) -> int:
    """Return a CRC-32 of the weights' bytes."""
    checksum = 0
    for name in sorted(weights):
        checksum = zlib.crc32(weights[name].detach().cpu().contiguous().flatten().view(torch.uint8).numpy(), checksum)
    return checksum


def _set_weights(parameters: Mapping[str, torch.nn.Parameter], weights: Mapping[str, torch.Tensor]) -> None:
    for name, parameter in parameters.items():
        parameter.data.copy_(weights[name])


def _evaluate(
    model: PreTrainedModel, objective: Objective, rows: Sequence[dict], settings: TrainingSettings
) -> dict[str, float]:
    """Return the metrics of the validation split in the precision in which the runs were evaluated."""
    with frozen_weights(model, settings), autocast(settings.device, settings.precision):
        model.to(settings.device)
        return objective.evaluate(model, rows)
