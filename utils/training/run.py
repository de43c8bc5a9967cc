"""A whole run of fine_tune.py: check, prepare, search if requested, train, save, and remove the state."""

import html
import json
import logging
import threading
import time
from argparse import Namespace
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from utils import distributed
from utils.cli import Parser
from utils.locks import one_writer
from utils.metrics.folds import fold_table
from utils.models.export.export import export_model
from utils.plots.loss_curves import kept_step, loss_curves, thinned
from utils.terminal.tables import format_table
from utils.training.adapters.flags import adapter_path
from utils.training.steps.request import Request, check_request, check_resumable

if TYPE_CHECKING:
    from utils.training.forecast.forecast import Forecast

log = logging.getLogger(__name__)
one_run_at_a_time = threading.RLock()  # of the threads of a process, whose random numbers are the same


@dataclass(frozen=True)
class FineTuned:
    """A trained model: where it is, its `figures` on the validation split, run.json's content, and log.jsonl's.

    `exported` are the files of --export.
    """

    path: Path
    figures: dict
    run: dict = field(repr=False)
    log: list[dict] = field(repr=False)
    exported: list[Path] = field(default_factory=list, repr=False)

    def __fspath__(self) -> str:
        return str(self.path)

    def describe(self, *, as_json: bool) -> str:
        """Return the output of fine_tune.py: findings on the way, and the path; as JSON with the figures."""
        found = {name: self.run[name] for name in ("label_errors", "folds", "baseline") if name in self.run}
        if as_json:
            return json.dumps({"output_path": str(self.path), "results": self.figures, **found}, ensure_ascii=False)
        from utils.training.labels.label_errors import describe_label_errors

        lines = [describe_label_errors(found["label_errors"], "training")] if "label_errors" in found else []
        lines += [format_table(*fold_table(found["folds"]))] if "folds" in found else []
        return "\n".join([*lines, str(self.path)])

    def _repr_html_(self) -> str:
        """Return the HTML for a notebook: the model's path, its figures, and the losses."""
        plots = loss_curves(thinned(self.log), kept_step(self.log, self.figures))
        return f"<p><code>{html.escape(repr(self))}</code></p>" + "".join(plot._repr_html_() for plot in plots)


def train_and_save(flags: Namespace, parser: Parser, began: float | None = None) -> FineTuned:
    """Search for settings if asked to; train, save the model, load it again and compare. UserError if that fails.

    `flags` are those of fine_tune.py, without the Hub's; `parser` is its command line. A time limit counts from `began`
    of `time.monotonic()`, or from now. UserError where another run is writing the output.
    """
    began = time.monotonic() if began is None else began
    with one_writer(flags.output_path, adapter_path(flags)):
        request = check_request(flags, parser)
        record, history = _trained(request, began)
        exports = flags.export and distributed.is_main_process()
        exported = export_model(flags.output_path, flags.export, flags.export_type) if exports else []
    return FineTuned(flags.output_path, record["results"], record, history, exported)


def foresee(flags: Namespace, parser: Parser, began: float) -> "Forecast":
    """Return the forecast of `train_and_save`, or raise the same errors, with nothing written."""
    distributed.require_single_process("--dry_run")
    request = check_request(flags, parser)
    from utils.training.steps.prepared import foresee_run

    return foresee_run(request, began)


def _trained(request: Request, began: float) -> tuple[dict, list[dict]]:
    """Train and save the model, or finish a saved interrupted run; return (run.json's content, the log)."""
    from utils.training.steps import saving, training
    from utils.training.steps.prepared import prepare_run, set_head

    if done := saving.finish_saved(request):
        return done
    check_resumable(request)
    run = prepare_run(request, began)
    search = training.search_for_settings(run) if run.flags.search else None
    training.begin_training(run)
    with training.told_how_to_go_on(request.state_folder):
        if run.flags.folds:
            from utils.training.folds.train_folds import train_folds  # it takes scikit-learn

            run = set_head(replace(run, folds=train_folds(run)))
        outcome = training.train_run(run)
        record = saving.complete_record(run, outcome, search)
        saving.save_model(run, record, outcome.history)
        saving.remove_states(request)
    if outcome.better is False and request.kind.problem_type is None:
        log.warning("warning: on the validation split no evaluation was better than the base model's")
    return record, outcome.history
