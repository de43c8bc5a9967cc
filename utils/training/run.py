"""A whole run of fine_tune.py: check, prepare, search if asked to, train, save, and remove the state."""

import html
import logging
import threading
import time
from argparse import Namespace
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from utils import distributed
from utils.cli import Parser
from utils.errors import DataError, UserError
from utils.files import check_apart, sha256_of
from utils.interrupts import ToldInterrupt, typed_command
from utils.locks import one_writer
from utils.plots.loss_curves import kept_step, loss_curves, thinned
from utils.processed import load_processed
from utils.tasks.kinds import CLASSIFY, KINDS
from utils.training.flags import complete_flags, settings_from
from utils.training.reporters import check_reporters, log_report
from utils.training.state.run_state import (
    begin_run,
    check_run_state,
    check_same_run,
    is_interrupted,
    is_resumable,
    keep_complete_checkpoints,
    no_saved_state,
    read_saving,
    record_saving,
    resumes_from,
    run_state_folder,
)
from utils.training.state.search_state import check_search, finish_search, has_search
from utils.training.state.state_files import ARGUMENTS_FILE, remove_run_state

if TYPE_CHECKING:
    from utils.training.forecast.forecast import Forecast

log = logging.getLogger(__name__)
one_run_at_a_time = threading.RLock()  # of the threads of a process, whose random numbers are the same


@dataclass(frozen=True)
class FineTuned:
    """A trained model: where it is, its `figures` on the validation split, run.json's content, and log.jsonl's."""

    path: Path
    figures: dict
    run: dict = field(repr=False)
    log: list[dict] = field(repr=False)

    def __fspath__(self) -> str:
        return str(self.path)

    def _repr_html_(self) -> str:
        """Return what a notebook shows: where the model is, its figures, and the losses."""
        plots = loss_curves(thinned(self.log), kept_step(self.log, self.figures))
        return f"<p><code>{html.escape(repr(self))}</code></p>" + "".join(plot._repr_html_() for plot in plots)


def train_and_save(flags: Namespace, parser: Parser, began: float | None = None) -> FineTuned:
    """Search for settings if asked to; train, save the model, load it again and compare. UserError if that fails.

    `flags` are those of fine_tune.py, without the Hub's; `parser` is its command line. A time limit counts from `began`
    of `time.monotonic()`, or from now. UserError where another run is writing the output.
    """
    began = time.monotonic() if began is None else began
    with one_writer(flags.output_path):
        return _train_and_save(flags, parser, began)


def foresee(flags: Namespace, parser: Parser, began: float) -> "Forecast":
    """Return what `train_and_save` would take, or raise what it would, with nothing written."""
    distributed.require_single_process("--dry_run")
    return _train_and_save(flags, parser, began, dry_run=True)


def _train_and_save(flags: Namespace, parser: Parser, began: float, *, dry_run: bool = False) -> "FineTuned | Forecast":
    state_folder = run_state_folder(flags.output_path)
    check_reporters(flags.report_to)
    flags.resume = resumes_from(flags.resume, state_folder)
    if flags.resume and flags.search and has_search(flags.output_path) and not is_interrupted(state_folder):
        flags.resume = False  # the search alone has begun, and goes on
    from utils.models import model_files, saving

    complete = flags.output_path if model_files.is_written(flags.output_path) and not flags.overwrite else None
    check_run_state(state_folder, flags.resume, flags.overwrite, complete)
    check_apart(flags.output_path, [flags.data_path, flags.model])
    data = load_processed(flags.data_path)
    check_apart(flags.output_path, [flags.model or data.recipe["base_model"]])
    if len(data.splits["train"]) == 0:
        raise DataError(f"{flags.data_path} has no training texts", "preprocess more rows")
    kind = KINDS[data.recipe["kind"]]
    searchable = complete_flags(flags, parser, kind)
    if flags.search or flags.model_soup > 1:
        distributed.require_single_process("--search" if flags.search else "--model_soup")
    if flags.search:
        check_search(flags, data, searchable)
    data_sha256 = sha256_of(flags.data_path)

    from utils.compute.device import choose_device, choose_precision
    from utils.compute.prefix_cache import PrefixCache, prefix_cache_folder
    from utils.inference.sampling import settings_to_save
    from utils.models.tokenization import context_length
    from utils.training.calibration import calibrate_model
    from utils.training.forecast.dry_run import forecast_run
    from utils.training.forecast.fit import check_fit, plan_run
    from utils.training.freezing import describe_parameters
    from utils.training.model_soup import train_soup
    from utils.training.prepare import prepare, validation_rows
    from utils.training.run_record import build_run_record
    from utils.training.state.seconds_used import seconds_used
    from utils.training.time_limit.limit import begin_limit
    from utils.training.time_limit.measure import fit_to_time

    if flags.resume and (done := _saved_before(flags, state_folder)):
        if (state_folder / ARGUMENTS_FILE).is_file():  # it goes before the note of the model
            check_same_run(state_folder, vars(flags), data_sha256, searchable if flags.search else [])
        if distributed.is_main_process():
            saving.write_picture(flags.output_path, done[1], done[0]["results"])
        return _finish(flags, state_folder, *done)
    if flags.resume and not is_resumable(state_folder):  # the model that was saved is gone
        raise no_saved_state(state_folder)
    model_files.check_output(flags.output_path, flags.overwrite, tries=not dry_run)
    device = choose_device(flags.device)
    precision = choose_precision(flags.precision, device)
    name = flags.model or data.recipe["base_model"]
    distributed.initialize(device)
    if flags.packing:
        log.info("--packing has no effect any more: batches of similar lengths need little padding")
    source = "--model" if flags.model else "from preprocessing"
    log.info("base model %s (%s), %s on %s", name, source, precision, device)
    if (processes := distributed.world_size()) > 1:
        texts = processes * flags.batch_size * flags.gradient_accumulation_steps
        log.info("%d processes: an optimizer step takes %d texts", processes, texts)
    cache_folder = prefix_cache_folder(flags.output_path)
    cache = PrefixCache(cache_folder, flags.prefix_cache, flags.prefix_cache_gb, flags.keep_prefix_cache)
    time_limit = begin_limit(flags.time_limit, began)
    try:
        setup = prepare(data, name, flags, device, precision, cache)
        all_rows = setup.rows
        setup = replace(setup, rows=all_rows | {"validation": validation_rows(all_rows["validation"], flags)})
        planned = plan_run(setup, flags, precision, device)
        check_fit(planned, cache)
        if dry_run:
            return forecast_run(planned, data, flags, cache, name, began)
        if time_limit:
            time_limit.used_before = seconds_used(state_folder) if flags.resume else 0.0
            setup = fit_to_time(time_limit, setup, flags, device, precision, state_folder)
        if setup.probe:
            setup.probe.run()
    except KeyboardInterrupt:
        goes_on = "to continue from the last saved state" if flags.resume else "nothing is trained yet; to start again"
        log.info("%s: %s", goes_on, typed_command() or "the same once more")
        raise ToldInterrupt from None
    model, rows, search = setup.base.model, setup.rows, None
    validation = [] if flags.eval_strategy == "no" else rows["validation"]
    if flags.search:
        from utils.training.search import search_settings

        settings = settings_from(flags, precision, device)
        best_settings, search = search_settings(setup, flags, searchable, settings, data_sha256, cache, time_limit)
        vars(flags).update(best_settings)
        setup.freeze(model, flags.unfreeze_last)
    log.info(describe_parameters(model))
    begin_run(state_folder, vars(flags), data_sha256, flags.resume)
    try:
        settings = settings_from(flags, precision, device)
        outcome = train_soup(
            model, setup.objective, rows["train"], validation, settings, state_folder, flags.resume, cache, time_limit
        )
        record = build_run_record(data, data_sha256, name, vars(flags), model, outcome, precision, device)
        record["prefix_cache"] = cache.record(model)
        if kind == CLASSIFY:
            record["max_length"] = setup.max_length
            record["calibration"] = calibrate_model(
                setup.base, rows["validation"], flags.threshold, flags.seed, bfloat16=precision == "bf16"
            )
            record["self_contained"] = True  # the folder alone gives calibrated probabilities in any tool
        else:
            record["sampling"] = settings_to_save(kind.name, rows["train"], context_length(model))
        if time_limit:
            record["time_limit"] = time_limit.record(outcome.steps, outcome.ended_by)
        if len(validation) < len(all_rows["validation"]):
            record["results"]["validation_rows"] = len(validation)
        if search:
            record["search"] = search
        if distributed.is_main_process():
            record_saving(state_folder, record, outcome.history)
            saving.save_and_verify(flags.output_path, model, setup.base.tokenizer, record, outcome.history)
            picture = saving.write_picture(flags.output_path, outcome.history, record["results"])
            log_report(flags.report_to, data.audit, record, outcome.history, picture)
        trained = _finish(flags, state_folder, record, outcome.history)
    except (KeyboardInterrupt, UserError) as error:
        if distributed.is_main_process():
            if keep_complete_checkpoints(state_folder):
                command = typed_command(["--resume"], ["--resume_from_checkpoint"]) or "the same with resume=True"
                log.info("to continue from the last saved state: %s", command)
            elif isinstance(error, KeyboardInterrupt):
                log.info("no state is saved yet; to start again: %s", typed_command() or "the same once more")
        if isinstance(error, KeyboardInterrupt):
            raise ToldInterrupt from None
        raise
    if outcome.better is False and kind != CLASSIFY:
        log.warning("warning: on the validation split no evaluation was better than the base model's")
    return trained


def _finish(flags: Namespace, state_folder: Path, record: dict, history: list[dict]) -> FineTuned:
    """Remove what an interrupted run would need, last of all the state that says that the model is saved."""
    if flags.search:
        finish_search(flags.output_path)
    if distributed.is_main_process():
        remove_run_state(state_folder)
    return FineTuned(flags.output_path, record["results"], record, history)


def _saved_before(flags: Namespace, state_folder: Path) -> tuple[dict, list[dict]] | None:
    """Return (run.json's content, the log) of the model that the interrupted run had saved already; None if it had not.

    It was ended before it removed its state, which says what it was about to write.
    """
    from utils.models import checkpoint, model_files

    saved = read_saving(state_folder)
    if saved is None or not model_files.is_written(flags.output_path):
        return None
    try:
        written = checkpoint.load(str(flags.output_path)).run
    except UserError:
        return None  # an older model, which is replaced if --overwrite says so
    distributed.barrier()  # all have read it
    if written != saved[0]:
        return None
    log.info("the model was saved before the interruption: nothing is left to do")
    return saved
