"""A request with its model, objective and rows, on the device that trains it, and checked to fit there."""

import contextlib
import logging
from argparse import Namespace
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from utils import distributed
from utils.compute.device import choose_device, choose_precision
from utils.compute.prefix_cache import PrefixCache, prefix_cache_folder
from utils.errors import DataError
from utils.interrupts import ToldInterrupt, typed_command
from utils.models import model_files
from utils.models.export.export import check_exportable
from utils.training.adapters.flags import adapter_path
from utils.training.adapters.frozen_weights import check_device_for_4_bits
from utils.training.adapters.saved import check_adapter_suffices
from utils.training.encoders.pooling import pool_as_saved
from utils.training.flags import TrainingSettings, settings_from
from utils.training.folds.split import rows_outside
from utils.training.forecast.dry_run import forecast_run
from utils.training.forecast.fit import check_fit, plan_run
from utils.training.forecast.forecast import Forecast
from utils.training.labels.label_errors import write_label_errors
from utils.training.linear_probe import FOLDS, has_all_folds
from utils.training.prepare import TrainingSetup, prepare, validation_rows
from utils.training.state.seconds_used import seconds_used
from utils.training.state.state_files import checkpoints, read_object
from utils.training.steps.request import Request
from utils.training.time_limit.limit import TimeLimit, begin_limit
from utils.training.time_limit.measure import fit_to_time

if TYPE_CHECKING:
    from utils.training.baseline.stack import FittedWords

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PreparedRun:
    """A run that can begin. Its setup may have a part of the validation split, which has `validation_texts`."""

    request: Request
    device: str
    precision: str
    prefix_cache: PrefixCache
    setup: TrainingSetup
    validation_texts: int
    time_limit: TimeLimit | None = None
    label_errors: dict | None = None  # run.json's record of --label_errors
    folds: dict | None = None  # run.json's record of --folds
    baseline: "FittedWords | None" = None  # the baseline that --with_baseline mixes with the classifier

    @property
    def flags(self) -> Namespace:
        return self.request.flags

    @property
    def settings(self) -> TrainingSettings:
        """The settings from the flags as they are now: a search changes them."""
        return settings_from(self.flags, self.precision, self.device)

    @property
    def validation(self) -> Sequence[dict]:
        """The rows on which it validates."""
        return [] if self.flags.eval_strategy == "no" else self.setup.rows["validation"]


def foresee_run(request: Request, began: float) -> Forecast:
    """Return the forecast of the run; UserError where it would not fit. `began` is of `time.monotonic()`."""
    with _told_how_to_begin_again(request.flags):
        run = _load(request, writes=False)
        planned = plan_run(run.setup, run.flags, run.precision, run.device, run.prefix_cache)
        check_fit(planned)
        return forecast_run(planned, request.data, run.flags, run.prefix_cache, request.base_model, began)


def prepare_run(request: Request, began: float) -> PreparedRun:
    """Load what the run needs, fit it to the time that there is, and set a classifier's head by its linear probe.

    With --folds, the head is still to be set. UserError where the run would not fit. A time limit counts from `began`
    of `time.monotonic()`.
    """
    flags = request.flags
    with _told_how_to_begin_again(flags):
        run = _load(request, writes=True)
        check_fit(plan_run(run.setup, flags, run.precision, run.device, run.prefix_cache))
        if limit := begin_limit(flags.time_limit, began):
            limit.used_before = seconds_used(request.state_folder) if flags.resume else 0.0
            setup = fit_to_time(limit, run.setup, flags, run.device, run.precision, request.state_folder)
            run = replace(run, setup=setup, time_limit=limit)
        if not flags.folds:
            run = set_head(run)
    return run


def set_head(run: PreparedRun) -> PreparedRun:
    """Set a classifier's head by its linear probe, if it has one; return the run with what --label_errors found."""
    flags, data = run.flags, run.request.data
    if run.setup.probe:
        out_of_fold = run.setup.probe.run()
        if flags.label_errors:
            found = data.splits["train"], data.recipe["labels"], out_of_fold
            run = replace(run, label_errors=write_label_errors(flags.label_errors, *found))
    if not flags.folds:
        _pool_as_before(run)
    if flags.save_adapter:
        check_adapter_suffices(run.setup.base.model)
    return run


def _pool_as_before(run: PreparedRun) -> None:
    """Let a continued run's encoder pool as before: under a time limit, its probe may take other rows than then."""
    saved = [config for each in checkpoints(run.request.state_folder) if (config := read_object(each / "config.json"))]
    if run.flags.resume and run.setup.probe and saved:
        pool_as_saved(run.setup.base.model, saved[-1])
        run.setup.freeze(run.setup.base.model, run.flags.unfreeze_last)


def _load(request: Request, *, writes: bool) -> PreparedRun:
    """Return the run with its model and rows; `writes` tries whether the output can be written."""
    flags, name = request.flags, request.base_model
    model_files.check_output(flags.output_path, flags.overwrite, tries=writes)
    if path := adapter_path(flags):
        model_files.check_output(path, flags.overwrite or flags.resume, tries=writes)
    device = choose_device(flags.device)
    check_device_for_4_bits(flags, device)
    precision = choose_precision(flags.precision, device)
    distributed.initialize(device)
    if flags.packing:
        log.info("--packing no longer has an effect: batches of similar lengths need little padding")
    source = "--model" if flags.model else "from preprocessing"
    log.info("base model %s (%s), %s on %s", name, source, precision, device)
    if (processes := distributed.world_size()) > 1:
        texts = processes * flags.batch_size * flags.gradient_accumulation_steps
        log.info("%d processes: an optimizer step takes %d texts", processes, texts)
    folder = prefix_cache_folder(flags.output_path)
    cache = PrefixCache(folder, flags.prefix_cache, flags.prefix_cache_gb, flags.keep_prefix_cache)
    setup = prepare(request.data, name, flags, device, precision, cache)
    if flags.export:
        check_exportable(flags.export, name, setup.base.model, setup.base.tokenizer)
    whole = setup.rows["validation"]
    setup = replace(setup, rows=setup.rows | {"validation": validation_rows(whole, flags)})
    if flags.folds and setup.probe:
        _check_folds(request, setup)
    baseline = None
    if flags.with_baseline != "off":
        from utils.training.baseline.stack import fit_baseline  # it takes scipy

        splits = request.data.splits
        baseline = fit_baseline(splits["train"], splits["validation"], request.data.recipe["labels"])
    return PreparedRun(request, device, precision, cache, setup, len(whole), baseline=baseline)


def _check_folds(request: Request, setup: TrainingSetup) -> None:
    """Raise DataError where a fold leaves too few texts of a label for the linear probe that the model starts from."""
    folds = request.flags.folds
    for fold in range(folds):
        rows = rows_outside(setup.rows["train"], request.fold_of_group, fold)
        if not has_all_folds(setup.base, rows, setup.probe.fitting):
            problem = (
                f"--folds {folds}: without fold {fold + 1}, a label has fewer training texts than the {FOLDS} that"
            )
            raise DataError(f"{problem} the linear probe needs", "raise --folds, or preprocess more rows")


@contextlib.contextmanager
def _told_how_to_begin_again(flags: Namespace) -> Iterator[None]:
    """After Ctrl-C before any training, log the command that starts or continues the run."""
    try:
        yield
    except KeyboardInterrupt:
        advice = "to continue from the last saved state" if flags.resume else "nothing is trained yet; to start again"
        log.info("%s: %s", advice, typed_command() or "the same once more")
        raise ToldInterrupt from None
