"""Several evaluation.json files in one table, the best model first."""

import json
import logging
from collections.abc import Sequence
from pathlib import Path

from utils.errors import DataError
from utils.text_tables import NO_FIGURE, format_table, with_interval

log = logging.getLogger(__name__)
KINDS = {
    "classify": "a model that classifies",
    "generate": "a model that writes",
    "instruct": "a model that answers instructions",
    "emoji": "a model that writes emoji",
}
FIGURES = {  # of each kind: name in evaluation.json → (title, pattern); the first one decides the order
    "classify": {
        "macro_f1": ("macro F1", "{:.3f}"),
        "accuracy": ("accuracy", "{:.3f}"),
        "roc_auc": ("ROC-AUC", "{:.3f}"),
        "expected_calibration_error": ("ECE", "{:.3f}"),
    },
    "generate": {
        "bits_per_byte": ("bits per byte", "{:.4f}"),
        "perplexity": ("perplexity", "{:,.2f}"),
        "token_accuracy": ("token accuracy", "{:.3f}"),
    },
    "instruct": {
        "bits_per_byte": ("bits per byte", "{:.4f}"),
        "bleu": ("BLEU", "{:.2f}"),
        "chrf": ("chrF", "{:.2f}"),
        "rouge_l": ("ROUGE-L", "{:.3f}"),
        "finished": ("ended", "{:.1%}"),
    },
    "emoji": {
        "top_1": ("top-1", "{:.3f}"),
        "top_5": ("top-5", "{:.3f}"),
        "mean_reciprocal_rank": ("mean reciprocal rank", "{:.3f}"),
        "concept_accuracy": ("right concept", "{:.3f}"),
        "group_accuracy": ("right group", "{:.3f}"),
        "valid_unconstrained": ("real, unconstrained", "{:.3f}"),
    },
}
MAY_BE_MISSING = ("roc_auc", "group_accuracy")
# Of kinds with one: where the baseline's figure stands, its name in the JSON, and its title.
BASELINES = {
    "classify": (("baselines", "tfidf_logistic_regression", "accuracy"), "baseline_accuracy", "TF-IDF accuracy"),
    "emoji": (("baselines", "nearest_description", "top_1"), "baseline_top_1", "nearest description, top-1"),
}


def compare_evaluations(paths: Sequence[Path]) -> dict:
    """{"kind", "models": one dict a file, the best first}, as plain JSON values.

    A model is {"file", "model_path", "base_model", "data_sha256", "figures"}, a classifier's also with
    "baseline_accuracy", of TF-IDF with logistic regression, and one's that writes emoji with "baseline_top_1", of the
    nearest training description. The best has the highest macro F1 or top-1 or, of models that write or answer, the
    fewest bits per byte. DataError for a file that is no evaluation, and for files of two kinds; a
    warning where the figures don't compare, since the test data or the way of measuring is not the same.
    """
    evaluations = {path: _read(path) for path in paths}
    kinds = {path: _kind(evaluation) for path, evaluation in evaluations.items()}
    first, *others = kinds
    for path in others:
        if kinds[path] != kinds[first]:
            raise DataError(
                f"{first} judges {KINDS[kinds[first]]}, {path} {KINDS[kinds[path]]}: they have no figure in common",
                "compare files of one kind",
            )
    models = [_model(path, evaluation, kinds[path]) for path, evaluation in evaluations.items()]
    conditions = {path: _conditions(evaluation) for path, evaluation in evaluations.items()}
    for path in others:
        if apart := [name for name, value in conditions[path].items() if value != conditions[first][name]]:
            log.warning(
                "warning: %s and %s were measured on different %s, so their figures don't compare",
                first, path, " and ".join(apart),
            )  # fmt: skip
    sign = -1 if kinds[first] in BASELINES else 1
    deciding = next(iter(FIGURES[kinds[first]]))
    models.sort(key=lambda model: sign * model["figures"][deciding]["value"])
    return {"kind": kinds[first], "models": models}


def format_comparison(comparison: dict) -> str:
    """What `compare` returned as text for a terminal."""
    figures = FIGURES[comparison["kind"]]
    _, baseline, title = BASELINES.get(comparison["kind"], (None, None, None))
    header = ["model", "base model", *(title for title, _ in figures.values()), *([title] if baseline else [])]
    rows = []
    for model in comparison["models"]:
        cells = [with_interval(model["figures"][name], pattern) for name, (_, pattern) in figures.items()]
        cells += [with_interval(model[baseline], "{:.3f}")] if baseline else []
        rows.append([model["model_path"], str(model["base_model"] or NO_FIGURE), *cells])
    return (
        f"95 % intervals in brackets, the best {figures[next(iter(figures))][0]} first\n\n{format_table(header, rows)}"
    )


def _read(path: Path) -> dict:
    hint = "name evaluation.json files that evaluate_model.py wrote; write it again where one is damaged"
    try:
        evaluation = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist", hint) from error
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}", hint) from error
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        raise DataError(f"{path} is damaged, or no JSON ({error})", hint) from error
    if not isinstance(evaluation, dict) or _kind(evaluation) not in tuple(KINDS):
        raise DataError(f"{path} is JSON, but no evaluation of a model", hint)
    missing = _missing(evaluation)
    if missing:
        raise DataError(f"{path} is no whole evaluation of a model: {missing} is missing or no figure", hint)
    return evaluation


def _kind(evaluation: dict) -> str:
    return evaluation.get("kind", "generate")


def _conditions(evaluation: dict) -> dict:
    """What must be the same where figures are to compare."""
    limit = evaluation.get("limit")
    return {
        "test data": evaluation["data_sha256"],
        "test rows (--limit, --seed)": (evaluation.get("rows"), limit, limit and evaluation.get("seed")),
        "decoding": evaluation.get("decoding"),
    }


def _missing(evaluation: dict) -> str | None:
    """The first thing that an evaluation of its kind must have and this one has not."""
    for name in ("model_path", "data_sha256"):
        if not isinstance(evaluation.get(name), str):
            return name
    wanted = [("tuned", name) for name in FIGURES[_kind(evaluation)]]
    if _kind(evaluation) in BASELINES:
        wanted.append(BASELINES[_kind(evaluation)][0])
    for names in wanted:
        found = evaluation
        for name in names:
            found = found.get(name) if isinstance(found, dict) else None
        if found is None and names[-1] in MAY_BE_MISSING:
            continue
        if not isinstance(found, dict) or not all(
            isinstance(found.get(end), int | float) for end in ("value", "low", "high")
        ):
            return ".".join(names)
    return None


def _model(path: Path, evaluation: dict, kind: str) -> dict:
    model = {
        "file": str(path),
        "model_path": evaluation["model_path"],
        "base_model": evaluation.get("base_model"),
        "data_sha256": evaluation["data_sha256"],
        "figures": {name: evaluation["tuned"].get(name) for name in FIGURES[kind]},
    }
    if kind in BASELINES:
        (_, name, figure), title, _ = BASELINES[kind]
        model[title] = evaluation["baselines"][name][figure]
    return model
