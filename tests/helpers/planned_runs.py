"""Runs that are about to start, of small models, for the tests of forecasts."""

from dataclasses import replace
from functools import partial
from pathlib import Path

from small_models import END, random_model, tiny_tokenizer
from training_runs import SETTINGS, TEXTS, VALIDATION, rows_of

from utils.models.checkpoint import Trained
from utils.training.forecast.planned import Run
from utils.training.freezing import freeze_parameters
from utils.training.objectives import language_modeling
from utils.training.prepare import TrainingSetup


def planned_run(kind: str = "llama", unfreeze_last: int | None = None, model: dict | None = None, **changes) -> Run:
    """Return a run of a random model on the texts of `training_runs`, with SETTINGS but for these changes."""
    base = Trained(random_model(kind, **(model or {})), tiny_tokenizer(), {})
    freeze = partial(freeze_parameters, train_head=False)
    freeze(base.model, unfreeze_last)
    rows = {"train": rows_of(TEXTS), "validation": rows_of(VALIDATION)}
    objective = language_modeling(base, [[END]] * 2)
    setup = TrainingSetup(base, objective, rows, 128, freeze)
    settings = replace(SETTINGS, output_path=Path("model.pt"), **changes)
    return Run(setup, settings, rows["train"], unfreeze_last, rows["validation"])
