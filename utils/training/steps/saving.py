"""The end of a run: write the model and its record, and remove the saved states."""

import logging
from collections.abc import Sequence

from utils import distributed
from utils.errors import UserError
from utils.inference.classifier import classifier_logits
from utils.inference.sampling import settings_to_save
from utils.models import checkpoint, model_files, saving
from utils.models.checkpoint import Trained
from utils.models.opening.adapters import take_out_adapters
from utils.models.tokenization import context_length
from utils.training.adapters.flags import adapter_path
from utils.training.adapters.saved import save_adapter
from utils.training.labels.learning import LEARNING
from utils.training.reporters import log_report
from utils.training.state.run_state import read_saving, record_saving
from utils.training.state.search_state import finish_search
from utils.training.state.state_files import remove_run_state
from utils.training.steps.prepared import PreparedRun
from utils.training.steps.request import Request, check_saved_run
from utils.training.steps.run_record import build_run_record
from utils.training.train import TrainingOutcome

log = logging.getLogger(__name__)


def complete_record(run: PreparedRun, outcome: TrainingOutcome, search: dict | None) -> dict:
    """Return run.json's content: the recipe, and the additions of the kind of task, a time limit and a search."""
    request, model = run.request, run.setup.base.model
    recipe = request.data, request.data_sha256, request.base_model
    record = build_run_record(*recipe, vars(run.flags), model, outcome, run.precision, run.device)
    record["prefix_cache"] = run.prefix_cache.record(model)
    if request.kind.name in LEARNING:
        validation = run.setup.rows["validation"]
        record["max_length"] = run.setup.max_length
        record["template"] = run.setup.template
        record["calibration"] = LEARNING[request.kind.name].finish(
            run.setup.base, request.data, validation, run.flags, bfloat16=run.precision == "bf16"
        )
        record["self_contained"] = True  # the folder alone gives calibrated probabilities in any tool
        if run.baseline:
            record["baseline"] = _mix_baseline(run, validation)
    else:
        record["sampling"] = settings_to_save(request.kind.name, run.setup.rows["train"], context_length(model))
    if run.time_limit:
        record["time_limit"] = run.time_limit.record(outcome.steps, outcome.ended_by)
    if len(run.validation) < run.validation_texts:
        record["results"]["validation_rows"] = len(run.validation)
    if run.label_errors:
        record["label_errors"] = run.label_errors
    if run.folds:
        record["folds"] = run.folds
    if search:
        record["search"] = search
    return record


def _mix_baseline(run: PreparedRun, rows: Sequence[dict]) -> dict:
    """Return run.json's record of the mixture of the calibrated model with its baseline."""
    from utils.training.baseline.stack import choose_stack  # it takes scipy

    base, data, options = run.setup.base, run.request.data, {"bfloat16": run.precision == "bf16", "progress": "mixing"}
    logits = classifier_logits(base.model, base.tokenizer, rows, **options)
    validation = data.splits["validation"].take(row["number"] for row in rows)
    return choose_stack(run.baseline, logits, validation, data.recipe["labels"], run.flags)[1]


def save_model(run: PreparedRun, record: dict, history: list[dict]) -> None:
    """Write the model, load it again and compare, draw its losses, and report them to where --report_to says."""
    if not distributed.is_main_process():
        return
    output, base = run.flags.output_path, run.setup.base
    record_saving(run.request.state_folder, record, history)
    mixed = run.baseline and record["baseline"]["used"]
    baseline = run.baseline.words.as_text() if mixed else None
    kept = adapter_path(run.flags)
    if kept:
        save_adapter(kept, Trained(base.model, base.tokenizer, record), baseline)
    take_out_adapters(base.model, merge=True)
    saving.save_and_verify(output, base.model, base.tokenizer, record, history, baseline)
    if kept:
        saving.check_logits(kept, base.model, base.tokenizer, checkpoint.load(str(kept)).model)
        log.info("adapters: %s", kept)
    picture = saving.write_picture(output, history, record["results"])
    log_report(run.flags.report_to, run.request.data.audit, record, history, picture)


def finish_saved(request: Request) -> tuple[dict, list[dict]] | None:
    """Finish an interrupted run that had saved its model, and return (run.json's content, the log).

    None if it had not. It was ended before it removed its state, which says what it was about to write.
    """
    saved = _saved_before(request) if request.flags.resume else None
    if saved is None:
        return None
    record, history = saved
    check_saved_run(request)
    if distributed.is_main_process():
        saving.write_picture(request.flags.output_path, history, record["results"])
    remove_states(request)
    return saved


def _saved_before(request: Request) -> tuple[dict, list[dict]] | None:
    output_path = request.flags.output_path
    saved = read_saving(request.state_folder)
    if saved is None or not model_files.is_written(output_path):
        return None
    try:
        written = checkpoint.load(str(output_path)).run
    except UserError:
        return None  # an older model, which is replaced if --overwrite says so
    distributed.barrier()  # all have read it
    if written != saved[0]:
        return None
    log.info("the model was saved before the interruption: nothing is left to do")
    return saved


def remove_states(request: Request) -> None:
    """Remove what an interrupted run would need, last of all the state that says that the model is saved."""
    if request.flags.search:
        finish_search(request.flags.output_path)
    if distributed.is_main_process():
        remove_run_state(request.state_folder)
