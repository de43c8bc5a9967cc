"""--folds: train on all folds but one, evaluate on that one, and restore the initial model."""

import logging
from collections.abc import Callable
from dataclasses import replace

from utils.argument_types import LARGEST_SEED
from utils.metrics.folds import describe_fold, summarize_folds
from utils.training.encoders.pooling import pool_as_saved
from utils.training.folds.judge import judge
from utils.training.folds.split import rows_outside
from utils.training.forecast.fit import plan_run
from utils.training.forecast.planned import epochs_of
from utils.training.linear_probe import rows_for_probe
from utils.training.state.state_files import (
    PROGRESS,
    checkpoints,
    is_complete,
    read_folds,
    read_object,
    remove_checkpoint,
    write_folds,
)
from utils.training.steps.prepared import PreparedRun
from utils.training.train import train

log = logging.getLogger(__name__)


def train_folds(run: PreparedRun) -> dict:
    """Train once for each fold, with the next seeds, and return the record for run.json.

    The usual validation split chooses each one's epoch, and the fold that was left out judges it. The model has its
    first weights again afterwards. Folds that were finished before an interruption are not trained again.
    """
    flags, state_folder, setup = run.flags, run.request.state_folder, run.setup
    finished = read_folds(state_folder)
    seeds = [(flags.seed + number) % (LARGEST_SEED + 1) for number in range(1, flags.folds + 1)]
    for checkpoint in checkpoints(state_folder):  # of a fold whose end was killed
        if (read_object(checkpoint / PROGRESS) or {}).get("seed") in seeds[: len(finished)]:
            remove_checkpoint(checkpoint)
    if len(finished) < flags.folds:
        _fill_prefix_cache(run)
    restore = _keep_start(run)
    for number in range(len(finished), flags.folds):
        log.info("fold %d of %d", number + 1, flags.folds)
        rows = rows_outside(setup.rows["train"], run.request.fold_of_group, number)
        if setup.probe:
            setup.probe.run(probed=rows_for_probe(rows, flags, setup.probe.fitting))
        continues = flags.resume and any(map(is_complete, checkpoints(state_folder)))
        outcome = train(
            setup.base.model,
            replace(setup.objective, callbacks=[]),  # no samples: they are those of the model
            rows,
            run.validation,
            replace(run.settings, seed=seeds[number], report_to=[]),
            state_folder,
            continues,
            run.prefix_cache,
        )
        finished.append({"seed": seeds[number], "epochs": outcome.epochs, **judge(run, number)})
        log.info("%s", describe_fold(finished[-1], number + 1))
        write_folds(state_folder, finished)
        for checkpoint in checkpoints(state_folder):
            remove_checkpoint(checkpoint)
        restore()
    return summarize_folds(finished)


def _fill_prefix_cache(run: PreparedRun) -> None:
    """Run the frozen blocks over all rows, once for all folds and the model."""
    setup = run.setup
    epochs = epochs_of(plan_run(setup, run.flags, run.precision, run.device, run.prefix_cache))
    if not run.prefix_cache.may_cache(setup.base.model, epochs):
        return
    setup.base.model.to(run.device)
    options = {"precision": run.precision, "epochs": epochs}
    with run.prefix_cache.cached_rows(setup.base.model, setup.objective.collate, setup.rows, **options):
        pass
    setup.base.model.to("cpu")


def _keep_start(run: PreparedRun) -> Callable[[], None]:
    """Return a function that restores the model's present weights, and an encoder's pooling."""
    model = run.setup.base.model
    config = model.config.to_dict()
    weights = {
        name: parameter.detach().clone() for name, parameter in model.named_parameters() if parameter.requires_grad
    }

    def restore() -> None:
        pool_as_saved(model, config)
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(name in weights)
            if name in weights:
                parameter.data.copy_(weights[name])

    return restore
