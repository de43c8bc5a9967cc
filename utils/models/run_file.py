"""run.json, the recipe that travels with a model: read it, and check it before use."""

import json
import logging
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from utils.errors import UserError
from utils.tasks.kinds import CLASSIFY, EMOJI, KINDS, MULTILABEL, SCORE
from utils.text.cleaning import CHOICES, from_saved

log = logging.getLogger(__name__)

RUN_FILE = "run.json"
BASELINE_FILE = "baseline.json"  # of a classifier that is mixed with TF-IDF
RESTORE = "restore it, or train the model again"
TYPES = {
    **dict.fromkeys(("task", "kind", "template", "base_model", "target", "split_by", "device", "precision"), str),
    **dict.fromkeys(
        ("cleaning", "arguments", "data", "calibration", "results", "versions", "sampling", "baseline"), dict
    ),
    **dict.fromkeys(("labels", "targets", "descriptions"), list),
    **dict.fromkeys(("max_length", "seed", "trainable_parameters", "total_parameters"), int),
}
LABELING = (CLASSIFY.name, MULTILABEL.name, SCORE.name)
RULES = (1, 2)  # of cleaning
# Fields that only model cards need, not the model's use, and their parts.
RECORD = {
    **dict.fromkeys(("task", "template", "base_model", "cleaning", "versions", "device", "precision", "seed"), ()),
    **dict.fromkeys(("trainable_parameters", "total_parameters"), ()),
    "arguments": ("output_path",),
    "data": ("sha256", "sources", "rows"),
    "results": ("steps", "epochs", "train_seconds"),
}
IDENTITY = ("task", "kind", "template", "base_model", "cleaning")  # at least two of them are in every run.json of ours
SAMPLING = ("do_sample", "temperature", "top_k", "top_p", "no_repeat_ngram_size", "max_new_tokens")
WHOLE_NUMBERS = ("top_k", "no_repeat_ngram_size", "max_new_tokens")
NAMES = {str: "a text", dict: "an object", list: "a list", int: "a whole number"}


def read_run(path: Path, text: str | None = None) -> dict:
    """Return the contents of a run.json, or of its `text` in a .pt file; {} if it is not from fine_tune.py.

    UserError, with the field, where it is damaged.
    """
    try:
        run = json.loads(path.read_text(encoding="utf-8") if text is None else text)
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path} is damaged: {error}", RESTORE) from error
    if not isinstance(run, dict) or sum(field in run for field in IDENTITY) < 2:
        log.warning("warning: %s is not from fine_tune.py, so it is left out", path)
        return {}
    kind = run.get("kind")
    if "kind" in run and (not isinstance(kind, str) or kind not in KINDS):
        raise _damaged(path, f"kind is {kind!r}, not one of {', '.join(KINDS)}")
    for field, expected in TYPES.items():
        value = run.get(field)
        if (value is not None or field in _needed(kind)) and (
            not isinstance(value, expected) or isinstance(value, bool)
        ):
            found = f"is {value!r}"[:60] if field in run else "is missing"
            raise _damaged(path, f"{field} {found}, expected {NAMES[expected]}")
    _check_contents(path, run)
    run.pop("files", None)  # of the folder, for `files_in_run`
    return run


def is_ours(folder: Path) -> bool:
    """Return whether a folder has a run.json of ours."""
    return bool(_identity(folder / RUN_FILE))


def files_in_run(folder: Path) -> list[str] | None:
    """Return the names of the files that fine_tune.py wrote into a folder; None where an earlier version wrote them."""
    names = _identity(folder / RUN_FILE).get("files")
    return [str(name) for name in names] if isinstance(names, list) else None


def was_searched(folder: Path) -> bool:
    """Return whether the model in a folder ends a hyperparameter search."""
    return bool(_identity(folder / RUN_FILE).get("search"))


def _identity(path: Path) -> dict:
    """Return the contents of a run.json of ours, which need not be whole; {} of anything else."""
    try:
        run = json.loads(path.read_bytes()) if path.is_file() else None
    except (OSError, ValueError, RecursionError):
        return {}
    return run if isinstance(run, dict) and sum(field in run for field in IDENTITY) >= 2 else {}


def check_record(name: str, run: dict) -> None:
    """Raise UserError if the run.json of the model `name` lacks fields on the training that model cards need.

    Without it, a model can be used, not evaluated or published.
    """
    missing = [field for field in RECORD if field not in run]
    parts = [(field, part) for field, whole in RECORD.items() for part in whole]
    missing += [f"{part} in {field}" for field, part in parts if part not in (run.get(field) or {})]
    if missing:
        raise UserError(f"the run.json of {name} is damaged: it lacks {missing[0]}", RESTORE)
    for source in run["data"]["sources"]:
        if not isinstance(source, dict) or not {"path", "rows", "sha256"} <= source.keys():
            raise UserError(f"the run.json of {name} is damaged: data: sources have no path, rows and sha256", RESTORE)


def _needed(kind: str | None) -> tuple[str, ...]:
    """Return the fields without which a model of this kind cannot be used as it was trained."""
    if kind is None:
        return ()
    further = {EMOJI.name: ("targets",)} | dict.fromkeys(LABELING, ("cleaning", "labels"))
    return ("template", *further.get(kind, ()))


def _check_contents(path: Path, run: dict) -> None:
    """Raise UserError for fields of the right type with contents that no model was trained with."""
    if "{prompt}" not in run.get("template", "{prompt}") and run.get("kind") in (*LABELING, EMOJI.name):
        raise _damaged(path, f"template is {run['template']!r}, without {{prompt}}")
    try:
        cleaning = asdict(from_saved(run.get("cleaning") or {}))
    except TypeError as error:
        raise _damaged(path, f"cleaning: {error}") from error
    for name, value in cleaning.items():
        known = CHOICES.get(name, RULES)
        if value not in known:
            raise _damaged(path, f"cleaning: {name} is {value!r}, not one of {', '.join(map(str, known))}")
    for name, value in (run.get("sampling") or {}).items():
        expected = int if name in WHOLE_NUMBERS else int | float
        if name not in SAMPLING or not isinstance(value, expected) or not 0 <= value < 1e9:
            raise _damaged(path, f"sampling: {name} is {value!r}, which no model was trained with")
    if not all(isinstance(label, str) for label in run.get("labels") or ()):
        raise _damaged(path, "labels are not all texts")
    for field in ("targets", "descriptions"):
        if not all(map(_is_pair, run.get(field) or ())):
            raise _damaged(path, f"{field} are not all pairs of texts")
    if run.get("kind") == EMOJI.name and not run["targets"]:
        raise _damaged(path, "targets are empty")
    calibration = run.get("calibration") or {}
    for field, least, most in (("temperature", 1e-6, 1e9), ("threshold", 1e-6, 1e9), ("scale", 0, math.inf)):
        value = calibration.get(field)
        if value is not None and (
            not isinstance(value, int | float) or isinstance(value, bool) or not least < value < most
        ):
            raise _damaged(path, f"calibration: {field} is {value!r}, not a number above 0")
    thresholds = calibration.get("thresholds")
    if thresholds is not None and not _are_thresholds(thresholds, run.get("labels") or ()):
        raise _damaged(path, "calibration: thresholds are not one probability for each label")
    if "kind" in run and (run["kind"] == MULTILABEL.name) != (thresholds is not None):
        raise _damaged(
            path, f"kind is {run['kind']!r}, and thresholds are for {MULTILABEL.name!r} alone, which needs them"
        )
    _check_baseline(path, run.get("baseline") or {})
    if run.get("max_length") is not None and run["max_length"] < 1:
        raise _damaged(path, f"max_length is {run['max_length']}, not a number of tokens")
    if len(set(run.get("labels") or ())) < len(run.get("labels") or ()):
        raise _damaged(path, "two labels have the same name")


def _check_baseline(path: Path, record: dict) -> None:
    """Raise UserError where a classifier is mixed with its baseline, but not by numbers that training gives."""
    if not record.get("used"):
        return
    exponents = record.get("exponents")
    numbers = [exponents.get(name) for name in ("model", "tfidf")] if isinstance(exponents, dict) else [None]
    numbers += [] if record.get("threshold") is None else [record["threshold"]]
    for value in numbers:
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < 1e9:
            raise _damaged(path, f"baseline: {value!r} is not a number of at least 0")
    if "threshold" not in record or (record["threshold"] or 0) > 1:
        raise _damaged(path, f"baseline: the threshold {record.get('threshold')} is no probability, nor null")


def _is_pair(value: object) -> bool:
    return isinstance(value, list) and len(value) >= 2 and all(isinstance(text, str) for text in value[:2])


def _are_thresholds(values: object, labels: Sequence[str]) -> bool:
    if not isinstance(values, list) or len(values) != len(labels):
        return False
    return all(isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1 for value in values)


def _damaged(path: Path, problem: str) -> UserError:
    return UserError(f"{path} is damaged: {problem}", RESTORE)
