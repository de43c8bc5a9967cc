"""The planned steps are those that training takes: their number, their batches, their tokens and when it validates."""

from dataclasses import replace

import pytest
import torch
from planned_runs import planned_run
from small_models import random_model
from training_runs import SETTINGS, TEXTS, VALIDATION, logged, rows_of, run_training

from utils.compute.batching import IGNORED
from utils.training.forecast.schedule import plan_steps, supervised_tokens

pytestmark = pytest.mark.usefixtures("_no_progress_bars")


@pytest.mark.parametrize(
    "changes",
    [
        {"epochs": 2},
        {"epochs": 1.5},
        {"max_steps": 2},
        {"max_steps": 5, "batch_size": 5},
        {"epochs": 2, "gradient_accumulation_steps": 2},
        {"epochs": 1, "batch_size": 100},
        {"epochs": 2, "save_steps": 4},
    ],
    ids=str,
)
def test_the_steps_are_those_of_the_training(tmp_path, changes):
    rows, model, shapes = rows_of(TEXTS), random_model("llama"), []

    def note(module, arguments, options):
        if torch.is_grad_enabled():
            shapes.append(tuple(options["input_ids"].shape))

    model.register_forward_pre_hook(note, with_kwargs=True)
    outcome = run_training(model, rows, rows_of(VALIDATION), tmp_path / "state", **changes)
    schedule = plan_steps(rows, replace(SETTINGS, **changes), validates=True)
    assert schedule.steps == outcome.steps
    assert [(len(batch.numbers), batch.length) for step in schedule for batch in step] == shapes
    evaluated = [entry["step"] for entry in outcome.history if "eval_loss" in entry]
    assert [0, *schedule.validated] == evaluated
    tokens = sum(len(rows[number]["input_ids"]) for step in schedule for batch in step for number in batch.numbers)
    assert tokens == logged(outcome, "num_input_tokens_seen")[-1]


def test_tokens_with_a_label_are_supervised():
    run = planned_run()
    rows = [{**row, "loss_start": start} for row, start in zip(run.rows, (0, 1, 2, 3, 1, 1), strict=False)]
    labels = run.setup.objective.collate(rows)["labels"][:, 1:]
    assert [supervised_tokens(row) for row in rows] == (labels != IGNORED).sum(1).tolist()
    assert supervised_tokens({"input_ids": [1, 2, 3], "label": 1}) == 1
