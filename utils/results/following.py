"""The commands to type after each script."""

from collections.abc import Mapping
from pathlib import Path

from utils.interrupts import next_command, typed_command
from utils.tasks.kinds import KINDS

USES = {  # by kind of task: the script and an example of its input
    "generate": ("generate", "--prompt", "I just"),
    "classify": ("classify", "--text", "Works like a charm"),
    "multilabel": ("classify", "--text", "Works like a charm"),
    "score": ("classify", "--text", "Works like a charm"),
    "instruct": ("generate", "--instruction", "What are the benefits of meditation?"),
    "emoji": ("generate", "--prompt", "a cat crying with joy"),
}


def after_preprocessing(pickle: Path) -> list[str]:
    """Return the command that trains on the processed pickle; the model is named after the file."""
    named = [] if pickle.stem == "processed" else ["--output_path", Path("models", pickle.stem)]
    return [next_command("fine_tune", "--data", pickle, *named)]


def after_foreseeing() -> list[str]:
    """Return the command of the run that --dry_run has estimated."""
    command = typed_command(remove=["--dry_run", "--json"])
    return [command] if command else []


def after_training(model: Path, kind: str, data: Path) -> list[str]:
    """Return the commands that use and measure a model of this kind of task."""
    script, *example = USES[kind]
    return [next_command(script, "--model_path", model, *example), _evaluation(model, kind, data)]


def after_use(model: str, run: Mapping) -> list[str]:
    """Return the command that measures a model on the data that its run.json names, if that is still there."""
    data = run.get("arguments", {}).get("data_path")
    if not isinstance(data, str) or run.get("kind") not in KINDS or not Path(data).is_file():
        return []
    return [_evaluation(model, run["kind"], data)]


def after_evaluation(model: str, kind: str, has_report: bool) -> list[str]:
    """Return the commands that make a page to read, where there is none, and that use a model of this kind of task."""
    script, *example = USES[kind]
    page = None if has_report else typed_command(["--report"])
    return [*([page] if page else []), next_command(script, "--model_path", model, *example)]


def _evaluation(model: str | Path, kind: str, data: str | Path) -> str:
    compared = ["--compare_base"] if "compare_base" in KINDS[kind].evaluation_flags else []
    return next_command("evaluate_model", "--model_path", model, "--data", data, *compared)
