"""The request to fine_tune.py, checked as thoroughly as possible before a model is loaded."""

from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path

from utils import distributed
from utils.cli import Parser
from utils.errors import DataError, UsageError
from utils.files import check_apart, check_writable, sha256_of
from utils.models import model_files
from utils.models.export.export import check_export
from utils.models.opening.adapter_folder import is_adapter_folder, name_base
from utils.processed import Processed, load_processed
from utils.tasks.kinds import CLASSIFY, KINDS, Kind
from utils.training.flag_checks import complete_flags
from utils.training.folds.split import fold_of_groups
from utils.training.reporters import check_reporters
from utils.training.state.run_state import (
    check_run_state,
    check_same_run,
    is_interrupted,
    is_resumable,
    no_saved_state,
    resumes_from,
    run_state_folder,
)
from utils.training.state.search_state import check_search, has_search
from utils.training.state.state_files import ARGUMENTS_FILE


@dataclass(frozen=True)
class Request:
    """The complete flags of fine_tune.py, the data that they name, and the folder of the run's state.

    A search may vary the flags in `searchable`, and writes what it found into `flags`.
    """

    flags: Namespace
    data: Processed
    data_sha256: str
    searchable: list[str]
    state_folder: Path
    fold_of_group: dict[str, int] | None = None  # of the groups of the training split, with --folds

    @property
    def kind(self) -> Kind:
        return KINDS[self.data.recipe["kind"]]

    @property
    def base_model(self) -> str:
        return self.flags.model or self.data.recipe["base_model"]


def check_request(flags: Namespace, parser: Parser) -> Request:
    """Return the request of `flags`, and complete them. UserError if they contradict the data or existing files."""
    state_folder = run_state_folder(flags.output_path)
    check_reporters(flags.report_to)
    _check_output(flags, state_folder)
    data = load_processed(flags.data_path)
    check_apart(flags.output_path, [flags.model or data.recipe["base_model"]])
    if len(data.splits["train"]) == 0:
        raise DataError(f"{flags.data_path} has no training texts", "preprocess more rows")
    if flags.base_model is not None and flags.model is None and not is_adapter_folder(Path(data.recipe["base_model"])):
        problem = "--base_model is for an adapter, and no --model names one"
        raise UsageError(problem, f"to train {flags.base_model} itself: --model {flags.base_model}")
    name_base(flags.model or data.recipe["base_model"], flags.base_model)
    searchable = complete_flags(flags, parser, KINDS[data.recipe["kind"]])
    if flags.export:
        kind, inputs = KINDS[data.recipe["kind"]], [flags.data_path, flags.model, flags.config]
        check_export(flags.export, kind, flags.output_path, inputs, flags.overwrite)
    alone = {"--search": flags.search, "--model_soup": flags.model_soup > 1, "--folds": flags.folds}
    if names := [name for name, given in alone.items() if given]:
        distributed.require_single_process(names[0])
    if flags.search:
        check_search(flags, data, searchable)
    if flags.with_baseline != "off":
        from utils.training.baseline.stack import check_can_mix

        check_can_mix(flags.data_path, flags.with_baseline, data.splits["validation"])
    fold_of_group = None
    if flags.folds:
        train, labels = data.splits["train"], data.recipe["labels"] if data.recipe["kind"] == CLASSIFY.name else None
        fold_of_group = fold_of_groups(flags.data_path, train, labels, flags.folds, flags.seed)
    return Request(flags, data, sha256_of(flags.data_path), searchable, state_folder, fold_of_group)


def _check_output(flags: Namespace, state_folder: Path) -> None:
    """Raise UserError where the run would lose something, or has nothing to resume; set `flags.resume` to a bool."""
    flags.resume = resumes_from(flags.resume, state_folder)
    if flags.resume and flags.search and has_search(flags.output_path) and not is_interrupted(state_folder):
        flags.resume = False  # only the search had begun, and it continues
    complete = flags.output_path if model_files.is_written(flags.output_path) and not flags.overwrite else None
    check_run_state(state_folder, flags.resume, flags.overwrite, complete)
    check_apart(flags.output_path, [flags.data_path, flags.model])
    if flags.label_errors:
        check_apart(flags.label_errors, [flags.data_path, flags.model, flags.config, flags.output_path])
        check_writable(flags.label_errors)


def check_saved_run(request: Request) -> None:
    """Raise UsageError if the run whose model was saved before an interruption is not the requested one."""
    flags, folder = request.flags, request.state_folder
    if (folder / ARGUMENTS_FILE).is_file():  # it goes before the note of the model
        check_same_run(folder, vars(flags), request.data_sha256, request.searchable if flags.search else [])


def check_resumable(request: Request) -> None:
    """Raise UsageError where there is no state to train on from: the model that was saved is gone."""
    if request.flags.resume and not is_resumable(request.state_folder):
        raise no_saved_state(request.state_folder)
