"""Several runs from the same start, each in an order of its own, and the average of their weights: a model soup.

Fine-tuned from one base, the runs end close to one another, and the mean of their weights does better than any of them
(Wortsman et al. 2022, "Model soups"), where one longer run learns its texts by heart (docs/results.md).
"""

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from transformers import PreTrainedModel

from utils.compute.prefix_cache import OFF, PrefixCache
from utils.training.flags import TrainingSettings
from utils.training.objectives import Objective
from utils.training.run_state import clear_checkpoints, has_checkpoints
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
    """As `training.train`, `settings.average_runs` times, with the seeds from `settings.seed` on; then the average.

    Where the average is worse on the validation split than the best run, that run is what is left in the model.
    """
    if settings.average_runs == 1:
        return train(model, objective, train_rows, validation_rows, settings, state_folder, resume, prefix_cache)
    trained = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    start = {name: parameter.detach().clone() for name, parameter in trained.items()}
    files = [state_folder / f"run-{number + 1}.safetensors" for number in range(settings.average_runs)]
    for number, file in enumerate(files):
        if file.is_file():  # of the run that goes on
            continue
        log.info("run %d of %d", number + 1, len(files))
        _set(trained, start)
        goes_on = resume and has_checkpoints(state_folder)
        own = replace(settings, seed=settings.seed + number)
        outcome = train(model, objective, train_rows, validation_rows, own, state_folder, goes_on, prefix_cache)
        part = file.with_suffix(".part")
        save_file(trained, part, metadata={"outcome": json.dumps(asdict(outcome))})
        part.replace(file)
        clear_checkpoints(state_folder)
    outcomes = [_outcome(file) for file in files]
    _set_average(trained, files)
    history = [{**entry, "run": number + 1} for number, each in enumerate(outcomes) for entry in each.history]
    whole = replace(
        outcomes[0],
        steps=sum(each.steps for each in outcomes),
        seconds=sum(each.seconds for each in outcomes),
        history=history,
    )
    if not validation_rows:
        return whole
    measured = _evaluate(model, objective, validation_rows, settings)
    history.append({"run": "average", **{f"eval_{name}": value for name, value in measured.items()}})
    best_of = max if objective.greater_is_better else min
    after, best = measured[objective.metric], best_of(each.after for each in outcomes)
    name = whole.metric.replace("_", " ")
    log.info("average of %d runs: validation %s %.4f, the best of them %.4f", len(files), name, after, best)
    if best_of(after, best) != after:
        log.warning("warning: the average is worse than the best of the runs, which is kept")
        _set(trained, _weights(files[[each.after for each in outcomes].index(best)]))
        after = best
    return replace(whole, after=after, better=after != whole.before and best_of(after, whole.before) == after)


def _set(trained: dict[str, torch.nn.Parameter], weights: dict[str, torch.Tensor]) -> None:
    for name, parameter in trained.items():
        parameter.data.copy_(weights[name])


def _set_average(trained: dict[str, torch.nn.Parameter], files: Sequence[Path]) -> None:
    runs = [safe_open(file, "pt") for file in files]
    for name, parameter in trained.items():
        parameter.data.copy_(sum(run.get_tensor(name) for run in runs) / len(runs))


def _weights(file: Path) -> dict[str, torch.Tensor]:
    with safe_open(file, "pt") as run:
        return {name: run.get_tensor(name) for name in run.keys()}  # noqa: SIM118 (it is no dict)


def _outcome(file: Path) -> TrainingOutcome:
    with safe_open(file, "pt") as run:
        return TrainingOutcome(**json.loads(run.metadata()["outcome"]))


def _evaluate(
    model: PreTrainedModel, objective: Objective, rows: Sequence[dict], settings: TrainingSettings
) -> dict[str, float]:
    """In the number format in which the runs were evaluated."""
    dtype = torch.float16 if settings.precision == "fp16" else torch.bfloat16
    model.to(settings.device)
    with torch.autocast(settings.device, dtype, enabled=settings.precision != "fp32"):
        measured = objective.evaluate(model, rows)
    model.to("cpu")
    return measured
