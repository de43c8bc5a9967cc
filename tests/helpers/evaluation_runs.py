"""Running evaluate_model.py in a folder of its own, and a trained model for it."""

import shutil
from pathlib import Path

from running import assert_one_error, run_script

import evaluate_model
import fine_tune
from utils.models import checkpoint, saving


def train_writer(folder: Path, processed: Path) -> Path:
    """Make `mine` and `mine.pt` in the folder: the same model, trained for some steps on the sample tweets."""
    words = ["--precision", "fp32", "--max_steps", 10, "--lr", 0.005, "--unfreeze_last", "all"]
    assert run_script(fine_tune.main, "--data", processed, *words, "--output_path", folder / "mine") == 0
    saving.save(folder / "mine.pt", checkpoint.load(str(folder / "mine")), "", "")
    return folder


def evaluation_caller(folder: Path, tmp_path: Path, capsys, monkeypatch, *, model: str, data: object):
    """Return a function that runs evaluate_model.py in a copy of the folder: (exit code, stdout, stderr)."""
    shutil.copytree(folder, tmp_path / "work")
    monkeypatch.chdir(tmp_path / "work")
    capsys.readouterr()

    def call(*words, model=model, data=data):
        code = run_script(evaluate_model.main, "--model_path", model, "--data", data, *words)
        return code, *capsys.readouterr()

    return call


def refused(result, code: int, *words: str) -> str:
    """Assert that no figures, answers or mistakes were written; return the hint."""
    assert result[:2] == (code, "")
    outputs = [*Path().rglob("*evaluation*"), *Path().rglob("*answers*"), *Path().rglob("*.csv")]
    assert outputs == []
    return assert_one_error(result[2], *words)
