"""What is checked before a model is judged: outputs and where they go; flags, data and model that fit."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from utils.errors import DataError, UsageError, UserError
from utils.files import check_writable

if TYPE_CHECKING:
    import argparse

    from utils.models.checkpoint import Trained
    from utils.processed import Processed

log = logging.getLogger(__name__)
KINDS = {
    "generate": "models that write",
    "instruct": "models that answer instructions",
    "classify": "models that classify",
    "emoji": "models that write emoji",
}
FLAGS = {  # each with the kinds of data that it is for
    "compare_base": ("generate", "instruct", "emoji"),
    "max_new_tokens": ("generate", "instruct"),
    "num_samples": ("generate",),
    "limit": ("instruct", "emoji"),
    "answers_path": ("instruct",),
    "repetition_penalty": ("instruct",),
    "no_repeat_ngram_size": ("instruct",),
    "errors_path": ("classify", "emoji"),
}
DOES = {"generate": "writes texts", "instruct": "answers instructions", "emoji": "writes emoji"}
MADE_TO = {
    "generate": "write texts",
    "instruct": "answer instructions",
    "classify": "classify texts",
    "emoji": "write emoji",
}


def check_flags(args: "argparse.Namespace", kind: str) -> None:
    """Refuse flags that make no sense for data of this kind. All of them are None or False where they are not given."""
    for flag, kinds in FLAGS.items():
        if kind in kinds or getattr(args, flag) in (None, False):
            continue
        if flag == "compare_base":
            raise UsageError(
                f"--compare_base: {args.data_path} is for {KINDS[kind]}, whose base has no trained head to compare",
                "leave it out: the majority class and TF-IDF with logistic regression are always measured beside them",
            )
        raise UsageError(
            f"--{flag} is for {' and '.join(KINDS[one] for one in kinds)}; {args.data_path} is for {KINDS[kind]}",
            f"leave out --{flag}",
        )


def default_output(model_path: Path) -> Path:
    """evaluation.json in a model's folder; beside a .pt file, and in the working folder for a model from elsewhere."""
    if model_path.suffix == ".pt":
        return model_path.with_suffix(".evaluation.json")
    return model_path / "evaluation.json" if model_path.is_dir() else Path("evaluation.json")


def default_answers(model_path: Path, output_path: Path | None) -> Path:
    """answers.jsonl beside the default evaluation.json; beside another --output_path, its name with .answers.jsonl."""
    if output_path is not None:
        return output_path.with_suffix(".answers.jsonl")
    found = default_output(model_path)
    return found.with_name(found.name.replace("evaluation.json", "answers.jsonl"))


def check_outputs(inputs: list[Path], outputs: list[Path]) -> None:
    """Refuse outputs that could not be written, and that would replace an input or each other."""
    files = inputs + outputs
    resolved = [path.resolve() for path in files]
    for number, path in enumerate(files):
        if resolved[number] in resolved[:number]:
            raise UsageError(f"{path} is named twice: it would replace what is there", "choose another output path")
    for path in outputs:
        check_writable(path)


def check_fits(model_path: str, trained: "Trained", data_path: Path, data: "Processed", data_sha256: str) -> None:
    """Refuse data of another kind than the model's, or without test texts; warn where it may have trained on these.

    A model from elsewhere that writes may be judged on every kind of data for such models.
    """
    from utils.models.checkpoint import is_trained_classifier

    kind, wanted = trained.run.get("kind"), data.recipe["kind"]
    classifier = kind == "classify" or (kind is None and is_trained_classifier(trained.model))
    if classifier and wanted != "classify":
        raise UserError(
            f"{model_path} is no model that writes texts: it classifies them, and {data_path} has no labels",
            "evaluate it on data of its own task",
        )
    if not classifier and wanted not in ((kind,) if kind else DOES):
        raise DataError(
            f"{data_path} was made to {MADE_TO[wanted]} (task {data.recipe['task']}), "
            f"and {model_path} {DOES[kind or 'generate']}",
            f"evaluate it on data of its own task, or name a model that was trained on {data_path}",
        )
    if len(data.splits["test"]) == 0:
        raise DataError(f"{data_path} has no test texts", "preprocess more rows")
    if trained.run and trained.run["data"]["sha256"] != data_sha256:
        log.warning(
            "warning: %s was trained on another processed pickle than %s, so it may have seen these test texts",
            model_path, data_path,
        )  # fmt: skip
