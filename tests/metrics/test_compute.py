"""Metrics compute without a network or a writable cache, and load by their path with `evaluate`."""

import json
import os
import subprocess
import sys
from pathlib import Path

import evaluate
import pytest

from utils.metrics.distinct import Distinct
from utils.metrics.likelihood import Likelihood

PROJECT = Path(__file__).parent.parent.parent


def test_metrics_load_without_network_and_where_no_cache_can_be_written(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    code = (
        "import json; from utils.metrics.answers import Answers; from utils.metrics.copying import Copying;"
        "from utils.metrics.distinct import Distinct; from utils.metrics.likelihood import Likelihood;"
        "from utils.metrics.compute import compute_metric as c;"
        "print(json.dumps([c(Distinct, predictions=['a b a'])['distinct_1'],"
        "c(Copying, predictions=['a b'], training_texts=['A, b!', 'c'])['exact_copies'],"
        "c(Likelihood, predictions=[1.0], references=[dict(tokens=1, bytes=2, correct=1)])['tokens'],"
        "c(Answers, predictions=['a b'], references=['a b'], finished=[True])['words']]))"
    )
    unwritable = str(tmp_path / "file" / "home")
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": unwritable, "HOME": unwritable}
    environment.pop("HF_MODULES_CACHE", None)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=PROJECT, env=environment, capture_output=True, text=True
    )
    assert done.stderr == ""
    assert json.loads(done.stdout) == [2 / 3, 1.0, 1, 2]


@pytest.mark.parametrize(
    ("metric", "inputs"),
    [
        (Distinct, {"predictions": ["a b a"]}),
        (Likelihood, {"predictions": [2.0], "references": [{"tokens": 2, "bytes": 3, "correct": 1}]}),
    ],
)
def test_a_metric_loads_by_its_path_with_evaluate_itself(tmp_path, metric, inputs):
    path = PROJECT / "utils" / "metrics" / f"{metric.__name__.lower()}.py"
    loaded = evaluate.load(str(path), cache_dir=str(tmp_path))
    assert loaded.compute(**inputs) == metric(keep_in_memory=True).compute(**inputs)
