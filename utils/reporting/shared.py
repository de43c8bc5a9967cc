"""What the model cards of all kinds of models say alike."""

import shlex

from utils.formatting import with_interval
from utils.naming import without_folder

NOT_MEASURED = "The test split has not been measured: `evaluate_model.py` does that."
LIKELIHOOD_ROWS = {
    "perplexity": ("Perplexity", "{:,.2f}"),
    "bits_per_byte": ("Bits per byte", "{:.4f}"),
    "token_accuracy": ("Token accuracy", "{:.1%}"),
}


def path_of(run: dict) -> str:
    """The model's place as a word of a shell command, without the folders of this machine."""
    return shlex.quote(without_folder(run["arguments"]["output_path"]))


def validation(results: dict, metric: str, title: str) -> str:
    """What the validation split said before and after training."""
    before, after = results[f"validation_{metric}_before"], results[f"validation_{metric}_after"]
    if before is None or after is None:
        return "There was no validation split, so nothing was measured while training."
    return f"Validation {title}: {before:.4f} before training → {after:.4f} after ({after - before:+.4f})."


def likelihood_rows(models: dict[str, dict]) -> list[list[str]]:
    """Table rows of the likelihood of each model, whose figures are given by its title."""
    return [
        [title, *(with_interval(figures[metric], pattern) for figures in models.values())]
        for metric, (title, pattern) in LIKELIHOOD_ROWS.items()
    ]


def measured_models(evaluation: dict) -> dict[str, dict]:
    """The figures by the model's title; the base model's are there where it was compared."""
    models = {"Base model": evaluation["base"]} if evaluation.get("base") else {}
    return {**models, "This model": evaluation["tuned"]}
