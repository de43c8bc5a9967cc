"""Checks before a model is evaluated: flags, data and model that fit each other, and output files."""

import argparse
import logging
from collections.abc import Iterable
from pathlib import Path

from utils.errors import DataError, UsageError, UserError
from utils.files import check_apart, check_writable
from utils.models.checkpoint import Trained, is_trained_classifier
from utils.models.model_files import is_evaluation
from utils.processed import Processed
from utils.tasks.kinds import CLASSIFY, KINDS

log = logging.getLogger(__name__)


def check_flags(args: argparse.Namespace, kind: str) -> None:
    """Raise UsageError for flags that data of this kind has no use for. A flag that is not given is None or False."""
    for flag in dict.fromkeys(flag for other in KINDS.values() for flag in other.evaluation_flags):
        if flag in KINDS[kind].evaluation_flags or getattr(args, flag) in (None, False):
            continue
        if flag == "compare_base":
            raise UsageError(
                f"--compare_base: {args.data_path} is for {KINDS[kind].models}, whose base has no trained head to "
                "compare",
                "remove it: a constant answer and TF-IDF with a regression are always measured too",
            )
        *first, last = (other.verb_phrase for other in KINDS.values() if flag in other.evaluation_flags)
        users = f"{', '.join(first)} or {last}" if first else last
        raise UsageError(
            f"--{flag} is for models that {users}; {args.data_path} is for {KINDS[kind].models}", f"remove --{flag}"
        )


def default_output(model_path: Path) -> Path:
    """Return evaluation.json in a model's folder or beside a .pt file; in the working folder for any other model."""
    if model_path.suffix == ".pt":
        return model_path.with_suffix(".evaluation.json")
    return model_path / "evaluation.json" if model_path.is_dir() else Path("evaluation.json")


def default_answers(model_path: Path, output_path: Path | None) -> Path:
    """Return answers.jsonl beside the default evaluation.json; for another --output_path, its name + .answers.jsonl."""
    if output_path is not None:
        return output_path.with_suffix(".answers.jsonl")
    default = default_output(model_path)
    return default.with_name(default.name.replace("evaluation.json", "answers.jsonl"))


def check_outputs(inputs: list[Path], outputs: list[Path]) -> None:
    """Raise UsageError for an output that would replace an input or another output, UserError for one not writable."""
    resolved = [path.resolve() for path in outputs]
    for index, path in enumerate(outputs):
        if resolved[index] in resolved[:index]:
            raise UsageError(f"{path} is named twice: one file would replace the other", "choose another output path")
        check_apart(path, inputs)
        check_writable(path)


def check_not_foreign(paths: Iterable[Path]) -> None:
    """Raise UserError where another program's file has a name that the user did not choose."""
    for path in paths:
        if path.is_file() and path.stat().st_size and not is_evaluation(path):
            raise UserError(f"{path} exists, and evaluate_model.py did not write it", "name another --output_path")


def check_fits(model_path: str, trained: Trained, data_path: Path, data: Processed, data_sha256: str) -> None:
    """Raise UserError if the model cannot be evaluated on this data: another kind of task, or no test texts.

    A model without run.json that writes texts can be evaluated on every kind of data but labeled texts. Warns if
    the model was trained on another pickle, and so perhaps on these test texts.
    """
    kind, data_kind = trained.run.get("kind"), data.recipe["kind"]
    labeled = KINDS[data_kind].problem_type is not None
    classifier = is_trained_classifier(trained.model) if kind is None else KINDS[kind].problem_type is not None
    if classifier and not labeled:
        does = KINDS[kind or CLASSIFY.name].third_person
        raise UserError(
            f"{model_path} {does} instead of writing them, and {data_path} has no labels",
            "evaluate it on data of its own task",
        )
    if (labeled and not classifier) or kind not in (None, data_kind):
        raise DataError(
            f"{data_path} was made to {KINDS[data_kind].verb_phrase} (task {data.recipe['task']}), "
            f"and {model_path} {KINDS[kind or 'generate'].third_person}",
            f"evaluate it on data of its own task, or name a model that was trained on {data_path}",
        )
    if len(data.splits["test"]) == 0:
        raise DataError(f"{data_path} has no test texts", "preprocess more rows")
    if trained.run and trained.run["data"]["sha256"] != data_sha256:
        log.warning(
            "warning: %s was trained on a processed pickle other than %s, so it may have seen these test texts",
            model_path, data_path,
        )  # fmt: skip
