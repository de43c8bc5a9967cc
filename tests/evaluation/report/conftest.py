"""Evaluations of small models of all four tasks, as evaluate_model.py writes them."""

import json
from pathlib import Path

import pytest
from reported_tasks import TASKS
from running import run_script

import evaluate_model
import fine_tune
import preprocess

SAMPLES = Path(__file__).parents[3] / "data" / "samples"


@pytest.fixture(scope="session")
def models(tmp_path_factory) -> Path:
    """A folder with TASK.pkl and TASK, a model of some steps with its evaluation.json, for each task."""
    folder = tmp_path_factory.mktemp("report")
    for task, (sample, flags, evaluated) in TASKS.items():
        data, model = folder / f"{task}.pkl", folder / task
        read = ["--task", task, "--data", SAMPLES / sample, "--model", "tiny", "--output_path", data]
        assert run_script(preprocess.main, *read, *flags) == 0
        steps = ["--max_steps", 4, "--logging_steps", 1, "--precision", "fp32"]
        assert run_script(fine_tune.main, "--data", data, *steps, "--output_path", model) == 0
        assert run_script(evaluate_model.main, "--model_path", model, "--data", data, *evaluated) == 0
    return folder


@pytest.fixture(scope="session")
def evaluations(models) -> dict[str, dict]:
    return {task: json.loads((models / task / "evaluation.json").read_text("utf-8")) for task in TASKS}
