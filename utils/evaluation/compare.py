"""Several evaluation.json files in one table, the best model first."""

import json
import logging
from collections.abc import Sequence
from pathlib import Path

from utils.errors import DataError
from utils.metrics.figures import COMPARED, FIGURES
from utils.system_errors import read_file
from utils.tasks.kinds import KINDS
from utils.terminal.tables import NO_FIGURE, format_table, with_interval

log = logging.getLogger(__name__)
BASELINES = {  # by kind: (name in "baselines", the figure to show, its title)
    "classify": ("tfidf_logistic_regression", "accuracy", "TF-IDF accuracy"),
    "multilabel": ("tfidf_one_vs_rest", "macro_f1", "TF-IDF macro F1"),
    "score": ("tfidf_ridge", "mae", "TF-IDF MAE"),
    "emoji": ("nearest_description", "top_1", "nearest description, top-1"),
}
HINT = "name evaluation.json files that evaluate_model.py wrote; if one is damaged, evaluate that model again"


def compare_evaluations(paths: Sequence[Path]) -> dict:
    """Return {"kind", "models": one dict per file, the best first} as plain JSON values.

    A model is {"file", "model_path", "base_model", "data_sha256", "figures"}, plus "baseline_accuracy" (TF-IDF with
    logistic regression) for classifiers, "baseline_macro_f1" and "baseline_mae" (TF-IDF with regressions) for models
    that give several labels or a score, and "baseline_top_1" (nearest training description) for models that write
    emoji. The first figure of `COMPARED` decides which model is best.

    DataError for a file that is not an evaluation, and for files of different kinds. Warns where figures cannot be
    compared, because the test data or the decoding differs.
    """
    evaluations = {path: _read(path) for path in paths}
    first, *others = evaluations
    kind = _kind(evaluations[first])
    for path in others:
        if _kind(evaluations[path]) != kind:
            raise DataError(
                f"{first} evaluates {KINDS[kind].model}, {path} {KINDS[_kind(evaluations[path])].model}: "
                "they have no figure in common",
                "compare files of one kind",
            )
    conditions = {path: _conditions(evaluation) for path, evaluation in evaluations.items()}
    for path in others:
        if different := [name for name, value in conditions[path].items() if value != conditions[first][name]]:
            log.warning(
                "warning: %s and %s were measured on different %s, so their figures cannot be compared",
                first, path, " and ".join(different),
            )  # fmt: skip
    models = [_model(path, evaluation, kind) for path, evaluation in evaluations.items()]
    decisive = COMPARED[kind][0]
    models.sort(key=lambda model: model["figures"][decisive.name]["value"], reverse=decisive.greater_is_better)
    return {"kind": kind, "models": models}


def format_comparison(comparison: dict) -> str:
    """Return the result of `compare_evaluations` as text for a terminal."""
    figures = COMPARED[comparison["kind"]]
    header = ["model", "base model", *(figure.title for figure in figures)]
    rows = [
        [
            model["model_path"],
            str(model["base_model"] or NO_FIGURE),
            *(with_interval(model["figures"][figure.name], figure.pattern) for figure in figures),
        ]
        for model in comparison["models"]
    ]
    if comparison["kind"] in BASELINES:
        _, name, title = BASELINES[comparison["kind"]]
        header.append(title)
        for row, model in zip(rows, comparison["models"], strict=True):
            row.append(with_interval(model[f"baseline_{name}"], FIGURES[name].pattern))
    return f"95% intervals in brackets, the best {figures[0].title} first\n\n{format_table(header, rows)}"


def _read(path: Path) -> dict:
    try:
        evaluation = json.loads(read_file(path))
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist", HINT) from error
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}", HINT) from error
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        raise DataError(f"{path} is damaged or not JSON ({error})", HINT) from error
    if not isinstance(evaluation, dict) or _kind(evaluation) not in tuple(KINDS):
        raise DataError(f"{path} is JSON, but not an evaluation of a model", HINT)
    if missing := _missing(evaluation):
        raise DataError(f"{path} is not a complete evaluation of a model: {missing} is missing or malformed", HINT)
    return evaluation


def _kind(evaluation: dict) -> str:
    return evaluation.get("kind", "generate")


def _missing(evaluation: dict) -> str | None:
    """The first value that an evaluation of its kind must have and this one lacks."""
    for name in ("model_path", "data_sha256"):
        if not isinstance(evaluation.get(name), str):
            return name
    kind = _kind(evaluation)
    required = [("tuned", figure.name) for figure in COMPARED[kind]]
    if kind in BASELINES:
        required.append(("baselines", *BASELINES[kind][:2]))
    for keys in required:
        value = evaluation
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        if value is None and FIGURES[keys[-1]].optional:
            continue
        numbers = [value.get(key) if isinstance(value, dict) else None for key in ("value", "low", "high")]
        if not all(isinstance(number, int | float) for number in numbers):
            return ".".join(keys)
    return None


def _conditions(evaluation: dict) -> dict:
    """Return the conditions that must be equal for figures to be comparable."""
    limit = evaluation.get("limit")
    return {
        "test data": evaluation["data_sha256"],
        "test rows (--limit, --seed)": (evaluation.get("rows"), limit, limit and evaluation.get("seed")),
        "decoding": evaluation.get("decoding"),
    }


def _model(path: Path, evaluation: dict, kind: str) -> dict:
    model = {
        "file": str(path),
        "model_path": evaluation["model_path"],
        "base_model": evaluation.get("base_model"),
        "data_sha256": evaluation["data_sha256"],
        "figures": {figure.name: evaluation["tuned"].get(figure.name) for figure in COMPARED[kind]},
    }
    if kind in BASELINES:
        baseline, name, _ = BASELINES[kind]
        model[f"baseline_{name}"] = evaluation["baselines"][baseline][name]
    return model
