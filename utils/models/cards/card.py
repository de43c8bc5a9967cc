"""The fields in which model cards differ by kind of model, and a sentence that several kinds share."""

from dataclasses import dataclass

ERRORS_NOT_MEASURED = "How often it errs has not been measured: run `evaluate_model.py` before you rely on it."


@dataclass(frozen=True)
class Card:
    """The parts of a model card that depend on the kind of model; `results` returns the paragraphs around the figures.

    `run` and `evaluation` are the contents of run.json and evaluation.json.
    """

    run: dict
    evaluation: dict | None

    validation_metric = "bits_per_byte"
    baselines = ()  # (name in evaluation.json, column title) pairs
