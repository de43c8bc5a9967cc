"""A model soup: several runs from the same start, each in an order of its own, and the average of their weights.

Runs fine-tuned from one base end close to one another, and the mean of their weights beats each of them (Wortsman et
al. 2022, "Model soups"), while one longer run learns its texts by heart (docs/results.md).
"""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from transformers import PreTrainedModel

from utils.compute.device import autocast
from utils.compute.prefix_cache import OFF, PrefixCache
from utils.training.flags import TrainingSettings
from utils.training.objectives import Objective
from utils.training.run_state import explain_state_errors, has_checkpoints, remove_checkpoints
from utils.training.trainer import TrainingOutcome, train

log = logging.getLogger(__name__)


def train_soup(
    model: PreTrainedModel,
    objective: Objective,
    train_rows: list[dict],
    validation_rows: list[dict],
    settings: TrainingSettings,
    state_folder: Path,
    resume: bool,
    prefix_cache: PrefixCache = OFF,
) -> TrainingOutcome:
    """Train `settings.model_soup` times as `trainer.train` does, with seeds from `settings.seed` on, and average.

    If the average is worse on the validation split than the best run, the model keeps that run's weights.
    """
    if settings.model_soup == 1:
        return train(model, objective, train_rows, validation_rows, settings, state_folder, resume, prefix_cache)
    parameters = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    start = {name: parameter.detach().clone() for name, parameter in parameters.items()}
    files = [state_folder / f"run-{number + 1}.safetensors" for number in range(settings.model_soup)]
    _remove_damaged(files)
    for number, file in enumerate(files):
        if file.is_file():  # finished before an interruption
            continue
        log.info("run %d of %d", number + 1, len(files))
        _set_weights(parameters, start)
        own = replace(settings, seed=settings.seed + number)
        continues = resume and has_checkpoints(state_folder)
        outcome = train(model, objective, train_rows, validation_rows, own, state_folder, continues, prefix_cache)
        with explain_state_errors(state_folder):
            part = file.with_suffix(".part")
            save_file(parameters, part, metadata={"outcome": json.dumps(asdict(outcome))})
            part.replace(file)
            remove_checkpoints(state_folder)
    with explain_state_errors(state_folder):
        runs = [safe_open(file, "pt") for file in files]
        outcomes = [TrainingOutcome(**json.loads(run.metadata()["outcome"])) for run in runs]
        for name, parameter in parameters.items():  # one at a time: memory never has to hold all runs
            parameter.data.copy_(sum(run.get_tensor(name) for run in runs) / len(runs))
    history = [{**entry, "run": number + 1} for number, outcome in enumerate(outcomes) for entry in outcome.history]
    steps, seconds = (sum(getattr(outcome, name) for outcome in outcomes) for name in ("steps", "seconds"))
    soup = replace(outcomes[0], steps=steps, seconds=seconds, history=history)
    if not validation_rows:
        return soup
    metrics = _evaluate(model, objective, validation_rows, settings)
    history.append({"run": "average", **{f"eval_{name}": value for name, value in metrics.items()}})
    after, best_run = metrics[objective.metric], objective.best(outcome.after for outcome in outcomes)
    name = soup.metric.replace("_", " ")
    log.info("average of %d runs: validation %s %.4f; best single run: %.4f", len(files), name, after, best_run)
    if objective.is_better(best_run, after):
        log.warning("warning: the average is worse than the best of the runs, which is kept")
        _set_weights(parameters, load_file(files[[outcome.after for outcome in outcomes].index(best_run)]))
        after = best_run
    return replace(soup, after=after, better=objective.is_better(after, soup.before))


def _remove_damaged(files: Sequence[Path]) -> None:
    """Remove the first finished run that is cut, and all that came after it: these runs are done again."""
    for number, file in enumerate(files):
        try:
            if file.is_file():
                safe_open(file, "pt")
        except SafetensorError:
            log.warning("warning: %s is damaged: its run is done again", file)
            for later in files[number:]:
                later.unlink(missing_ok=True)
            remove_checkpoints(file.parent)


def _set_weights(parameters: Mapping[str, torch.nn.Parameter], weights: Mapping[str, torch.Tensor]) -> None:
    for name, parameter in parameters.items():
        parameter.data.copy_(weights[name])


def _evaluate(
    model: PreTrainedModel, objective: Objective, rows: Sequence[dict], settings: TrainingSettings
) -> dict[str, float]:
    """Return the metrics of the validation split in the precision in which the runs were evaluated."""
    model.to(settings.device)
    with autocast(settings.device, settings.precision):
        metrics = objective.evaluate(model, rows)
    model.to("cpu")
    return metrics
