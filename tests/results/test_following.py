"""The commands that a script ends with: real paths, quoted, and flags that the scripts have."""

import importlib
import shlex
from pathlib import Path

import pytest

from utils.results.following import after_evaluation, after_foreseeing, after_preprocessing, after_training, after_use
from utils.tasks.kinds import KINDS

ROOT = Path(__file__).parents[2]


def parsed(command: str):
    """Return the script that a command starts, and its flags."""
    python, script, *words = shlex.split(command)
    assert python == "python"
    name = script.removesuffix(".py")
    return name, importlib.import_module(name).build_parser().parse_args(words)


def test_a_pickle_is_trained_into_a_model_of_its_name():
    [named], [default] = after_preprocessing(Path("my data/it's.pkl")), after_preprocessing(Path("data/processed.pkl"))
    name, flags = parsed(named)
    assert (name, flags.data_path, flags.output_path) == ("fine_tune", Path("my data/it's.pkl"), Path("models/it's"))
    assert default == "python fine_tune.py --data data/processed.pkl"


@pytest.mark.parametrize(
    ("kind", "script", "flag"),
    [
        ("generate", "generate", "prompt"),
        ("instruct", "generate", "instruction"),
        ("classify", "classify", "text"),
        ("emoji", "generate", "prompt"),
    ],
)
def test_a_model_is_used_as_its_kind_asks_and_measured_on_its_data(kind, script, flag):
    use, evaluation = map(parsed, after_training(Path("models/a b"), kind, Path("x.pkl")))
    assert (use[0], use[1].model_path) == (script, "models/a b")
    assert getattr(use[1], flag)
    name, flags = evaluation
    assert (name, flags.model_path, flags.data_path) == ("evaluate_model", "models/a b", Path("x.pkl"))
    assert flags.compare_base == ("compare_base" in KINDS[kind].evaluation_flags)
    assert parsed(after_evaluation("models/a b", kind, True)[0])[0] == script


def test_a_model_in_use_is_measured_where_its_data_is_known(tmp_path):
    path = tmp_path / "x.pkl"
    run = {"kind": "classify", "arguments": {"data_path": str(path)}}
    assert after_use("models/a", run) == after_use("models/a", {}) == []
    path.write_bytes(b"")
    [command] = after_use("models/a", run)
    assert command == f"python evaluate_model.py --model_path models/a --data {path}"


def test_commands_start_as_this_one_was_typed(monkeypatch):
    monkeypatch.setattr("sys.argv", [str(ROOT / "fine_tune.py")])
    monkeypatch.setattr("sys.orig_argv", ["/usr/bin/python3", str(ROOT / "fine_tune.py")])
    [command] = after_preprocessing(Path("data/processed.pkl"))
    assert command == f"/usr/bin/python3 {ROOT / 'fine_tune.py'} --data data/processed.pkl"


@pytest.mark.parametrize("has_report", [True, False])
def test_an_evaluation_without_a_report_can_be_made_again_with_one(monkeypatch, has_report):
    words = [str(ROOT / "evaluate_model.py"), "--model_path", "m", "--data", "x.pkl"]
    monkeypatch.setattr("sys.argv", words)
    monkeypatch.setattr("sys.orig_argv", ["python", *words])
    *again, use = after_evaluation("m", "generate", has_report)
    assert again == ([] if has_report else [shlex.join(["python", *words, "--report"])])
    assert "generate.py --model_path m" in use


def test_a_forecast_is_followed_by_the_run(monkeypatch):
    words = [str(ROOT / "fine_tune.py"), "--dry_run", "--data", "x.pkl", "--json"]
    monkeypatch.setattr("sys.argv", words)
    monkeypatch.setattr("sys.orig_argv", ["python", *words])
    assert after_foreseeing() == [shlex.join(["python", words[0], "--data", "x.pkl"])]
